"""Handles CloudFormation's requests for images, and `CodeBuild Build State Change` events from EventBridge."""

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
            build_id = event["detail"]["build-id"].rpartition("/")[2]  # the event holds the build's ARN
            _builds().finish(build_id, event["detail"]["build-status"])
