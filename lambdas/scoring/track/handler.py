"""`Batch Job State Change` (through EventBridge) → the job's status."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.table import JobsTable
from dropscore.events.track import BatchChange, track
from dropscore.jobs.job import Job
from dropscore.log import invocation
from dropscore.output.manifest import Manifest
from dropscore.output.publish import Publication
from dropscore.settings import TrackSettings


@cache
def _settings() -> TrackSettings:
    return TrackSettings.from_env(os.environ)


@cache
def _table() -> JobsTable:
    return JobsTable(boto3.resource("dynamodb").Table(_settings().jobs_table))


def _finish(job: Job) -> Manifest | None:
    return Publication.of(boto3.client("s3"), _settings().bucket, job).finish()


def handler(event: dict[str, Any], context: object) -> None:
    with invocation(context):
        track(BatchChange.from_event(event), _table(), _finish)
