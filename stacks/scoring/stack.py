"""Scoring: from a dropped file to its scores. Composition and grants only; can be deleted and made again at will."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.constructs.code import ImageMaker, worker_source
from stacks.constructs.delivery import dead_letter_queue
from stacks.constructs.function import Upkeep
from stacks.hosting.endpoint import Endpoint
from stacks.scoring.announce import Announcing
from stacks.scoring.environment import Environments
from stacks.scoring.feature_names import FeatureNames
from stacks.scoring.monitoring import Monitoring
from stacks.scoring.network import Network
from stacks.scoring.operators import Operating
from stacks.scoring.reconcile import Reconciliation
from stacks.scoring.submit import Intake
from stacks.scoring.track import Tracking
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
        environments = Environments(settings, storage, endpoints, self._names)
        self._dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.operations_key)
        self._upkeep = Upkeep(
            dead_letters=self._dead_letters, log_days=settings.monitoring.log_days, logs_key=storage.operations_key
        )
        self._make_workers(environments, images)
        self._make_functions(environments)
        self._grant_functions()
        self._grant_worker()
        self._watch()
        self._tell()

    def _make_workers(self, environments: Environments, images: ImageMaker) -> None:
        settings, upkeep = self._settings, self._upkeep
        self._network = Network(
            self,
            "Network",
            settings=settings.network,
            compute=settings.worker.compute,
            log_days=upkeep.log_days,
            logs_key=upkeep.logs_key,
        )
        self._worker = Worker(
            self,
            "Worker",
            image=images.make(self, "WorkerImage", worker_source(settings.worker.architecture)),
            network=self._network,
            settings=settings.worker,
            environment=environments.of_worker(),
            log_days=upkeep.log_days,
            logs_key=upkeep.logs_key,
        )

    def _make_functions(self, environments: Environments) -> None:
        storage, upkeep, submission = self._storage, self._upkeep, environments.of_submission(self._worker)
        self._intake = Intake(self, "Intake", bucket=storage.bucket, environment=submission, upkeep=upkeep)
        self._reconciliation = Reconciliation(
            self, "Reconciliation", settings=self._settings.reconcile, environment=submission, upkeep=upkeep
        )
        queue = self._worker.queue.job_queue_arn
        self._tracking = Tracking(self, "Tracking", job_queue_arn=queue, environment=environments.where, upkeep=upkeep)
        self._announcing = Announcing(
            self,
            "Announcing",
            table=storage.jobs,
            table_key=storage.key,
            environment=environments.named,
            upkeep=upkeep,
        )

    def _grant_functions(self) -> None:
        storage = self._storage
        for role in (self._intake.role, self._reconciliation.role):
            storage.grant_claim(role)
            # Only a submitter can ask Batch for an array, and the input's first bytes decide whether it can be cut.
            storage.grant_read_input(role)
            storage.grant_read_sidecars(role)
            self._names.grant_read(role)
            self._worker.grant_submit(role)
        storage.grant_look_for_lost(self._reconciliation.role)
        for role in (self._tracking.role, self._reconciliation.role):
            storage.grant_finish(role)
        storage.grant_move(self._tracking.role)

    def _grant_worker(self) -> None:
        storage, role = self._storage, self._worker.role
        storage.grant_move(role)
        storage.grant_read_input(role)
        storage.grant_write_parts(role)
        storage.grant_write_output(role)
        self._names.grant_read(role)
        invoked = [arn for endpoint in self._endpoints for arn in endpoint.invoked_arns]
        doors = self._network.doors
        doors.let_score(bucket=storage.bucket, jobs=storage.jobs, models=invoked, names=self._names.arns)
        for endpoint in self._endpoints:
            endpoint.grant_invoke(role)
            self.add_stack_dependency(Stack.of(endpoint))  # it is known by its name, which makes no dependency

    def _watch(self) -> None:
        self._monitoring = Monitoring(
            self,
            "Monitoring",
            settings=self._settings,
            storage=self._storage,
            endpoints=self._endpoints,
            functions={
                "submit": self._intake.function,
                "track": self._tracking.function,
                "reconcile": self._reconciliation.function,
                "announce": self._announcing.function,
            },
            rules=[self._intake.rule, self._tracking.rule, self._reconciliation.rule],
            worker_log_group=self._worker.log_group,
            dead_letters=self._dead_letters,
        )
        # Last: it covers all that the stack has by now.
        Operating(
            self,
            "Operating",
            operators=self._storage.access.operators,
            env=self._settings.deploy.env,
            functions=[
                function.resource
                for function in (
                    self._intake.function,
                    self._tracking.function,
                    self._announcing.function,
                    self._reconciliation.function,
                )
            ],
            dead_letters=self._dead_letters,
        )

    def _tell(self) -> None:
        """What the command line finds by the stack's name."""
        told = {
            "JobQueueArn": self._worker.queue.job_queue_arn,
            "JobDefinitionArn": self._worker.job_definition.job_definition_arn,
            "SubmitFunctionName": self._intake.function_name,
            "ReconcileFunctionName": self._reconciliation.function_name,
            "TrackFunctionName": self._tracking.function_name,
            "AnnounceFunctionName": self._announcing.function.resource.function_name,
            "DashboardName": self._monitoring.dashboard.dashboard_name,
            "DeadLetterQueueUrl": self._dead_letters.queue_url,
        }
        for name, value in told.items():
            CfnOutput(self, name, value=value)
