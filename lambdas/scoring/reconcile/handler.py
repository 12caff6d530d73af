"""A schedule → starts and ends the jobs whose events were lost."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache

import boto3

from dropscore.aws.table import JobsTable
from dropscore.events.reconcile import Reconciliation
from dropscore.events.submit import Submitter
from dropscore.log import invocation
from dropscore.settings import ReconcileSettings, SubmitSettings


@cache
def _reconciliation() -> Reconciliation:
    settings = SubmitSettings.from_env(os.environ)
    table = JobsTable(boto3.resource("dynamodb").Table(settings.jobs_table))
    batch, s3 = boto3.client("batch"), boto3.client("s3")
    return Reconciliation(
        settings=ReconcileSettings.from_env(os.environ),
        table=table,
        s3=s3,
        batch=batch,
        submitter=Submitter(settings, table, batch, s3),
    )


def handler(_event: object, context: object) -> dict[str, int]:
    with invocation(context):
        return _reconciliation().run(datetime.now(UTC))
