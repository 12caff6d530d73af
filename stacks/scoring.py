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
from stacks.sections import RouteSettings
from stacks.settings import Settings
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.worker import Worker


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
        routing = {"MODELS": _models(endpoints), "ROUTES": _routes(settings.routes)}
        dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.key)
        worker = Worker(
            self,
            "Worker",
            network=Network(self, "Network", azs=settings.network.azs),
            settings=settings.worker,
            environment={**where, **routing, "IN_FLIGHT": str(settings.worker.in_flight)},
        )
        intake = Intake(
            self,
            "Intake",
            bucket=storage.bucket,
            environment={
                **where,
                **routing,
                "JOB_QUEUE": worker.queue.job_queue_arn,
                "JOB_DEFINITION": worker.job_definition.job_definition_arn,
                "JOB_TTL_DAYS": str(settings.storage.job_ttl_days),
            },
            dead_letters=dead_letters,
        )
        tracking = Tracking(
            self,
            "Tracking",
            job_queue_arn=worker.queue.job_queue_arn,
            environment={"JOBS_TABLE": storage.jobs.table_name},
            dead_letters=dead_letters,
        )

        storage.grant_claim(intake.role)
        worker.grant_submit(intake.role)
        storage.grant_move(tracking.role)
        storage.grant_move(worker.role)
        storage.grant_read_input(worker.role)
        storage.grant_write_output(worker.role)
        for endpoint in endpoints:
            endpoint.grant_invoke(worker.role)

        CfnOutput(self, "JobQueueArn", value=worker.queue.job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=worker.job_definition.job_definition_arn)
        CfnOutput(self, "SubmitFunctionName", value=intake.function_name)
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
            }
            for endpoint in endpoints
        }
    )


def _routes(routes: Mapping[str, RouteSettings]) -> str:
    return json.dumps({name: route.model_dump() for name, route in routes.items()})
