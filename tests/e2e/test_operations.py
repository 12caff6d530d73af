"""The procedures of docs/operations.md, as far as the embedded cloud supports them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dropscore.cli.deployment import Deployment
from dropscore.cli.restore import restore_rows
from dropscore.jobs.job import Job, State
from local.cloud import Clock, launch
from local.one_shot import deployment
from tests.e2e.conftest import DEMO, Driver
from tests.e2e.test_scoring import predicted
from tools.smoke.expected import expected_scores, written_scores
from training import demo

SMALLER_MODEL = {"rows": 2_000, "rounds": 5}


def _deployed(home: Path, artifact: Path, body: bytes) -> tuple[Job, np.ndarray]:
    """Scores one file with the current deployment. Returns its scores."""
    environ = {**os.environ, "DROPSCORE_ARTIFACT": str(artifact)}
    cloud = launch(home, environ, lambda _: None, Clock())
    try:
        driver = Driver(cloud)
        job = driver.ended(driver.drop("input/file.csv", body))
        assert job.status is State.SUCCEEDED, job
        return job, written_scores(driver.read(job.output_key))
    finally:
        cloud.stop()


def test_a_model_is_rotated_and_rolled_back(tmp_path: Path, sample: list[bytes]) -> None:
    demo.write(tmp_path / "new", **SMALLER_MODEL)
    old, new = DEMO / "model.tar.gz", tmp_path / "new" / "model.tar.gz"
    body = b"\n".join(sample) + b"\n"
    runs = [_deployed(tmp_path / "cloud", artifact, body) for artifact in (old, new, old)]

    versions = [job.model_version for job, _ in runs]
    assert versions[0] == versions[2] != versions[1]
    for artifact, (_, scores) in zip((old, new, old), runs, strict=True):
        assert np.array_equal(scores, expected_scores(artifact, DEMO / "sample.csv"))
    assert len({job.output_key for job, _ in runs}) == 3, "each version of the file has its own scores"


def test_scores_that_were_deleted_come_back_with_their_delete_marker(driver: Driver, sample: list[bytes]) -> None:
    job = driver.ended(driver.drop("input/deleted.csv", b"\n".join(sample[:5]) + b"\n"))
    before, s3 = driver.read(job.output_key), driver.client("s3")
    marker = s3.delete_object(Bucket=driver.bucket, Key=job.output_key)
    assert marker["DeleteMarker"]
    assert driver.outputs("deleted.csv") == []

    s3.delete_object(Bucket=driver.bucket, Key=job.output_key, VersionId=marker["VersionId"])
    assert driver.read(job.output_key) == before


def test_a_row_that_was_lost_comes_back_from_another_table(driver: Driver, sample: list[bytes]) -> None:
    job = driver.ended(driver.drop("input/row.csv", b"\n".join(sample[:5]) + b"\n"))
    deployed: Deployment = deployment(driver.cloud)
    jobs, dynamodb = deployed.table.resource, driver.client("dynamodb")
    dynamodb.create_table(
        TableName="restored",
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = jobs.get_item(Key={"job_id": job.job_id})["Item"]
    jobs.meta.client.put_item(TableName="restored", Item=item)
    jobs.delete_item(Key={"job_id": job.job_id})
    assert driver.find(job.job_id) is None

    assert restore_rows(jobs, "restored") == (1, 1)
    assert driver.find(job.job_id) == job


def test_scores_are_the_models_own(driver: Driver, sample: list[bytes], tmp_path: Path) -> None:
    """`make smoke` and the other tests compare with the same scores."""
    assert np.array_equal(expected_scores(DEMO / "model.tar.gz", DEMO / "sample.csv"), predicted(sample, tmp_path))
