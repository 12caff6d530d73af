"""One gigabyte in one attempt: the worker's memory does not grow with the file, and every score is correct."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import DEMO, Driver, cloud_of
from training.data import write

MEBIBYTE = 1 << 20
BOUND = 150 * MEBIBYTE
ROWS_OF_100_MB = 200_000


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with cloud_of(Path(__file__).with_name("one_shard.toml"), tmp_path_factory.mktemp("big")) as running:
        yield Driver(running)


@pytest.mark.slow
def test_a_gigabyte_takes_no_more_memory_than_a_tenth_of_it(driver: Driver, tmp_path: Path) -> None:
    small = _score_and_compare(driver, _written(tmp_path, ROWS_OF_100_MB))
    large = _score_and_compare(driver, _written(tmp_path, 10 * ROWS_OF_100_MB))
    print(f"worker's peak: {small / MEBIBYTE:.0f} MiB at 100 MB, {large / MEBIBYTE:.0f} MiB at 1 GB")
    assert large < BOUND
    assert large < small + 16 * MEBIBYTE


def test_ten_megabytes_are_scored_in_several_bodies(driver: Driver, tmp_path: Path) -> None:
    """The small version of the test above, for every run."""
    assert _score_and_compare(driver, _written(tmp_path, ROWS_OF_100_MB // 10)) < BOUND


def _written(folder: Path, rows: int) -> Path:
    file = folder / f"{rows}.csv"
    write(file, rows=rows, seed=7, label=False)
    assert file.stat().st_size > rows * 490
    return file


def _score_and_compare(driver: Driver, file: Path) -> int:
    """Returns the worker's peak memory in bytes."""
    s3, rows = driver.client("s3"), int(file.stem)
    s3.upload_file(str(file), driver.bucket, f"input/{file.name}")
    version = s3.head_object(Bucket=driver.bucket, Key=f"input/{file.name}")["VersionId"]
    job = driver.ended(job_id(driver.bucket, f"input/{file.name}", version), seconds=300)
    assert (job.status, job.rows, job.rows_scored, job.shards) == (State.SUCCEEDED, rows, rows, 1)

    scores = np.loadtxt(io.BytesIO(driver.read(job.output_key))).astype(np.float32)
    assert np.array_equal(scores.view(np.uint32), _predicted(file).view(np.uint32))
    return _peak_memory(driver, job.batch_job_id)


def _peak_memory(driver: Driver, batch_job_id: str | None) -> int:
    """The embedded cloud's measurement in bytes; boto3 would drop this field, which AWS Batch does not have."""
    seen: list[bytes] = []
    batch = driver.client("batch")
    batch.meta.events.register(
        "after-call.batch.DescribeJobs", lambda http_response, **_: seen.append(http_response.content)
    )
    batch.describe_jobs(jobs=[batch_job_id])
    return int(json.loads(seen[0])["jobs"][0]["container"]["peakMemoryBytes"])


def _predicted(file: Path) -> NDArray[np.float32]:
    with tarfile.open(DEMO / "model.tar.gz") as packed:
        manifest = packed.extractfile("manifest.json")
        assert manifest is not None
        model = packed.extractfile(json.load(manifest)["model"])
        assert model is not None
        booster = xgb.Booster(model_file=bytearray(model.read()))
    blocks = pd.read_csv(file, header=None, chunksize=200_000)
    return np.concatenate([booster.predict(xgb.DMatrix(block.to_numpy())) for block in blocks])
