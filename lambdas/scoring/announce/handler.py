"""The jobs table's stream, or a dead letter that tells of records left behind → events on the default bus."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.stream import left_behind
from dropscore.errors import CloudError
from dropscore.events.announce import Announcer
from dropscore.log import invocation
from dropscore.settings import AnnounceSettings


@cache
def _announcer() -> Announcer:
    settings = AnnounceSettings.from_env(os.environ)
    return Announcer(events=boto3.client("events"), environment=settings.environment, bucket=settings.bucket)


def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    with invocation(context):
        if "DDBStreamBatchInfo" in event:
            return _again(event["DDBStreamBatchInfo"])
        left = _announcer().announce(event["Records"])
        return {"batchItemFailures": [{"itemIdentifier": left}] if left else []}


def _again(where: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    if _announcer().announce(left_behind(boto3.client("dynamodbstreams"), where)):
        raise CloudError("EventBridge did not take all events; they are tried again, and then kept as a dead letter")
    return {"batchItemFailures": []}
