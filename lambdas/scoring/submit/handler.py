"""S3 `Object Created` (through EventBridge), or `dropscore retry` → a claimed job in AWS Batch."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.table import JobsTable
from dropscore.errors import JobError
from dropscore.events.submit import RetryRequest, Submitter, Upload
from dropscore.log import invocation
from dropscore.settings import SubmitSettings


@cache
def _submitter() -> Submitter:
    settings = SubmitSettings.from_env(os.environ)
    table = JobsTable(boto3.resource("dynamodb").Table(settings.jobs_table))
    return Submitter(settings, table, boto3.client("batch"), boto3.client("s3"))


def handler(event: dict[str, Any], context: object) -> dict[str, str | None]:
    with invocation(context):
        if "retry" in event:
            return _retry(event["retry"])
        return {"job_id": _submitter().submit(Upload.from_event(event))}


def _retry(order: dict[str, Any]) -> dict[str, str | None]:
    try:
        return {"job_id": _submitter().retry(Upload(**order["upload"]), RetryRequest(**order["request"]))}
    # A refusal is a reply for the person who ran `dropscore retry`, not a failure of the function.
    except JobError as error:
        return {"code": error.code, "message": error.message}
