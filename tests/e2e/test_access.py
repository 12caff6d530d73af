"""Each command line under its own ready-made permissions, and what AWS refuses.

The command line runs as in an account: with a user's keys; it finds everything else by the names of the stacks.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import WAIT_SECONDS, Driver
from tests.e2e.people import Person, assumed, user


@pytest.fixture(scope="module")
def uploader(driver: Driver) -> Person:
    return user(driver, policy="UploadersPolicyArn")


@pytest.fixture(scope="module")
def reader(driver: Driver) -> Person:
    return user(driver, policy="ReadersPolicyArn")


@pytest.fixture(scope="module")
def operator(driver: Driver) -> Person:
    return Person(driver, assumed(driver, driver.cloud.outputs["OperatorsRoleArn"]))


@pytest.fixture
def file(tmp_path: Path, sample: list[bytes]) -> Path:
    path = tmp_path / f"{uuid.uuid4().hex}.csv"
    path.write_bytes(b"\n".join(sample[:5]) + b"\n")
    return path


def test_an_uploader_drops_files_and_sees_no_scores(
    driver: Driver, uploader: Person, sample: list[bytes], file: Path, tmp_path: Path
) -> None:
    job = driver.ended(uploader.run_allowed("score", str(file)).strip())
    assert job.status is State.SUCCEEDED
    big = tmp_path / "in-parts.csv"
    big.write_bytes((b"\n".join(sample) + b"\n") * 40)
    assert big.stat().st_size > 8 << 20  # large enough for a multipart upload
    identity = uploader.run_allowed("score", str(big)).strip()
    for command in (["jobs"], ["status", job.job_id], ["result", job.job_id]):
        assert "dynamodb:" in uploader.run_denied(*command)
    s3 = uploader.client("s3")
    for key in (job.file, job.output_key):
        assert "s3:GetObject" in _refusal(partial(s3.get_object, Bucket=driver.bucket, Key=key))
    assert "s3:PutObject" in _refusal(
        lambda: uploader.client("s3").put_object(Bucket=driver.bucket, Key="output/x.csv", Body=b"")
    )
    assert driver.ended(identity).status is State.SUCCEEDED


def test_a_reader_reads_scores_and_jobs_and_drops_nothing(
    driver: Driver, reader: Person, file: Path, tmp_path: Path
) -> None:
    job = driver.ended(driver.drop(f"input/{file.name}", file.read_bytes()))
    assert job.job_id in reader.run_allowed("jobs")
    assert json.loads(reader.run_allowed("status", file.name, "--json"))["status"] == "SUCCEEDED"
    reader.run_allowed("result", job.job_id, "--out", str(tmp_path / "scores.csv"))
    assert len((tmp_path / "scores.csv").read_bytes().splitlines()) == 5
    assert "DIFFERS" not in reader.run_allowed("verify", job.job_id)
    reader.run_denied("score", str(file))
    assert "cloudformation:DescribeStacks" in reader.run_denied("retry", job.job_id)
    assert "s3:GetObject" in _refusal(lambda: reader.client("s3").get_object(Bucket=driver.bucket, Key=job.file))


def test_an_operator_tries_again_redrives_and_ends_jobs_and_reads_no_files(
    driver: Driver, operator: Person, file: Path
) -> None:
    job = driver.ended(driver.drop(f"input/{file.name}", file.read_bytes()))
    assert job.job_id in operator.run_allowed("jobs", "--file", file.name)
    encryption = operator.run("retry", job.job_id)
    assert (encryption.returncode, "NOTHING_TO_RETRY" in encryption.stderr) == (1, True), encryption.stderr
    operator.run_allowed("redrive")
    operator.client("batch").terminate_job(jobId=job.batch_job_id, reason="e2e")
    operator.run_denied("score", str(file))
    assert "s3:GetObject" in _refusal(lambda: operator.client("s3").get_object(Bucket=driver.bucket, Key=job.file))


def test_the_operators_role_is_not_for_everybody(driver: Driver, reader: Person) -> None:
    assert "sts:AssumeRole" in _refusal(lambda: assumed(reader, driver.cloud.outputs["OperatorsRoleArn"]))


def test_who_holds_nothing_may_nothing(driver: Driver, file: Path) -> None:
    without_permissions = user(driver)
    for command in (["score", str(file)], ["jobs"], ["redrive"]):
        without_permissions.run_denied(*command)


@pytest.mark.parametrize(
    "encryption",
    [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms:dsse"}, {"ServerSideEncryption": "aws:kms"}],
)
def test_a_put_that_asks_for_another_encryption_is_turned_away(
    driver: Driver, uploader: Person, encryption: dict[str, str]
) -> None:
    s3, key = uploader.client("s3"), "input/elsewhere.txt"
    s3.put_object(Bucket=driver.bucket, Key=key, Body=b"")
    assert "explicit deny" in _refusal(lambda: s3.put_object(Bucket=driver.bucket, Key=key, Body=b"", **encryption))
    assert "explicit deny" in _refusal(lambda: s3.create_multipart_upload(Bucket=driver.bucket, Key=key, **encryption))


def test_a_worker_can_neither_write_nor_delete_what_was_dropped(driver: Driver, file: Path) -> None:
    job = driver.ended(driver.drop(f"input/{file.name}", file.read_bytes()))
    arn = driver.client("iam").get_role(RoleName=driver.role("WorkerRole"))["Role"]["Arn"]
    s3 = Person(driver, assumed(driver, arn)).client("s3")
    target = {"Bucket": driver.bucket, "Key": job.file}
    assert s3.get_object(**target, VersionId=job.version_id)["Body"].read() == file.read_bytes()
    assert "s3:PutObject" in _refusal(lambda: s3.put_object(**target, Body=b""))
    assert "s3:PutObject" in _refusal(lambda: s3.create_multipart_upload(**target))
    assert "s3:DeleteObject" in _refusal(lambda: s3.delete_object(**target))
    for key in (job.output_key, "parts/x"):
        assert "s3:DeleteObject" in _refusal(partial(s3.delete_object, Bucket=driver.bucket, Key=key))


def test_an_event_that_lay_among_the_dead_letters_gets_its_file_scored(
    driver: Driver, operator: Person, file: Path
) -> None:
    key = f"input/{file.name}"
    with driver.without(driver.role("IntakeSubmit"), "batch:SubmitJob"):
        put = driver.client("s3").put_object(Bucket=driver.bucket, Key=key, Body=file.read_bytes())
        identity = job_id(driver.bucket, key, put["VersionId"])
        _wait(lambda: key in operator.run("redrive", "--dry-run").stdout)
    assert driver.batch_jobs(identity) == []

    driver.client("sqs").send_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"], MessageBody="not an event")
    done = operator.run("redrive", "--json")
    assert done.returncode == 1, done.stderr  # the invalid event stays
    outcomes = {each["outcome"]: each["about"] for each in json.loads(done.stdout)}
    assert outcomes["sent again"] == f"{key} version {put['VersionId']}"
    assert outcomes["left: not understood"] == "not an event of Dropscore"
    assert driver.ended(identity).status is State.SUCCEEDED

    left = driver.client("sqs").receive_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])["Messages"]
    assert [message["Body"] for message in left] == ["not an event"]
    driver.client("sqs").purge_queue(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])
    assert operator.run_allowed("redrive") == ""


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "the expected state was not reached"
        time.sleep(0.5)


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    assert refused.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return str(refused.value)
