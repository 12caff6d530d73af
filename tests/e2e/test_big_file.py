"""A million rows in one job: bounded memory, scores equal to the booster's own to the last bit."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from dropscore.jobs import State, job_id
from tests.e2e.conftest import DEMO, Hands
from training.data import write

MEBIBYTE = 1 << 20


@pytest.mark.slow
def test_million_rows_are_scored_in_one_job_of_bounded_memory(hands: Hands, tmp_path: Path) -> None:
    file = tmp_path / "big.csv"
    write(file, rows=1_000_000, seed=7, label=False)
    _score_and_compare(hands, file, rows=1_000_000)
    assert file.stat().st_size > 450_000_000


def test_twenty_thousand_rows_are_scored_in_several_bodies(hands: Hands, tmp_path: Path) -> None:
    """The sample of the above that runs every time: 10 MB, three bodies."""
    file = tmp_path / "middling.csv"
    write(file, rows=20_000, seed=7, label=False)
    _score_and_compare(hands, file, rows=20_000)
    assert file.stat().st_size > 2 * 4_500_000


def _score_and_compare(hands: Hands, file: Path, rows: int) -> None:
    s3 = hands.client("s3")
    s3.upload_file(str(file), hands.bucket, f"input/{file.name}")
    version = s3.head_object(Bucket=hands.bucket, Key=f"input/{file.name}")["VersionId"]
    job = hands.ended(job_id(hands.bucket, f"input/{file.name}", version))
    assert (job.status, job.rows, job.rows_scored) == (State.SUCCEEDED, rows, rows)

    scores = np.loadtxt(io.BytesIO(hands.read(job.output_key))).astype(np.float32)
    assert np.array_equal(scores.view(np.uint32), _predicted(file).view(np.uint32))

    assert 0 < _peak_memory(hands, job.batch_job_id) < 300 * MEBIBYTE


def _peak_memory(hands: Hands, batch_job_id: str | None) -> int:
    """What the embedded cloud measured, in bytes; boto3 leaves out a field that Batch itself does not have."""
    seen: list[bytes] = []
    batch = hands.client("batch")
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
