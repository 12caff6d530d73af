"""`dropscore restore` over real tables (moto)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from dropscore.cli import restore as cli_restore
from dropscore.cli.main import main
from dropscore.cli.restore import restore_rows


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
    assert restore_rows(live, "restored") == (2, 1)
    assert _rows(live) == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "FAILED"}
    assert restore_rows(live, "restored") == (2, 0)


def test_a_dry_run_only_counts(tables: Any) -> None:
    _table(tables, "restored", {"a": "RUNNING", "b": "SUCCEEDED"})
    live = _table(tables, "live", {"a": "SUCCEEDED"})
    assert restore_rows(live, "restored", dry_run=True) == (2, 1)
    assert _rows(live) == {"a": "SUCCEEDED"}


def test_tables_of_many_pages_come_back_whole(tables: Any) -> None:
    long = "x" * 10_000  # a scan's page is a megabyte
    _table(tables, "restored", {f"{number:04}": long for number in range(150)})
    live = _table(tables, "live", {})
    assert len(_rows(tables.Table("restored"))) < 150
    assert restore_rows(live, "restored") == (150, 150)
    assert restore_rows(live, "restored") == (150, 0)


def _command(
    tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    table = SimpleNamespace(resource=tables.Table("live"))
    monkeypatch.setattr(cli_restore, "connect", lambda _: SimpleNamespace(table=table))
    monkeypatch.setattr(sys, "argv", ["dropscore", "restore", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def test_the_command_prints_what_it_restored(
    tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _table(tables, "restored", {"a": "RUNNING", "b": "SUCCEEDED"})
    live = _table(tables, "live", {"a": "SUCCEEDED"})
    code, out, _ = _command(tables, monkeypatch, capsys, "--from", "restored", "--dry-run")
    assert (code, out) == (0, "restored: 2 rows read, 1 missing rows found (dry run)\n")
    assert _rows(live) == {"a": "SUCCEEDED"}
    code, out, _ = _command(tables, monkeypatch, capsys, "--from", "restored")
    assert (code, out) == (0, "restored: 2 rows read, 1 missing rows restored\n")
    assert _rows(live) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


def test_a_missing_table_is_a_configuration_error(
    tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _table(tables, "live", {})
    code, out, err = _command(tables, monkeypatch, capsys, "--from", "nothing")
    assert (code, out) == (3, "")
    assert err.startswith("error: there is no table nothing;")


def test_the_command_needs_a_table_to_copy_from(
    tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _command(tables, monkeypatch, capsys)
    assert code == 2
    assert "--from" in err
