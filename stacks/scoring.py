"""Scoring: from a dropped file to its scores. Composition and grants only; can be deleted and made again at will."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.delivery import dead_letter_queue
from stacks.endpoint import Endpoint
from stacks.intake import Intake
from stacks.network import Network
from stacks.reconciliation import Reconciliation
from stacks.settings import Settings
from stacks.settings.complaints import SettingsError
from stacks.settings.routes import RouteSettings
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.worker import Worker

ROUTING_BYTES = 3_500
"""Of the 4096 that AWS Lambda has for a function's environment; the rest is for names and ARNs."""
ENDPOINT_NAME_BYTES = 63


class Scoring(Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: Storage,
        endpoints: Sequence[Endpoint],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=settings.deploy.stack_name("scoring"),
            description="Dropscore: from a dropped file to its scores",
        )
        where = {"JOBS_TABLE": storage.jobs.table_name, "BUCKET": storage.bucket.bucket_name}
        models, routes = _models(endpoints), _routes(settings.routes)
        _check_room(models + routes, len(endpoints))
        dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.key)
        worker = Worker(
            self,
            "Worker",
            network=Network(self, "Network", azs=settings.network.azs),
            settings=settings.worker,
            environment={**where, "MODELS": models, "IN_FLIGHT": str(settings.worker.in_flight)},
        )
        submission = {
            **where,
            "MODELS": models,
            "ROUTES": routes,
            "JOB_QUEUE": worker.queue.job_queue_arn,
            "JOB_DEFINITION": worker.job_definition.job_definition_arn,
            "JOB_TTL_DAYS": str(settings.storage.job_ttl_days),
            "SHARD_BYTES": str(settings.worker.shard_mib << 20),
        }
        intake = Intake(self, "Intake", bucket=storage.bucket, environment=submission, dead_letters=dead_letters)
        reconciliation = Reconciliation(
            self,
            "Reconciliation",
            settings=settings.reconcile,
            environment=submission,
            dead_letters=dead_letters,
        )
        tracking = Tracking(
            self,
            "Tracking",
            job_queue_arn=worker.queue.job_queue_arn,
            environment=where,
            dead_letters=dead_letters,
        )

        for role in (intake.role, reconciliation.role):
            storage.grant_claim(role)
            storage.grant_read_input(role)
            worker.grant_submit(role)
        storage.grant_look_for_lost(reconciliation.role)
        for role in (tracking.role, reconciliation.role):
            storage.grant_finish(role)
        storage.grant_move(tracking.role)
        storage.grant_move(worker.role)
        storage.grant_read_input(worker.role)
        storage.grant_write_parts(worker.role)
        storage.grant_write_output(worker.role)
        for endpoint in endpoints:
            endpoint.grant_invoke(worker.role)

        CfnOutput(self, "JobQueueArn", value=worker.queue.job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=worker.job_definition.job_definition_arn)
        CfnOutput(self, "SubmitFunctionName", value=intake.function_name)
        CfnOutput(self, "ReconcileFunctionName", value=reconciliation.function_name)
        CfnOutput(self, "TrackFunctionName", value=tracking.function_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)


def _models(endpoints: Sequence[Endpoint]) -> str:
    """What the runtime knows of each model. Endpoint names are resolved at deployment and need no JSON escapes."""
    return json.dumps(
        {
            endpoint.model.name: {
                "endpoint": endpoint.endpoint_name,
                "version": endpoint.version,
                "body_limit_bytes": endpoint.model.body_limit_bytes,
                "features": endpoint.model.features,
                "digest": endpoint.model.digest,
            }
            for endpoint in endpoints
        }
    )


def _routes(routes: Mapping[str, RouteSettings]) -> str:
    return json.dumps({name: route.spelled_out() for name, route in routes.items()})


def _check_room(routing: str, endpoints: int) -> None:
    """Or the deployment would fail half-way. Endpoints have no names yet: the longest is assumed."""
    size = len(routing) + endpoints * ENDPOINT_NAME_BYTES
    if size > ROUTING_BYTES:
        raise SettingsError(
            f"dropscore.toml: models and routes together take {size} bytes of the {ROUTING_BYTES} that fit into a "
            "function's environment; name columns by number, or by `exclude` where that is shorter than `columns`"
        )
