"""The worker: a Batch queue on Fargate, spot first, and the definition of a scoring job."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Duration, Fn, RemovalPolicy, Size, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.grants import grant
from stacks.network import Network
from stacks.review import accept_resource
from stacks.settings.workers import WorkerSettings
from stacks.sources import worker_image

TRANSIENT_EXIT_CODE = "75"


class Worker(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        network: Network,
        settings: WorkerSettings,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        self.queue = self._queue(network, settings)
        container = self._container(settings, environment)
        accept_resource(
            container.execution_role,
            "*",
            "ecr:GetAuthorizationToken knows no resource; pulling itself is held to the one repository.",
        )
        self.job_definition = batch.EcsJobDefinition(
            self,
            "Score",
            container=container,
            parameters={"job_id": "none", "run": "1"},
            timeout=Duration.minutes(settings.timeout_minutes),
            retry_attempts=settings.attempts,
            retry_strategies=_retries(),
            propagate_tags=True,
        )

    def grant_submit(self, role: iam.Role) -> None:
        """Let `role` submit scoring jobs, under any revision of the definition, to this queue and no other."""
        stack = Stack.of(self)
        name_and_revision = Fn.select(1, Fn.split("/", self.job_definition.job_definition_arn))
        name = Fn.select(0, Fn.split(":", name_and_revision))
        definition = stack.format_arn(service="batch", resource="job-definition", resource_name=f"{name}:*")
        grant(role, ["batch:SubmitJob"], self.queue.job_queue_arn, definition)
        written = json.dumps(stack.resolve(name), separators=(",", ":"))
        accept_resource(
            role,
            f"arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job-definition/{written}:*",
            "Every revision of one job definition: a deployment makes a new one while submissions are under way.",
        )

    def _queue(self, network: Network, settings: WorkerSettings) -> batch.JobQueue:
        queue = batch.JobQueue(self, "Queue")
        for order, (name, max_vcpus) in enumerate(_pools(settings).items(), start=1):
            pool = batch.FargateComputeEnvironment(
                self,
                name,
                vpc=network.vpc,
                security_groups=[network.worker_security_group],
                spot=name == "Spot",
                maxv_cpus=max_vcpus,
            )
            queue.add_compute_environment(pool, order)
        return queue

    def _container(
        self, settings: WorkerSettings, environment: Mapping[str, str]
    ) -> batch.EcsFargateContainerDefinition:
        image = worker_image(self, "Image")
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        return batch.EcsFargateContainerDefinition(
            self,
            "Container",
            image=ecs.ContainerImage.from_docker_image_asset(image),
            cpu=settings.vcpus,
            memory=Size.mebibytes(settings.memory_mib),
            command=["score", "--job-id", "Ref::job_id"],
            environment={**environment, "WORKER_IMAGE": image.asset_hash},
            job_role=self.role,
            logging=ecs.LogDriver.aws_logs(stream_prefix="score", log_group=log_group),
            readonly_root_filesystem=True,
        )


def _pools(settings: WorkerSettings) -> dict[str, int]:
    """vCPUs by pool, in the order in which they fill up: a quarter, and at least one worker, never waits for spot."""
    on_demand = max(-(-settings.max_vcpus // 4), -int(-settings.vcpus // 1))
    return {"Spot": settings.max_vcpus - on_demand, "OnDemand": on_demand}


def _retries() -> list[batch.RetryStrategy]:
    """Retry what another attempt may cure. Batch retries what matches nothing, so the last line matches all."""
    transient = [
        batch.Reason.custom(on_status_reason="Your Spot Task was interrupted*"),
        batch.Reason.custom(on_status_reason="Host EC2*"),
        batch.Reason.custom(on_exit_code=TRANSIENT_EXIT_CODE),
        batch.Reason.custom(on_reason="CannotPull*"),
    ]
    retries = [batch.RetryStrategy.of(batch.Action.RETRY, reason) for reason in transient]
    return [*retries, batch.RetryStrategy.of(batch.Action.EXIT, batch.Reason.custom(on_reason="*"))]
