"""S3 `Object Created` (through EventBridge) → a claimed job in AWS Batch."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.table import JobsTable
from dropscore.intake import Intake, Upload
from dropscore.runtime import SubmitSettings


@cache
def _intake() -> Intake:
    settings = SubmitSettings.from_env(os.environ)
    table = JobsTable(boto3.resource("dynamodb").Table(settings.jobs_table))
    return Intake(settings, table, boto3.client("batch"))


def handler(event: dict[str, Any], _context: object) -> dict[str, str | None]:
    return {"job_id": _intake().take(Upload.from_event(event))}
