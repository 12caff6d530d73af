"""The job queue and its compute environments (pools): spot first, then on-demand."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk.interfaces.aws_batch import IComputeEnvironmentRef
from constructs import Construct

from stacks.scoring.fleet import Fleet
from stacks.scoring.network import Network
from stacks.settings.workers import WorkerSettings

MISCONFIGURED_MINUTES = 30
Reason = batch.JobStateTimeLimitActionsReason


class Compute(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, network: Network, settings: WorkerSettings) -> None:
        super().__init__(scope, construct_id)
        # A Batch queue cannot mix Fargate with EC2, nor two architectures: each combination has its own queue.
        self.title = _title(settings)
        # Priorities need a fair-share policy, which cannot be added to an existing queue (decision 0021).
        self.queue = batch.JobQueue(
            self,
            f"{self.title}Queue",
            scheduling_policy=batch.FairshareSchedulingPolicy(self, f"{self.title}Order"),
            job_state_time_limit_actions=_time_limits(settings),
        )
        make = self._instances if settings.compute == "ec2" else self._fargate
        for order, pool in enumerate(make(network, settings), start=1):
            self.queue.add_compute_environment(pool, order)

    def _fargate(self, network: Network, settings: WorkerSettings) -> list[IComputeEnvironmentRef]:
        return [
            batch.FargateComputeEnvironment(
                self,
                f"{self.title}{name}",
                vpc=network.vpc,
                vpc_subnets=ec2.SubnetSelection(subnets=network.private_subnets),
                security_groups=[network.worker_security_group],
                spot=name == "Spot",
                maxv_cpus=max_vcpus,
            )
            for name, max_vcpus in pools(settings).items()
        ]

    def _instances(self, network: Network, settings: WorkerSettings) -> list[IComputeEnvironmentRef]:
        fleet = Fleet(self, "Fleet", network=network, settings=settings)
        return [
            fleet.pool(f"{self.title}{name}", spot=name == "Spot", max_vcpus=max_vcpus)
            for name, max_vcpus in pools(settings).items()
        ]


def pools(settings: WorkerSettings) -> dict[str, int]:
    """Return the vCPUs by pool, in the order in which they fill. A quarter, and at least one worker, is on-demand."""
    # Batch limits each pool, not the queue: with `max_vcpus` on both, twice as many workers could reach the endpoint.
    on_demand = max(-(-settings.max_vcpus // 4), -int(-settings.vcpus // 1))
    return {"Spot": settings.max_vcpus - on_demand, "OnDemand": on_demand}


def _title(settings: WorkerSettings) -> str:
    """Fargate pools run both architectures, so they need no title for each."""
    if settings.compute == "fargate":
        return "Fargate"
    return "Ec2Arm" if settings.architecture == "arm64" else "Ec2"


def _time_limits(settings: WorkerSettings) -> list[batch.JobStateTimeLimitAction]:
    """Cancel a job at the head of the queue that cannot start, because it blocks all others."""
    # Waiting behind other jobs is not one of the reasons, so a long queue cancels no jobs.
    minutes = {
        Reason.INSUFFICIENT_INSTANCE_CAPACITY: settings.queue_timeout_minutes,
        Reason.COMPUTE_ENVIRONMENT_MAX_RESOURCE: MISCONFIGURED_MINUTES,
        Reason.JOB_RESOURCE_REQUIREMENT: MISCONFIGURED_MINUTES,
    }
    return [
        batch.JobStateTimeLimitAction(
            action=batch.JobStateTimeLimitActionsAction.CANCEL,
            state=batch.JobStateTimeLimitActionsState.RUNNABLE,
            reason=reason,
            max_time=Duration.minutes(limit),
        )
        for reason, limit in minutes.items()
    ]
