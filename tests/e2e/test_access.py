"""The ready-made permissions, held by somebody: each command line under its own, and what is refused.

The command line runs as in an account: it is told a user's keys, and finds everything else by the stacks' names.
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
    job = driver.ended(uploader.may("score", str(file)).strip())
    assert job.status is State.SUCCEEDED
    big = tmp_path / "in-parts.csv"
    big.write_bytes((b"\n".join(sample) + b"\n") * 40)
    assert big.stat().st_size > 8 << 20  # or it is not uploaded in parts
    identity = uploader.may("score", str(big)).strip()
    for command in (["jobs"], ["status", job.job_id], ["result", job.job_id]):
        assert "dynamodb:" in uploader.may_not(*command)
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
    assert job.job_id in reader.may("jobs")
    assert json.loads(reader.may("status", file.name, "--json"))["status"] == "SUCCEEDED"
    reader.may("result", job.job_id, "--out", str(tmp_path / "scores.csv"))
    assert len((tmp_path / "scores.csv").read_bytes().splitlines()) == 5
    assert "DIFFERS" not in reader.may("verify", job.job_id)
    reader.may_not("score", str(file))
    assert "cloudformation:DescribeStacks" in reader.may_not("retry", job.job_id)
    assert "s3:GetObject" in _refusal(lambda: reader.client("s3").get_object(Bucket=driver.bucket, Key=job.file))


def test_an_operator_tries_again_redrives_and_ends_jobs_and_reads_no_files(
    driver: Driver, operator: Person, file: Path
) -> None:
    job = driver.ended(driver.drop(f"input/{file.name}", file.read_bytes()))
    assert job.job_id in operator.may("jobs", "--file", file.name)
    asked = operator.run("retry", job.job_id)
    assert (asked.returncode, "NOTHING_TO_RETRY" in asked.stderr) == (1, True), asked.stderr
    operator.may("redrive")
    operator.client("batch").terminate_job(jobId=job.batch_job_id, reason="e2e")
    operator.may_not("score", str(file))
    assert "s3:GetObject" in _refusal(lambda: operator.client("s3").get_object(Bucket=driver.bucket, Key=job.file))


def test_the_operators_role_is_not_for_everybody(driver: Driver, reader: Person) -> None:
    assert "sts:AssumeRole" in _refusal(lambda: assumed(reader, driver.cloud.outputs["OperatorsRoleArn"]))


def test_who_holds_nothing_may_nothing(driver: Driver, file: Path) -> None:
    nobody = user(driver)
    for command in (["score", str(file)], ["jobs"], ["redrive"]):
        nobody.may_not(*command)


@pytest.mark.parametrize(
    "asked",
    [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms:dsse"}, {"ServerSideEncryption": "aws:kms"}],
)
def test_a_put_that_asks_for_another_encryption_is_turned_away(
    driver: Driver, uploader: Person, asked: dict[str, str]
) -> None:
    s3, key = uploader.client("s3"), "input/elsewhere.txt"
    s3.put_object(Bucket=driver.bucket, Key=key, Body=b"")
    assert "explicit deny" in _refusal(lambda: s3.put_object(Bucket=driver.bucket, Key=key, Body=b"", **asked))
    assert "explicit deny" in _refusal(lambda: s3.create_multipart_upload(Bucket=driver.bucket, Key=key, **asked))


def test_a_worker_can_neither_write_nor_delete_what_was_dropped(driver: Driver, file: Path) -> None:
    job = driver.ended(driver.drop(f"input/{file.name}", file.read_bytes()))
    arn = driver.client("iam").get_role(RoleName=driver.role("WorkerRole"))["Role"]["Arn"]
    s3 = Person(driver, assumed(driver, arn)).client("s3")
    there = {"Bucket": driver.bucket, "Key": job.file}
    assert s3.get_object(**there, VersionId=job.version_id)["Body"].read() == file.read_bytes()
    assert "s3:PutObject" in _refusal(lambda: s3.put_object(**there, Body=b""))
    assert "s3:PutObject" in _refusal(lambda: s3.create_multipart_upload(**there))
    assert "s3:DeleteObject" in _refusal(lambda: s3.delete_object(**there))
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

    driver.client("sqs").send_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"], MessageBody="poison")
    done = operator.run("redrive", "--json")
    assert done.returncode == 1, done.stderr  # the poison is left
    told = {each["outcome"]: each["about"] for each in json.loads(done.stdout)}
    assert told["sent again"] == f"{key} version {put['VersionId']}"
    assert told["left: not understood"] == "not an event of Dropscore"
    assert driver.ended(identity).status is State.SUCCEEDED

    left = driver.client("sqs").receive_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])["Messages"]
    assert [message["Body"] for message in left] == ["poison"]
    driver.client("sqs").purge_queue(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])
    assert operator.may("redrive") == ""


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.5)


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    assert refused.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return str(refused.value)
