"""Scoring: from a dropped file to its scores. Composition and grants only; can be deleted and made again at will."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.announcing import Announcing
from stacks.delivery import dead_letter_queue
from stacks.endpoint import Endpoint
from stacks.function import Upkeep
from stacks.intake import Intake
from stacks.monitoring import Monitoring
from stacks.network import Network
from stacks.operating import Operating
from stacks.reconciliation import Reconciliation
from stacks.settings import Settings
from stacks.settings.complaints import SettingsError
from stacks.settings.routes import RouteSettings
from stacks.sources import ImageMaker, worker_source
from stacks.storage import Storage
from stacks.tracking import Tracking
from stacks.worker import Worker

ROUTING_BYTES = 3_500
"""Of the 4096 that AWS Lambda has for a function's environment; the rest is for names and ARNs."""


class Scoring(Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: Storage,
        endpoints: Sequence[Endpoint],
        images: ImageMaker,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=settings.deploy.stack_name("scoring"),
            description="Dropscore: from a dropped file to its scores",
        )
        named = {"ENVIRONMENT": settings.deploy.env, "BUCKET": storage.bucket.bucket_name}
        where = {"JOBS_TABLE": storage.jobs.table_name, "BUCKET": storage.bucket.bucket_name}
        models, routes = _models(endpoints), _routes(settings.routes)
        _check_room(models + routes)
        dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.operations_key)
        days, key = settings.monitoring.log_days, storage.operations_key
        upkeep = Upkeep(dead_letters=dead_letters, log_days=days, logs_key=key)
        network = Network(
            self, "Network", settings=settings.network, compute=settings.worker.compute, log_days=days, logs_key=key
        )
        worker = Worker(
            self,
            "Worker",
            image=images.make(self, "WorkerImage", worker_source(settings.worker.architecture)),
            network=network,
            settings=settings.worker,
            environment={**where, **named, "MODELS": models, "IN_FLIGHT": str(settings.worker.in_flight)},
            log_days=days,
            logs_key=key,
        )
        submission = {
            **where,
            **named,
            "MODELS": models,
            "ROUTES": routes,
            "JOB_QUEUE": worker.queue.job_queue_arn,
            "JOB_DEFINITION": worker.job_definition.job_definition_arn,
            "JOB_TTL_DAYS": str(settings.storage.job_ttl_days),
            "SHARD_BYTES": str(settings.worker.shard_mib << 20),
        }
        intake = Intake(self, "Intake", bucket=storage.bucket, environment=submission, upkeep=upkeep)
        reconciliation = Reconciliation(
            self,
            "Reconciliation",
            settings=settings.reconcile,
            environment=submission,
            upkeep=upkeep,
        )
        tracking = Tracking(
            self,
            "Tracking",
            job_queue_arn=worker.queue.job_queue_arn,
            environment=where,
            upkeep=upkeep,
        )
        announcing = Announcing(
            self, "Announcing", table=storage.jobs, table_key=storage.key, environment=named, upkeep=upkeep
        )

        for role in (intake.role, reconciliation.role):
            storage.grant_claim(role)
            storage.grant_read_input(role)
            storage.grant_read_sidecars(role)
            worker.grant_submit(role)
        storage.grant_look_for_lost(reconciliation.role)
        for role in (tracking.role, reconciliation.role):
            storage.grant_finish(role)
        storage.grant_move(tracking.role)
        storage.grant_move(worker.role)
        storage.grant_read_input(worker.role)
        storage.grant_write_parts(worker.role)
        storage.grant_write_output(worker.role)
        invoked = [arn for endpoint in endpoints for arn in endpoint.invoked_arns]
        network.doors.let_score(bucket=storage.bucket, jobs=storage.jobs, models=invoked)
        monitoring = Monitoring(
            self,
            "Monitoring",
            settings=settings,
            storage=storage,
            endpoints=endpoints,
            functions={
                "submit": intake.function,
                "track": tracking.function,
                "reconcile": reconciliation.function,
                "announce": announcing.function,
            },
            rules=[intake.rule, tracking.rule, reconciliation.rule],
            worker_log_group=worker.log_group,
            dead_letters=dead_letters,
        )
        for endpoint in endpoints:
            endpoint.grant_invoke(worker.role)
            self.add_stack_dependency(Stack.of(endpoint))  # it is known by its name, which makes no dependency
        operators, env = storage.access.operators, settings.deploy.env
        Operating(
            self, "Operating", operators=operators, env=env, dead_letters=dead_letters
        )  # last: it covers them all

        CfnOutput(self, "JobQueueArn", value=worker.queue.job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=worker.job_definition.job_definition_arn)
        CfnOutput(self, "SubmitFunctionName", value=intake.function_name)
        CfnOutput(self, "ReconcileFunctionName", value=reconciliation.function_name)
        CfnOutput(self, "TrackFunctionName", value=tracking.function_name)
        CfnOutput(self, "AnnounceFunctionName", value=announcing.function.resource.function_name)
        CfnOutput(self, "DashboardName", value=monitoring.dashboard.dashboard_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)


def _models(endpoints: Sequence[Endpoint]) -> str:
    """What the runtime knows of each model."""
    return json.dumps({endpoint.model.name: _model(endpoint) for endpoint in endpoints})


def _model(endpoint: Endpoint) -> dict[str, str | int | None]:
    known: dict[str, str | int | None] = {
        "endpoint": endpoint.endpoint_name,
        "version": endpoint.version,
        "body_limit_bytes": endpoint.model.body_limit_bytes,
        "features": endpoint.model.features,
        "digest": endpoint.model.digest,
    }
    return known if endpoint.component_name is None else {**known, "component": endpoint.component_name}


def _routes(routes: Mapping[str, RouteSettings]) -> str:
    return json.dumps({name: route.spelled_out() for name, route in routes.items()})


def _check_room(routing: str) -> None:
    """Or the deployment would fail half-way. AWS Lambda measures an environment as JSON, each quote with its escape."""
    size = len(json.dumps(routing))
    if size > ROUTING_BYTES:
        raise SettingsError(
            f"dropscore.toml: models and routes together take {size} bytes of the {ROUTING_BYTES} that fit into a "
            "function's environment; name columns by number, or by `exclude` where that is shorter than `columns`"
        )
