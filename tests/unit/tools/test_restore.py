from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tools.restore import restore


@pytest.fixture
def tables() -> Iterator[Any]:
    with mock_aws():
        yield boto3.resource("dynamodb", region_name="us-east-1")


def _table(tables: Any, name: str, rows: dict[str, str]) -> Any:
    table = tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for job_id, status in rows.items():
        table.put_item(Item={"job_id": job_id, "status": status})
    return table


def _rows(table: Any) -> dict[str, str]:
    return {item["job_id"]: item["status"] for item in table.scan()["Items"]}


def test_missing_rows_come_back_and_present_ones_stay(tables: Any) -> None:
    _table(tables, "restored", {"a": "RUNNING", "b": "SUCCEEDED"})
    live = _table(tables, "live", {"a": "SUCCEEDED", "c": "FAILED"})
    assert restore(live, "restored") == (2, 1)
    assert _rows(live) == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "FAILED"}
    assert restore(live, "restored") == (2, 0)


def test_a_dry_run_only_counts(tables: Any) -> None:
    _table(tables, "restored", {"a": "RUNNING", "b": "SUCCEEDED"})
    live = _table(tables, "live", {"a": "SUCCEEDED"})
    assert restore(live, "restored", dry_run=True) == (2, 1)
    assert _rows(live) == {"a": "SUCCEEDED"}


def test_tables_of_many_pages_come_back_whole(tables: Any) -> None:
    long = "x" * 10_000  # a scan's page is a megabyte
    _table(tables, "restored", {f"{number:04}": long for number in range(150)})
    live = _table(tables, "live", {})
    assert len(_rows(tables.Table("restored"))) < 150
    assert restore(live, "restored") == (150, 150)
    assert restore(live, "restored") == (150, 0)
