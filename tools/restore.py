"""Brings rows back into the jobs table from another table: one that was restored to a point in time, or a copy.

    python -m tools.restore --from TABLE [--env prod] [--profile P] [--region R] [--local] [--dry-run]

Only rows that are missing are put; what is there stays as it is. It may be stopped and run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import BotoCoreError, ClientError

from dropscore.cli.deployment import deployment
from dropscore.cli.options import Target
from dropscore.cli.output import say, write
from dropscore.errors import DropscoreError

MISSING = Attr("job_id").not_exists()


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    target = Target(local=asked.local, profile=asked.profile, region=asked.region, env=asked.env)
    try:
        there = deployment(target)
        found, put = restore(there.table.resource, asked.source, dry_run=asked.dry_run)
    except DropscoreError as error:
        say(f"error: {error}")
        return 3
    except (ClientError, BotoCoreError) as error:
        say(f"error: AWS answered: {error}")
        return 4
    became = "and would be put" if asked.dry_run else "and are back"
    write(f"{found} rows in {asked.source}, of which {put} were missing {became}")
    return 0


def restore(jobs: Any, source: str, *, dry_run: bool = False) -> tuple[int, int]:
    """How many items `source` has, and how many of them `jobs`, a table of boto3's, lacked. Raises ClientError."""
    client, found, put = jobs.meta.client, 0, 0
    for item in _items(client, source):
        found += 1
        put += _is_missing(jobs, item) if dry_run else _put(jobs, item)
    return found, put


def _items(client: Any, table: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _is_missing(jobs: Any, item: dict[str, Any]) -> bool:
    return "Item" not in jobs.get_item(Key={"job_id": item["job_id"]}, ConsistentRead=True)


def _put(jobs: Any, item: dict[str, Any]) -> bool:
    try:
        jobs.put_item(Item=item, ConditionExpression=MISSING)
    except jobs.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="restore", description="Bring missing rows back into the jobs table.")
    parser.add_argument("--from", dest="source", required=True, metavar="TABLE", help="the table to take them from")
    parser.add_argument("--env", help="the deployment's name, `deploy.env`")
    parser.add_argument("--profile", help="of the AWS credentials")
    parser.add_argument("--region", help="of the deployment")
    parser.add_argument("--local", action="store_true", help="the embedded cloud that `dropscore local up` started")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
