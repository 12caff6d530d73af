"""Results of uploaded files."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import xgboost

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import DEMO, WAIT_SECONDS, Driver


def predicted(rows: list[bytes], unpacked: Path) -> np.ndarray:
    with tarfile.open(DEMO / "model.tar.gz") as archive:
        archive.extractall(unpacked, filter="data")
    manifest = json.loads((unpacked / "manifest.json").read_text())
    booster = xgboost.Booster(model_file=unpacked / manifest["model"])
    features = np.array([[float(cell) if cell else np.nan for cell in row.split(b",")] for row in rows], np.float32)
    scores: np.ndarray = booster.predict(xgboost.DMatrix(features), iteration_range=(0, manifest["iterations"]))
    return scores


def test_scores_equal_the_boosters_own_when_a_csv_is_dropped(
    driver: Driver, sample: list[bytes], tmp_path: Path
) -> None:
    job = driver.ended(driver.drop("input/sample.csv", b"\n".join(sample) + b"\n"))

    assert job.status is State.SUCCEEDED, job
    assert (job.rows, job.rows_scored, job.rows_rejected) == (len(sample), len(sample), 0)
    scores = np.array(driver.read(job.output_key).split(), dtype=np.float32)
    assert np.array_equal(scores, predicted(sample, tmp_path))
    described = driver.batch_jobs(job.job_id)
    assert [batch_job["status"] for batch_job in described] == ["SUCCEEDED"]


def test_memory_stays_small_when_a_file_needs_many_bodies(driver: Driver, sample: list[bytes]) -> None:
    rows = sample * (30_000_000 // sum(map(len, sample)))
    job = driver.ended(driver.drop("input/many.csv", b"\n".join(rows) + b"\n"))

    assert (job.status, job.rows) == (State.SUCCEEDED, len(rows))
    kept = json.loads((driver.cloud.home / "shim" / "jobs.json").read_text())
    peaks = [batch_job["attempts"][-1]["peak_bytes"] for batch_job in kept if batch_job["parent"] == job.array_job_id]
    assert len(peaks) == job.shards > 5
    assert all(10_000_000 < peak < 150_000_000 for peak in peaks)


def test_one_output_exists_when_the_same_event_comes_again(driver: Driver, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:20]) + b"\n"
    put = driver.client("s3").put_object(Bucket=driver.bucket, Key="input/twice.csv", Body=body)
    identity = job_id(driver.bucket, "input/twice.csv", put["VersionId"])
    thing = {"key": "input/twice.csv", "version-id": put["VersionId"], "size": len(body)}
    event = {"source": "aws.s3", "detail": {"bucket": {"name": driver.bucket}, "object": thing}}

    for _ in range(2):
        answer = driver.client("lambda").invoke(
            FunctionName=driver.cloud.outputs["SubmitFunctionName"], Payload=json.dumps(event)
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    assert driver.ended(identity).status is State.SUCCEEDED
    assert len(driver.outputs("twice.csv")) == 1
    assert all(batch_job["status"] == "SUCCEEDED" for batch_job in driver.batch_jobs(identity))


@pytest.mark.parametrize(
    "name",
    ["folder/deeper/file.csv", "two words.csv", "a+b.csv", "50%25 & more.csv", "größe-数据.csv", "UPPER.CSV"],
)
def test_scored_when_the_key_is_odd(driver: Driver, sample: list[bytes], name: str) -> None:
    job = driver.ended(driver.drop(f"input/{name}", b"\n".join(sample[:3]) + b"\n"))

    assert job.status is State.SUCCEEDED, job
    assert job.file == f"input/{name}"
    assert len(driver.read(job.output_key).splitlines()) == 3


def test_rejected_by_row_number_when_a_cell_is_no_number(driver: Driver, sample: list[bytes]) -> None:
    rows = sample[:10]
    rows[6] = rows[6].replace(rows[6].split(b",")[4], b"xyzzy-secret", 1)
    job = driver.ended(driver.drop("input/bad.csv", b"\n".join(rows) + b"\n"))

    assert job.status in {State.REJECTED, State.FAILED}
    assert job.code
    assert "row 7" in (job.message or "")
    assert driver.outputs("bad.csv") == []
    assert "xyzzy" not in repr(job)
    logs = [file for file in driver.cloud.home.rglob("*.log") if b"xyzzy" in file.read_bytes()]
    assert logs == []


def test_ignored_when_it_is_hidden_or_lies_elsewhere(driver: Driver, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:2]) + b"\n"
    ignored = [driver.drop(key, body) for key in ("input/.notes.csv", "input/folder/", "other/file.csv", "file.csv")]
    driver.ended(driver.drop("input/after.csv", body))

    log = driver.cloud.home / "logs" / "emulator.log"
    deadline = time.monotonic() + WAIT_SECONDS
    while log.read_text().count('"event": "ignored"') < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert '"key": "input/.notes.csv"' in log.read_text()  # the rule's prefix filters events of other folders
    assert [driver.find(identity) for identity in ignored] == [None] * 4
