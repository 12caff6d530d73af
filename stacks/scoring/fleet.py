"""The EC2 instances that AWS Batch starts and terminates: their launch template and their permissions."""

from __future__ import annotations

import json
from typing import cast

from aws_cdk import Fn, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import grant
from stacks.scoring.network import Network
from stacks.settings.workers import WorkerSettings

WORKER_USER = 10001
"""The user ID in the worker's image."""
CLUSTER_ACTIONS = [
    "ecs:DeregisterContainerInstance",
    "ecs:RegisterContainerInstance",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
]
LONGEST_UPDATE_MINUTES = 7200
"""The longest time for which AWS Batch lets old instances finish their jobs; a job that it then ends is retried."""
INSTANCE_ACTIONS = ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:TagResource", "ecs:UpdateContainerInstancesState"]
UNSCOPED_ACTIONS = ["ecs:DiscoverPollEndpoint"]
# Batch runs jobs in the host's network, where the hop limit does not protect the instance's credentials: block the
# metadata service for the worker's user. With the override, the execution role writes logs, so the instance needs no
# permission to write them.
# A boothook runs at every boot, before the ECS agent starts, so it adds the override only if it is missing.
BOOT = f"""#cloud-boothook
#!/bin/sh
iptables -I OUTPUT -d 169.254.169.254 -m owner --uid-owner {WORKER_USER} -j REJECT
grep -q AWSLOGS /etc/ecs/ecs.config || echo ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true >> /etc/ecs/ecs.config
"""


class Fleet(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, network: Network, settings: WorkerSettings) -> None:
        super().__init__(scope, construct_id)
        self._network, self._settings = network, settings
        self._template = self._launch_template()
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        self._profile = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.role_name])
        grant(self.role, UNSCOPED_ACTIONS, "*")
        accept_resource(
            self.role, "*", "ecs:DiscoverPollEndpoint does not support resource ARNs; it returns only an address."
        )
        network.vpc_endpoints.allow_registration(UNSCOPED_ACTIONS, ["*"])

    def pool(self, name: str, *, spot: bool, max_vcpus: int) -> batch.CfnComputeEnvironment:
        """Return a pool of instances of all families, empty while no job waits. The L2 construct takes neither family
        names nor a launch template's version."""
        strategy = "SPOT_PRICE_CAPACITY_OPTIMIZED" if spot else "BEST_FIT_PROGRESSIVE"
        image = "ECS_AL2023_NVIDIA" if self._settings.gpus else "ECS_AL2023"
        resources = batch.CfnComputeEnvironment.ComputeResourcesProperty(
            type="SPOT" if spot else "EC2",
            allocation_strategy=strategy,
            minv_cpus=0,
            maxv_cpus=max_vcpus,
            instance_types=list(self._settings.families),
            instance_role=self._profile.attr_arn,
            ec2_configuration=[batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(image_type=image)],
            # Without the version, a changed template would never reach an instance (decision 0020).
            launch_template=batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
                launch_template_id=self._template.launch_template_id, version=self._template.latest_version_number
            ),
            security_group_ids=[self._network.worker_security_group.security_group_id],
            subnets=[subnet.subnet_id for subnet in self._network.private_subnets],
        )
        pool = batch.CfnComputeEnvironment(
            self,
            name,
            type="MANAGED",
            state="ENABLED",
            compute_resources=resources,
            # Update in place, so that the update policy below applies and running jobs may finish.
            replace_compute_environment=False,
            update_policy=batch.CfnComputeEnvironment.UpdatePolicyProperty(
                terminate_jobs_on_update=False,
                job_execution_timeout_minutes=min(self._settings.timeout_minutes, LONGEST_UPDATE_MINUTES),
            ),
        )
        self._grant_agent(pool)
        return pool

    def _launch_template(self) -> ec2.LaunchTemplate:
        user_data = ec2.MultipartUserData()
        boot = ec2.MultipartBody.from_raw_body(content_type='text/cloud-boothook; charset="us-ascii"', body=BOOT)
        user_data.add_part(boot)
        template = ec2.LaunchTemplate(
            self,
            "Launch",
            require_imdsv2=True,
            http_endpoint=True,
            http_put_response_hop_limit=1,
            detailed_monitoring=True,
            user_data=user_data,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(1, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3),
                )
            ],
        )
        resource = cast(ec2.CfnLaunchTemplate, template.node.default_child)
        # The size comes from the machine image, which Batch selects.
        resource.add_property_deletion_override("LaunchTemplateData.BlockDeviceMappings.0.Ebs.VolumeSize")
        return template

    def _grant_agent(self, pool: batch.CfnComputeEnvironment) -> None:
        """Allow the ECS agent to join only the pool's cluster, which Batch names `AWSBatch-<pool>-<uuid>`.

        The name comes from the pool's ARN, because CloudFormation uses only the logical id's first 24 characters.
        """
        stack = Stack.of(self)
        pool_name = Fn.select(1, Fn.split("/", pool.attr_compute_environment_arn))
        name_json = json.dumps(stack.resolve(pool_name), separators=(",", ":"))
        for actions, resource, suffix in (
            (CLUSTER_ACTIONS, "cluster", "-*"),
            (INSTANCE_ACTIONS, "container-instance", "-*/*"),
        ):
            arn = stack.format_arn(service="ecs", resource=resource, resource_name=f"AWSBatch-{pool_name}{suffix}")
            grant(self.role, actions, arn)
            self._network.vpc_endpoints.allow_registration(actions, [arn])
            accept_resource(
                self.role,
                f"arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:{resource}/AWSBatch-{name_json}{suffix}",
                "Batch names the cluster and its container instances; the names begin with the pool's name.",
            )
