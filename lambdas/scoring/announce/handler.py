"""The jobs table's stream, or a dead letter of records that were not announced → events on the default bus."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.stream import failed_records
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
            return _announce_again(event["DDBStreamBatchInfo"])
        first_failed = _announcer().announce(event["Records"])
        return {"batchItemFailures": [{"itemIdentifier": first_failed}] if first_failed else []}


def _announce_again(batch: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    # This invocation is asynchronous: Lambda repeats it only after an error, and ignores `batchItemFailures`.
    if _announcer().announce(failed_records(boto3.client("dynamodbstreams"), batch)):
        raise CloudError("EventBridge rejected some events; they are retried, then kept as a dead letter")
    return {"batchItemFailures": []}
