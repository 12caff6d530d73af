"""Checks of a deployment that need an AWS account: the embedded cloud does not have these services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.settings.container import read_uri
from tools.manifests import DOCKER_MANIFEST, by_uri, manifest_type
from tools.smoke.checks import Check
from tools.smoke.run import UnmetError, expect

LOGS = ("/aws/sagemaker/Endpoints", "/aws/sagemaker/InferenceComponents")


class Account:
    """The deployment `env` in the account and region of `session`, a boto3.Session."""

    def __init__(self, session: Any, env: str) -> None:
        self._session, self._prefix = session, f"dropscore-{env}"

    def checks(self) -> tuple[Check, ...]:
        return (
            Check("each model is in service, from an image with a Docker manifest", (), lambda _: self.models_serve()),
            Check("model logs expire and use our key", (), lambda _: self.logs_are_ours()),
            Check(
                "VPC endpoints are in every zone of the workers", (), lambda _: self.vpc_endpoints_are_in_every_zone()
            ),
        )

    def models_serve(self) -> None:
        sagemaker, ecr = self._session.client("sagemaker"), self._session.client("ecr")
        for name in self._endpoint_names():
            endpoint = sagemaker.describe_endpoint(EndpointName=name)
            expect(endpoint["EndpointStatus"] == "InService", f"endpoint {name} is {endpoint['EndpointStatus']}")
            images = list(_images(sagemaker, name, endpoint))
            expect(bool(images), f"SageMaker names no image of endpoint {name}")
            for uri in images:
                found = manifest_type(ecr, by_uri(read_uri(uri)))
                expect(found == DOCKER_MANIFEST, f"the manifest of {uri} is {found}")

    def logs_are_ours(self) -> None:
        """SageMaker creates a group itself if ours was deleted, for example while a model is removed."""
        pages = self._session.client("logs").get_paginator("describe_log_groups")
        for prefix in LOGS:
            for page in pages.paginate(logGroupNamePrefix=f"{prefix}/{self._prefix}-"):
                for group in page["logGroups"]:
                    if not {"kmsKeyId", "retentionInDays"} <= group.keys():
                        name = group["logGroupName"]
                        raise UnmetError(
                            f"{name} has no retention or key: SageMaker created it. If its model was removed, run "
                            f"`aws logs delete-log-group --log-group-name {name}`"
                        )

    def vpc_endpoints_are_in_every_zone(self) -> None:
        found = list(self._resources("scoring"))
        subnets = {
            item["PhysicalResourceId"]
            for item in found
            if "PrivateSubnet" in item["LogicalResourceId"] and item["ResourceType"] == "AWS::EC2::Subnet"
        }
        endpoint_ids = [item["PhysicalResourceId"] for item in found if item["ResourceType"] == "AWS::EC2::VPCEndpoint"]
        for endpoint in self._session.client("ec2").describe_vpc_endpoints(VpcEndpointIds=endpoint_ids)["VpcEndpoints"]:
            expect(endpoint["State"].lower() == "available", f"{endpoint['ServiceName']} is {endpoint['State']}")
            if endpoint["VpcEndpointType"] == "Interface":
                expect(
                    set(endpoint["SubnetIds"]) == subnets,
                    f"{endpoint['ServiceName']} is not in every zone of the workers",
                )

    def _endpoint_names(self) -> list[str]:
        stacks = self._session.client("cloudformation").describe_stacks(StackName=f"{self._prefix}-hosting")["Stacks"]
        outputs = stacks[0].get("Outputs", [])
        return [item["OutputValue"] for item in outputs if item["OutputKey"].startswith("EndpointName")]

    def _resources(self, stack: str) -> Iterator[dict[str, Any]]:
        pages = self._session.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=f"{self._prefix}-{stack}"):
            yield from page["StackResourceSummaries"]


def _images(sagemaker: Any, name: str, endpoint: dict[str, Any]) -> Iterator[str]:
    """The images of the endpoint's variants, or of its inference component, which has the endpoint's name."""
    deployed = [image for item in endpoint.get("ProductionVariants", []) for image in item.get("DeployedImages", [])]
    if not deployed:
        component = sagemaker.describe_inference_component(InferenceComponentName=name)
        deployed = [component["Specification"]["Container"]["DeployedImage"]]
    for image in deployed:
        yield image["SpecifiedImage"]
