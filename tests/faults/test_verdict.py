"""Tests of the verdict: each promise, broken on purpose after a good run, must be reported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.case import Case, broken
from tests.faults.cloud import BUCKET, TABLE
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import reset
from tests.faults.upload import CANARY, Upload, rows
from tests.faults.verdict import end_of, item_of, violations


@pytest.fixture
def scored(lab: Laboratory) -> Upload:
    upload = lab.score(lab.put(rows(7)))
    assert (end_of(lab, upload), violations(lab, upload)) == ("SUCCEEDED", [])
    return upload


def _republish(lab: Laboratory, upload: Upload, data: bytes) -> None:
    """Replaces the output with another object."""
    item = item_of(lab, upload)
    where: Any = {"Bucket": BUCKET, "Key": item["output_key"]}
    with lab.cloud.lock:
        version = lab.cloud.s3.head_object(**where)["VersionId"]
        lab.cloud.s3.delete_object(**where, VersionId=version)
        lab.cloud.s3.put_object(**where, Body=data, Metadata={"job-id": item["job_id"]})


def _write(lab: Laboratory, upload: Upload, **changes: Any) -> None:
    lab.cloud.table.put_item(Item={**item_of(lab, upload), **changes})


@pytest.mark.parametrize(
    "change", [lambda lines: lines[:-1], lambda lines: [*lines, lines[-1]], lambda lines: lines[::-1]]
)
def test_rows_lost_doubled_or_moved_are_seen(lab: Laboratory, scored: Upload, change: Any) -> None:
    output = lab.cloud.outputs()[item_of(lab, scored)["output_key"]][0][1]
    _republish(lab, scored, b"".join(change(output.splitlines(keepends=True))))
    assert any("the output is wrong" in found for found in violations(lab, scored))


def test_a_second_version_is_seen(lab: Laboratory, scored: Upload) -> None:
    key = item_of(lab, scored)["output_key"]
    lab.cloud.put(key, lab.cloud.outputs()[key][0][1])
    assert any("has 2 versions" in found for found in violations(lab, scored))


def test_an_output_of_a_failed_job_is_seen(lab: Laboratory, scored: Upload) -> None:
    _write(lab, scored, status="FAILED")
    assert any(found.startswith("FAILED, and there is output/") for found in violations(lab, scored))


def test_a_missing_output_is_seen(lab: Laboratory, scored: Upload) -> None:
    _write(lab, scored, output_key="output/elsewhere.csv")
    assert "SUCCEEDED without an output" in violations(lab, scored)


def test_a_part_of_the_output_that_was_there_for_a_moment_is_seen(lab: Laboratory, scored: Upload) -> None:
    whole = lab.cloud.outputs()[item_of(lab, scored)["output_key"]][0][1]
    _republish(lab, scored, whole[:20])
    lab.cloud.record_visible(item_of(lab, scored)["output_key"])
    _republish(lab, scored, whole)
    assert violations(lab, scored) == ["a reader saw a part of the output: 20 bytes"]


def test_an_end_that_was_left_is_seen(lab: Laboratory, scored: Upload) -> None:
    lab.cloud.states[item_of(lab, scored)["job_id"]] += ["RUNNING", "SUCCEEDED"]
    assert violations(lab, scored) == ["the job went from SUCCEEDED to RUNNING"]


def test_wrong_counts_are_seen(lab: Laboratory, scored: Upload) -> None:
    _write(lab, scored, rows_scored=6)
    assert violations(lab, scored) == ["the table counts 7 rows, 6 scored, 0 rejected of 7"]


def test_row_content_and_crashes_are_seen(lab: Laboratory, scored: Upload) -> None:
    (lab.folder / "worker-99.log").write_bytes(b"Traceback (most recent call last):\n  x\nKeyError: " + CANARY + b"\n")
    _write(lab, scored, message=CANARY.decode())
    found = violations(lab, scored)
    assert [text.partition(":")[0] for text in found] == [
        "the logs hold 'Traceback'",
        "the logs hold row content",
        "the jobs table holds row content",
    ]


def test_a_fault_that_never_struck_is_told(lab: Laboratory) -> None:
    assert Case(name="none", faults=(broken(reset, "NoSuchCall"),)).run(lab)[1] == ["fault 1 never occurred"]


def test_the_table_is_the_laboratorys_own(lab: Laboratory) -> None:
    assert (lab.cloud.table.name, lab.cloud.items()) == (TABLE, [])
