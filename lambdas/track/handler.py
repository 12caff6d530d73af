"""`Batch Job State Change` (through EventBridge) → the job's state."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3

from dropscore.aws.table import JobsTable
from dropscore.runtime import TrackSettings
from dropscore.tracking import BatchChange, track


@cache
def _table() -> JobsTable:
    return JobsTable(boto3.resource("dynamodb").Table(TrackSettings.from_env(os.environ).jobs_table))


def handler(event: dict[str, Any], _context: object) -> None:
    track(BatchChange.from_event(event), _table())
