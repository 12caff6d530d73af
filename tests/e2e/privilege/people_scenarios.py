"""What uploaders, readers and operators are for, each done once under the ready-made permissions."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.people import Person, assumed, user
from tests.e2e.privilege.stage import Scenario, Stage


@contextmanager
def _noted() -> Iterator[None]:
    """What AWS refuses is what the scenario could not do."""
    try:
        yield
    except ClientError as error:
        raise AssertionError(str(error)) from error


@cache
def _uploader(stage: Stage) -> Person:
    return user(stage.driver, policy="UploadersPolicyArn")


@cache
def _reader(stage: Stage) -> Person:
    return user(stage.driver, policy="ReadersPolicyArn")


@cache
def _operator(stage: Stage) -> Person:
    return Person(stage.driver, assumed(stage.driver, stage.driver.cloud.outputs["OperatorsRoleArn"]))


def uploader_drops_a_file(stage: Stage) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{uuid.uuid4().hex}.csv")
        file.write_bytes(stage.small())
        _uploader(stage).may("score", str(file))


@cache
def _uploader_of_night(stage: Stage) -> Person:
    return user(stage.driver, policy="UploadersPolicyArnOfnight")


def uploader_of_a_route_drops_a_file(stage: Stage) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{uuid.uuid4().hex}.csv")
        file.write_bytes(stage.small())
        _uploader_of_night(stage).may("score", str(file), "--route", "night")


def uploader_of_a_route_gives_up_an_upload(stage: Stage) -> None:
    _give_up_an_upload(_uploader_of_night(stage), stage, "input/night/given-up.csv")


def uploader_of_a_route_lists_what_lies_there(stage: Stage) -> None:
    with _noted():
        _uploader_of_night(stage).client("s3").list_objects_v2(Bucket=stage.driver.bucket, Prefix="input/night/")


def uploader_gives_up_an_upload(stage: Stage) -> None:
    _give_up_an_upload(_uploader(stage), stage, "input/given-up.csv")


def _give_up_an_upload(person: Person, stage: Stage, key: str) -> None:
    s3, there = person.client("s3"), {"Bucket": stage.driver.bucket, "Key": key}
    with _noted():
        upload = {**there, "UploadId": s3.create_multipart_upload(**there)["UploadId"]}
        s3.upload_part(**upload, PartNumber=1, Body=b"0")
        assert len(s3.list_parts(**upload)["Parts"]) == 1
        s3.abort_multipart_upload(**upload)


def uploader_lists_what_lies_there(stage: Stage) -> None:
    with _noted():
        _uploader(stage).client("s3").list_objects_v2(Bucket=stage.driver.bucket, Prefix="input/")


def reader_reads_jobs(stage: Stage) -> None:
    job, reader = stage.scored(), _reader(stage)
    assert job.job_id in reader.may("jobs", "--status", "SUCCEEDED")
    assert job.job_id in reader.may("jobs", "--file", job.file.removeprefix("input/"))
    reader.may("status", job.job_id)


def reader_reads_scores(stage: Stage) -> None:
    job = stage.scored()
    with tempfile.TemporaryDirectory() as folder:
        _reader(stage).may("result", job.job_id, "--out", str(Path(folder, "scores.csv")))


def reader_lists_scores(stage: Stage) -> None:
    with _noted():
        _reader(stage).client("s3").list_objects_v2(Bucket=stage.driver.bucket, Prefix="output/")


def operator_retries(stage: Stage) -> None:
    asked = _operator(stage).run("retry", stage.scored().job_id)
    assert "NOTHING_TO_RETRY" in asked.stderr, asked.stderr


def operator_redrives(stage: Stage) -> None:
    """A letter for every function, which are taken, and one that nobody understands, which is left."""
    sqs, queue = stage.driver.client("sqs"), stage.driver.cloud.outputs["DeadLetterQueueUrl"]
    letters = (*_letters(stage), {"what": "is this"})
    for letter in letters:
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    try:
        done = _operator(stage).run("redrive")
        assert done.returncode == 1, (done.stdout, done.stderr)  # one is left, and nothing else is wrong
        assert done.stdout.count("sent again") == len(letters) - 1, (done.stdout, done.stderr)
    finally:
        sqs.purge_queue(QueueUrl=queue)


def _letters(stage: Stage) -> list[dict[str, Any]]:
    dropped, _ = stage.put("", stage.small())
    where = {"streamArn": "x", "shardId": "x", "startSequenceNumber": "1", "endSequenceNumber": "1", "batchSize": 1}
    return [
        {**dropped, "detail-type": "Object Created"},
        {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {"jobId": "x", "status": "RUNNING"}},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"DDBStreamBatchInfo": where},
    ]


def operator_ends_a_job(stage: Stage) -> None:
    batch, job = _operator(stage).client("batch"), stage.scored()
    with _noted():
        assert batch.describe_jobs(jobs=[job.batch_job_id])["jobs"]
        batch.terminate_job(jobId=job.batch_job_id, reason="a scenario")


def operator_watches(stage: Stage) -> None:
    operator, queue = _operator(stage), stage.driver.cloud.outputs["DeadLetterQueueUrl"]
    with _noted():
        operator.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        operator.client("cloudwatch").get_metric_data(MetricDataQueries=[], StartTime=0, EndTime=60)


EVERY: tuple[Scenario, ...] = (
    uploader_drops_a_file,
    uploader_gives_up_an_upload,
    uploader_lists_what_lies_there,
    uploader_of_a_route_drops_a_file,
    uploader_of_a_route_gives_up_an_upload,
    uploader_of_a_route_lists_what_lies_there,
    reader_reads_jobs,
    reader_reads_scores,
    reader_lists_scores,
    operator_retries,
    operator_redrives,
    operator_ends_a_job,
    operator_watches,
)
