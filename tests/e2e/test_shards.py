"""Large files on the embedded cloud: an array job of shards, the publishing job, and the reported results."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from dropscore.cli.retry import invoke_retry
from dropscore.cli.verify import verify_job
from dropscore.errors import JobFailedError
from dropscore.events.submit import RetryRequest, Upload
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key
from local.one_shot import deployment
from tests.e2e.conftest import Driver
from tests.e2e.test_scoring import predicted

BIG = 10_000_000


@pytest.fixture(scope="module")
def rows(sample: list[bytes]) -> list[bytes]:
    return sample * (BIG // sum(map(len, sample)))


def _verified(driver: Driver, job: Job) -> None:
    assert [finding for finding in verify_job(deployment(driver.cloud), job, with_input=True) if finding.problem] == []


def test_a_large_file_is_scored_in_shards_and_published_as_one(
    driver: Driver, rows: list[bytes], tmp_path: Path
) -> None:
    job = driver.ended(driver.drop("input/large.csv", b"\n".join(rows) + b"\n"))

    assert (job.status, job.shards, job.shards_done, job.rows) == (State.SUCCEEDED, 3, 3, len(rows)), job
    scores = np.array(driver.read(job.output_key).split(), dtype=np.float32)
    assert np.array_equal(scores, predicted(rows, tmp_path))
    assert len(driver.outputs("large.csv")) == 1
    described = driver.client("batch").describe_jobs(jobs=[job.array_job_id, job.batch_job_id])["jobs"]
    assert [batch_job["status"] for batch_job in described] == ["SUCCEEDED", "SUCCEEDED"]
    _verified(driver, job)


def test_ids_are_carried_through_shards(driver: Driver, rows: list[bytes], tmp_path: Path) -> None:
    header = b"customer," + b",".join(b"V%d" % number for number in range(rows[0].count(b",") + 1))
    named = [b'"c,%d",%b' % (number, row) for number, row in enumerate(rows)]
    job = driver.ended(driver.drop("input/ids/large.csv", b"\r\n".join([header, *named])))

    assert (job.status, job.rows) == (State.SUCCEEDED, len(rows)), job
    first, *scored = csv.reader(io.StringIO(driver.read(job.output_key).decode()))
    assert first == ["customer", "score"]
    assert [row[0] for row in scored] == [f"c,{number}" for number in range(len(rows))]
    assert np.array_equal(np.array([row[1] for row in scored], dtype=np.float32), predicted(rows, tmp_path))
    _verified(driver, job)


def test_rows_keep_every_byte_under_append(driver: Driver, sample: list[bytes], tmp_path: Path) -> None:
    header = b"customer;" + b";".join(b"V%d" % number for number in range(sample[0].count(b",") + 1)) + b";note"
    wide = [b'%d;%b;"a;b\n""c"""' % (number, row.replace(b",", b";")) for number, row in enumerate(sample)]
    job = driver.ended(driver.drop("input/wide/file.csv", b"\n".join([header, *wide]) + b"\n"))

    assert (job.status, job.rows) == (State.SUCCEEDED, len(sample)), job
    scores = predicted(sample, tmp_path)
    written = driver.read(job.output_key)
    assert written.startswith(header + b";score;label\n")
    position = len(header) + len(b";score;label\n")
    for row, score in zip(wide, scores, strict=True):
        end = written.index(b"\n", position + len(row)) + 1
        assert written[position : position + len(row)] == row
        score_text, label = written[position + len(row) + 1 : end - 1].split(b";")
        assert (np.float32(score_text.decode()), label) == (score, b"yes" if score >= 0.5 else b"no")
        position = end
    assert position == len(written)
    _verified(driver, job)


def test_a_packed_file_of_several_members_is_scored(driver: Driver, sample: list[bytes], tmp_path: Path) -> None:
    half = len(sample) // 2
    packed = b"".join(gzip.compress(b"\n".join(part) + b"\n") for part in (sample[:half], sample[half:]))
    job = driver.ended(driver.drop("input/file.csv.gz", packed))

    assert (job.status, job.rows, job.output_key[-9:]) == (State.SUCCEEDED, len(sample), "-file.csv"), job
    scores = np.array(driver.read(job.output_key).split(), dtype=np.float32)
    assert np.array_equal(scores, predicted(sample, tmp_path))
    _verified(driver, job)


def test_a_bad_row_of_a_later_shard_is_named_by_its_number(driver: Driver, rows: list[bytes]) -> None:
    bad = [*rows[:-5], rows[-5].replace(b",", b",xyzzy", 1), *rows[-4:]]
    job = driver.ended(driver.drop("input/late.csv", b"\n".join(bad) + b"\n"))

    assert (job.status, job.code) == (State.REJECTED, "NOT_A_NUMBER"), job
    assert (job.message or "").startswith(f"row {len(rows) - 4} (line {len(rows) - 4}, at byte ")
    assert driver.outputs("late.csv") == []


def test_rejected_rows_alone_are_scored_again(driver: Driver, rows: list[bytes]) -> None:
    numbers = [3, len(rows) // 2, len(rows) - 1]
    bad = [b"xyzzy" + row if number in numbers else row for number, row in enumerate(rows)]
    job = driver.ended(driver.drop("input/forgiving/some.csv", b"\n".join(bad) + b"\n"))
    assert (job.status, job.rows_rejected) == (State.SUCCEEDED, 3), job
    listed = list(csv.DictReader(io.StringIO(driver.read(errors_key(job.output_key)).decode())))
    assert [int(row["row"]) - 1 for row in listed] == numbers
    _verified(driver, job)

    again = driver.ended(invoke_retry(deployment(driver.cloud), _upload(driver, job), RetryRequest(rejected_only=True)))
    assert (again.status, again.rows, again.rows_rejected) == (State.SUCCEEDED, 3, 3), again
    assert (again.rejected_of, driver.read(again.output_key)) == (job.job_id, b"\n\n\n")
    _verified(driver, again)


def test_a_rejected_file_is_retried_with_other_options_and_no_upload(driver: Driver, sample: list[bytes]) -> None:
    named = b"\n".join(b"x,%b" % row for row in sample) + b"\n"
    job = driver.ended(driver.drop("input/again.csv", named))
    assert (job.status, job.code) == (State.REJECTED, "WRONG_COLUMN_COUNT"), job
    driver.drop("input/again.csv.job.json", b'{"exclude": [1]}')

    upload = _upload(driver, job)
    assert invoke_retry(deployment(driver.cloud), upload, RetryRequest()) == job.job_id
    again = driver.ended(job.job_id)
    assert (again.status, again.rows, again.run) == (State.SUCCEEDED, len(sample), 2), again
    _verified(driver, again)
    with pytest.raises(JobFailedError, match="NOTHING_TO_RETRY"):
        invoke_retry(deployment(driver.cloud), upload, RetryRequest())


def _upload(driver: Driver, job: Job) -> Upload:
    return Upload(bucket=driver.bucket, key=job.file, version_id=job.version_id, size_bytes=job.size_bytes)
