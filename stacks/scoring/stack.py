"""Scoring: from an uploaded input to its scores. It holds no data: you can delete and deploy it again at any time."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.constructs.code import ImageMaker, worker_source
from stacks.constructs.delivery import dead_letter_queue
from stacks.constructs.function import Operations
from stacks.hosting.endpoint import Endpoint
from stacks.scoring.environment import Environments
from stacks.scoring.feature_names import FeatureNames
from stacks.scoring.functions.announce import Announce
from stacks.scoring.functions.reconcile import Reconcile
from stacks.scoring.functions.submit import Submit
from stacks.scoring.functions.track import Track
from stacks.scoring.monitoring.monitoring import Monitoring
from stacks.scoring.network import Network
from stacks.scoring.operators import Operators
from stacks.scoring.worker import Worker
from stacks.settings import Settings
from stacks.storage.stack import Storage


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
        self._settings, self._storage, self._endpoints = settings, storage, endpoints
        self._names = FeatureNames(self, "FeatureNames", models=settings.models)
        environments = Environments(
            env=settings.deploy.env,
            worker=settings.worker,
            job_ttl_days=settings.storage.job_ttl_days,
            routes=settings.routes,
            input_patterns=settings.inputs.names,
            storage=storage,
            endpoints=endpoints,
            names=self._names,
        )
        self._dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.operations_key)
        self._operations = Operations(
            dead_letters=self._dead_letters, log_days=settings.monitoring.log_days, logs_key=storage.operations_key
        )
        self._make_workers(environments, images)
        self._make_functions(environments)
        self._grant_functions()
        self._grant_worker()
        self._add_monitoring()
        self._add_outputs()

    def _make_workers(self, environments: Environments, images: ImageMaker) -> None:
        settings, operations = self._settings, self._operations
        self._network = Network(
            self,
            "Network",
            settings=settings.network,
            compute=settings.worker.compute,
            log_days=operations.log_days,
            logs_key=operations.logs_key,
        )
        self._worker = Worker(
            self,
            "Worker",
            image=images.make(self, "WorkerImage", worker_source(settings.worker.architecture)),
            network=self._network,
            settings=settings.worker,
            environment=environments.for_worker(),
            log_days=operations.log_days,
            logs_key=operations.logs_key,
        )

    def _make_functions(self, environments: Environments) -> None:
        storage, operations, submission = self._storage, self._operations, environments.for_submission(self._worker)
        self._submit = Submit(self, "Intake", bucket=storage.bucket, environment=submission, operations=operations)
        self._reconcile = Reconcile(
            self, "Reconciliation", settings=self._settings.reconcile, environment=submission, operations=operations
        )
        queue = self._worker.queue.job_queue_arn
        self._track = Track(
            self, "Tracking", job_queue_arn=queue, environment=environments.storage_names, operations=operations
        )
        self._announce = Announce(
            self,
            "Announcing",
            table=storage.jobs,
            table_key=storage.key,
            environment=environments.deployment_names,
            operations=operations,
        )

    def _grant_functions(self) -> None:
        storage = self._storage
        for role in (self._submit.role, self._reconcile.role):
            storage.grant_claim(role)
            # Array jobs are sized at submission, and the first bytes of an input decide whether it can be sharded.
            storage.grant_read_input(role)
            storage.grant_read_job_options(role)
            self._names.grant_read(role)
            self._worker.grant_submit(role)
        storage.grant_find_lost_jobs(self._reconcile.role)
        for role in (self._track.role, self._reconcile.role):
            storage.grant_finish_jobs(role)
        # `reconcile` may do this already: `grant_claim` includes it.
        storage.grant_update_jobs(self._track.role)

    def _grant_worker(self) -> None:
        storage, role = self._storage, self._worker.role
        storage.grant_update_jobs(role)
        storage.grant_read_input(role)
        storage.grant_write_parts(role)
        storage.grant_write_output(role)
        self._names.grant_read(role)
        invoked = [arn for endpoint in self._endpoints for arn in endpoint.invoked_arns]
        vpc_endpoints = self._network.vpc_endpoints
        vpc_endpoints.allow_scoring(bucket=storage.bucket, jobs=storage.jobs, models=invoked, names=self._names.arns)
        for endpoint in self._endpoints:
            endpoint.grant_invoke(role)
            self.add_stack_dependency(Stack.of(endpoint))  # the endpoint is used by name, which adds no dependency

    def _add_monitoring(self) -> None:
        self._monitoring = Monitoring(
            self,
            "Monitoring",
            env=self._settings.deploy.env,
            stuck_minutes=self._settings.monitoring.stuck_minutes,
            look_minutes=self._settings.reconcile.every_minutes,
            storage=self._storage,
            endpoints=self._endpoints,
            functions={
                "submit": self._submit.function,
                "track": self._track.function,
                "reconcile": self._reconcile.function,
                "announce": self._announce.function,
            },
            rules=[self._submit.rule, self._track.rule, self._reconcile.rule],
            worker_log_group=self._worker.log_group,
            dead_letters=self._dead_letters,
        )
        # Last: it covers the log groups and dashboards that the stack has at this moment.
        Operators(
            self,
            "Operating",
            operators=self._storage.access.operators,
            env=self._settings.deploy.env,
            functions=[
                function.resource
                for function in (
                    self._submit.function,
                    self._track.function,
                    self._announce.function,
                    self._reconcile.function,
                )
            ],
            dead_letters=self._dead_letters,
        )

    def _add_outputs(self) -> None:
        """The command line finds these outputs by the stack's name."""
        outputs = {
            "JobQueueArn": self._worker.queue.job_queue_arn,
            "JobDefinitionArn": self._worker.job_definition.job_definition_arn,
            "SubmitFunctionName": self._submit.function_name,
            "ReconcileFunctionName": self._reconcile.function_name,
            "TrackFunctionName": self._track.function_name,
            "AnnounceFunctionName": self._announce.function.resource.function_name,
            "DashboardName": self._monitoring.dashboard.dashboard_name,
            "DeadLetterQueueUrl": self._dead_letters.queue_url,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
