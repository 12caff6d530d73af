"""CloudFormation asks for an image, or a `CodeBuild Build State Change` (through EventBridge) → the stack goes on."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3

from dropscore.log import invocation
from lambdas.images.builder.builds import Builds


@cache
def _builds() -> Builds:
    return Builds(boto3.client("codebuild"), boto3.client("ecr"))


def handler(event: dict[str, Any], context: object) -> None:
    with invocation(context):
        if "RequestType" in event:
            _builds().begin(event)
        else:
            build_id = event["detail"]["build-id"].rpartition("/")[2]  # of its ARN, which is what the event has
            _builds().finish(build_id, event["detail"]["build-status"])
