"""`dropscore restore`: copies missing rows into the jobs table from another table, such as a restored backup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from boto3.dynamodb.conditions import Attr

from dropscore.cli.deployment import connect
from dropscore.cli.options import Env, Local, Profile, Region, target
from dropscore.cli.output import write
from dropscore.errors import ConfigurationError

MISSING = Attr("job_id").not_exists()

From = Annotated[str, typer.Option("--from", metavar="TABLE", help="The DynamoDB table to copy rows from.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count the missing rows without writing them.")]


def restore(
    context: typer.Context,
    source: From,
    dry_run: DryRun = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Copy missing rows into the jobs table from another table.

    Existing rows do not change. You can stop the command and run it again.
    """
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    jobs = deployment.table.resource
    try:
        read, missing = restore_rows(jobs, source, dry_run=dry_run)
    except jobs.meta.client.exceptions.ResourceNotFoundException:
        raise ConfigurationError(f"there is no table {source}; name the table to copy rows from with --from") from None
    write(f"{source}: {read} rows read, {missing} missing rows {'found (dry run)' if dry_run else 'restored'}")


def restore_rows(jobs: Any, source: str, *, dry_run: bool = False) -> tuple[int, int]:
    """Copy the items of the table `source` that `jobs`, a boto3 Table, lacks; with `dry_run`, only count them.

    Returns the number of items read and the number that were missing. Raises ClientError.
    """
    client, read, missing = jobs.meta.client, 0, 0
    for item in _items(client, source):
        read += 1
        missing += _is_missing(jobs, item) if dry_run else _put(jobs, item)
    return read, missing


def _items(client: Any, table: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _is_missing(jobs: Any, item: dict[str, Any]) -> bool:
    return "Item" not in jobs.get_item(Key={"job_id": item["job_id"]}, ConsistentRead=True)


def _put(jobs: Any, item: dict[str, Any]) -> bool:
    # Conditional, because jobs start and end while the command runs, and a live row is newer than a restored one.
    try:
        jobs.put_item(Item=item, ConditionExpression=MISSING)
    except jobs.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True
