"""A part is found only by whoever would write the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dropscore.jobs.job import Job, State
from dropscore.output.parts import Part, Parts
from tests.unit.dropscore.conftest import BUCKET, Account

JOB = Job(
    job_id="0123456789abcdef0123456789abcdef",
    file="input/a.csv",
    version_id="v",
    route="default",
    model="fraud",
    model_version="aaaa",
    status=State.RUNNING,
    submitted_at="2026-11-21T01:40:19.123Z",
    output_key="output/a.csv",
    size_bytes=690,
    shards=7,
    shard_bytes=100,
)
PART = Part(
    index=3,
    start=302,
    end=402,
    rows=25,
    lines=25,
    empty=0,
    bad=0,
    columns=1,
    model_version="aaaa",
    scores="parts/x",
    bytes=150,
    sha256="s",
    input_sha256="i",
)


@pytest.fixture
def parts(account: Account) -> Parts:
    made = Parts(s3=account.s3, bucket=BUCKET, job=JOB)
    made.put(PART)
    return made


def test_a_part_is_found_by_its_model_version_its_shard_and_its_first_byte(parts: Parts) -> None:
    assert parts.find("aaaa", 3, 302) == PART
    assert parts.by_version() == {"aaaa": {(3, 302): PART}}


@pytest.mark.parametrize(("version", "index", "start"), [("bbbb", 3, 302), ("aaaa", 2, 302), ("aaaa", 3, 306)])
def test_a_part_by_another_model_or_of_other_rows_is_not_found(
    parts: Parts, version: str, index: int, start: int
) -> None:
    assert parts.find(version, index, start) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": "f" * 32},
        {"model": "claims"},
        {"shards": 6},
        {"shard_bytes": 101},
        {"options": '{"header": true}'},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_part_under_another_plan_is_not_found(parts: Parts, changes: dict[str, Any]) -> None:
    other = replace(parts, job=replace(JOB, **changes))
    assert other.find("aaaa", 3, 302) is None
    assert other.by_version() == {}


def test_a_part_by_other_names_is_not_found(parts: Parts) -> None:
    by_name = replace(parts, names="0123456789ab")
    assert by_name.find("aaaa", 3, 302) is None
    assert by_name.by_version() == {}
    by_name.put(PART)
    assert by_name.find("aaaa", 3, 302) == PART
    assert replace(parts, names="ba9876543210").by_version() == {}


def test_the_part_that_was_put_first_counts(parts: Parts) -> None:
    assert parts.put(replace(PART, scores="parts/y")) == PART
    assert parts.find("aaaa", 3, 302) == PART
