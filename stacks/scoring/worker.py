"""The worker: the Batch job definition of a scoring job, its job role and its execution role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Aws, Duration, Fn, Size, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from schema import environment as names
from stacks.constructs.code import Image
from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import grant, service_principal
from stacks.constructs.log_group import log_group
from stacks.scoring.compute import Compute
from stacks.scoring.fleet import WORKER_USER
from stacks.scoring.network import Network
from stacks.scoring.vpc_endpoints import PULL
from stacks.settings.workers import WorkerSettings

TASKS = "ecs-tasks.amazonaws.com"
# The exit code of containers/worker/main.py for a permanent error.
PERMANENT_EXIT_CODE = "10"
CRASH_EXIT_CODE = "1"  # Python's exit code for an uncaught exception
OUT_OF_MEMORY = "OutOfMemory*"
TAGGING_REASON = "A job is tagged at submission, before it has an id; operators may terminate only jobs with this tag."
SCRATCH = Size.mebibytes(64)
ARCHITECTURES = {"x86_64": ecs.CpuArchitecture.X86_64, "arm64": ecs.CpuArchitecture.ARM64}


class Worker(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: Image,
        network: Network,
        settings: WorkerSettings,
        environment: Mapping[str, str],
        log_days: int,
        logs_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=service_principal(TASKS))
        self._execution_role = iam.Role(self, "ExecutionRole", assumed_by=service_principal(TASKS))
        self.queue = Compute(self, "Compute", network=network, settings=settings).queue
        self.log_group = log_group(self, "Logs", days=log_days, key=logs_key)
        container = self._container(image, settings, environment)
        network.vpc_endpoints.allow_start(repository=image.repository, log_group=self.log_group)
        # Not `grant_pull`: the image may come from an imported repository, of which only the ARN is available.
        grant(self._execution_role, PULL, image.repository.repository_arn)
        grant(self._execution_role, ["ecr:GetAuthorizationToken"], "*")
        accept_resource(
            self._execution_role,
            "*",
            "ecr:GetAuthorizationToken does not support resource ARNs; pulling is limited to one repository.",
        )
        self.job_definition = batch.EcsJobDefinition(
            self,
            "Score",
            container=container,
            parameters={"job_id": "none", "run": "1"},
            timeout=Duration.minutes(settings.timeout_minutes),
            retry_attempts=settings.attempts,
            retry_strategies=_retry_strategies(),
            propagate_tags=True,
        )

    def grant_submit(self, role: iam.Role) -> None:
        """Allow `role` to submit scoring jobs with any revision of the definition, to this queue only."""
        stack = Stack.of(self)
        name_and_revision = Fn.select(1, Fn.split("/", self.job_definition.job_definition_arn))
        name = Fn.select(0, Fn.split(":", name_and_revision))
        definition = stack.format_arn(service="batch", resource="job-definition", resource_name=f"{name}:*")
        grant(role, ["batch:SubmitJob"], self.queue.job_queue_arn, definition)
        jobs = stack.format_arn(service="batch", resource="job", resource_name="*")
        grant(role, ["batch:TagResource"], jobs)
        accept_resource(role, "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job/*", TAGGING_REASON)
        name_json = json.dumps(stack.resolve(name), separators=(",", ":"))
        accept_resource(
            role,
            f"arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job-definition/{name_json}:*",
            "All revisions of one job definition: a deployment creates a new one while jobs are being submitted.",
        )

    def _container(
        self, image: Image, settings: WorkerSettings, environment: Mapping[str, str]
    ) -> batch.EcsFargateContainerDefinition | batch.EcsEc2ContainerDefinition:
        common = {
            "image": ecs.ContainerImage.from_registry(image.uri),
            "cpu": settings.vcpus,
            "memory": Size.mebibytes(settings.memory_mib),
            "command": ["score", "--job-id", "Ref::job_id"],
            "environment": {**environment, names.WORKER_IMAGE: image.version},
            "job_role": self.role,
            "execution_role": self._execution_role,
            "logging": ecs.LogDriver.aws_logs(stream_prefix="score", log_group=self.log_group),
            "readonly_root_filesystem": True,
            "user": f"{WORKER_USER}:{WORKER_USER}",
        }
        return self._on_instances(settings, common) if settings.compute == "ec2" else self._on_fargate(settings, common)

    def _on_fargate(self, settings: WorkerSettings, common: dict[str, Any]) -> batch.EcsFargateContainerDefinition:
        return batch.EcsFargateContainerDefinition(
            self, "Container", **common, fargate_cpu_architecture=ARCHITECTURES[settings.architecture]
        )

    def _on_instances(self, settings: WorkerSettings, common: dict[str, Any]) -> batch.EcsEc2ContainerDefinition:
        """Add what Fargate does not support: a tmpfs and an init process. Batch cannot drop capabilities on either."""
        linux = batch.LinuxParameters(self, "Linux", init_process_enabled=True)
        options = [batch.TmpfsMountOption.NODEV, batch.TmpfsMountOption.NOEXEC, batch.TmpfsMountOption.NOSUID]
        linux.add_tmpfs(batch.Tmpfs(container_path="/tmp", size=SCRATCH, mount_options=options))  # noqa: S108
        # Fargate sets a task's region, the ECS agent of an instance does not.
        environment = {**common.pop("environment"), "AWS_DEFAULT_REGION": Aws.REGION}
        return batch.EcsEc2ContainerDefinition(
            self,
            "Container",
            **common,
            environment=environment,
            gpu=settings.gpus or None,
            linux_parameters=linux,
            privileged=False,
        )


def _retry_strategies() -> list[batch.RetryStrategy]:
    """Return the outcomes that a further attempt cannot fix. Batch accepts at most five strategies.

    Batch retries all other outcomes, up to the number of attempts: exit code 75, a reclaimed or lost host, a kill for a
    reason other than memory, an image that could not be pulled. Batch never retries a job that reached its timeout.
    """
    endings = [
        batch.Reason.custom(on_exit_code=CRASH_EXIT_CODE),
        batch.Reason.custom(on_exit_code=PERMANENT_EXIT_CODE),
        batch.Reason.custom(on_reason=OUT_OF_MEMORY),  # the container ran out of memory
        batch.Reason.custom(on_status_reason=OUT_OF_MEMORY),  # the task as a whole ran out of memory
    ]
    return [batch.RetryStrategy.of(batch.Action.EXIT, reason) for reason in endings]
