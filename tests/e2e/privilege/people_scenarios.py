"""The tasks of uploaders, readers and operators, each done once with the ready-made permissions."""

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
from tests.e2e.privilege.stage import Scenario, ScenarioContext


@contextmanager
def _denials_fail() -> Iterator[None]:
    """Turns a refusal of AWS into a failure of the scenario."""
    try:
        yield
    except ClientError as error:
        raise AssertionError(str(error)) from error


@cache
def _uploader(context: ScenarioContext) -> Person:
    return user(context.driver, policy="UploadersPolicyArn")


@cache
def _reader(context: ScenarioContext) -> Person:
    return user(context.driver, policy="ReadersPolicyArn")


@cache
def _operator(context: ScenarioContext) -> Person:
    return Person(context.driver, assumed(context.driver, context.driver.cloud.outputs["OperatorsRoleArn"]))


def uploader_drops_a_file(context: ScenarioContext) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{uuid.uuid4().hex}.csv")
        file.write_bytes(context.small())
        _uploader(context).run_allowed("score", str(file))


@cache
def _uploader_of_night(context: ScenarioContext) -> Person:
    return user(context.driver, policy="UploadersPolicyArnOfnight")


def uploader_of_a_route_drops_a_file(context: ScenarioContext) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{uuid.uuid4().hex}.csv")
        file.write_bytes(context.small())
        _uploader_of_night(context).run_allowed("score", str(file), "--route", "night")


def uploader_of_a_route_gives_up_an_upload(context: ScenarioContext) -> None:
    _give_up_an_upload(_uploader_of_night(context), context, "input/night/given-up.csv")


def uploader_of_a_route_lists_what_lies_there(context: ScenarioContext) -> None:
    with _denials_fail():
        _uploader_of_night(context).client("s3").list_objects_v2(Bucket=context.driver.bucket, Prefix="input/night/")


def uploader_gives_up_an_upload(context: ScenarioContext) -> None:
    _give_up_an_upload(_uploader(context), context, "input/given-up.csv")


def _give_up_an_upload(person: Person, context: ScenarioContext, key: str) -> None:
    s3, target = person.client("s3"), {"Bucket": context.driver.bucket, "Key": key}
    with _denials_fail():
        upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}
        s3.upload_part(**upload, PartNumber=1, Body=b"0")
        assert len(s3.list_parts(**upload)["Parts"]) == 1
        s3.abort_multipart_upload(**upload)


def uploader_lists_what_lies_there(context: ScenarioContext) -> None:
    with _denials_fail():
        _uploader(context).client("s3").list_objects_v2(Bucket=context.driver.bucket, Prefix="input/")


def reader_reads_jobs(context: ScenarioContext) -> None:
    job, reader = context.scored(), _reader(context)
    assert job.job_id in reader.run_allowed("jobs", "--status", "SUCCEEDED")
    assert job.job_id in reader.run_allowed("jobs", "--file", job.file.removeprefix("input/"))
    reader.run_allowed("status", job.job_id)


def reader_reads_scores(context: ScenarioContext) -> None:
    job = context.scored()
    with tempfile.TemporaryDirectory() as folder:
        _reader(context).run_allowed("result", job.job_id, "--out", str(Path(folder, "scores.csv")))


def reader_lists_scores(context: ScenarioContext) -> None:
    with _denials_fail():
        _reader(context).client("s3").list_objects_v2(Bucket=context.driver.bucket, Prefix="output/")


def operator_retries(context: ScenarioContext) -> None:
    retried = _operator(context).run("retry", context.scored().job_id)
    assert "NOTHING_TO_RETRY" in retried.stderr, retried.stderr


def operator_redrives(context: ScenarioContext) -> None:
    """Redrives one dead letter for every function, and keeps one that no function understands."""
    sqs, queue = context.driver.client("sqs"), context.driver.cloud.outputs["DeadLetterQueueUrl"]
    dead_letters = (*_dead_letters(context), {"what": "is this"})
    for dead_letter in dead_letters:
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(dead_letter))
    try:
        done = _operator(context).run("redrive")
        assert done.returncode == 1, (done.stdout, done.stderr)  # one event stays, and nothing else is wrong
        assert done.stdout.count("sent again") == len(dead_letters) - 1, (done.stdout, done.stderr)
    finally:
        sqs.purge_queue(QueueUrl=queue)


def _dead_letters(context: ScenarioContext) -> list[dict[str, Any]]:
    dropped, _ = context.put("", context.small())
    where = {"streamArn": "x", "shardId": "x", "startSequenceNumber": "1", "endSequenceNumber": "1", "batchSize": 1}
    return [
        {**dropped, "detail-type": "Object Created"},
        {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {"jobId": "x", "status": "RUNNING"}},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"DDBStreamBatchInfo": where},
    ]


def operator_ends_a_job(context: ScenarioContext) -> None:
    batch, job = _operator(context).client("batch"), context.scored()
    with _denials_fail():
        assert batch.describe_jobs(jobs=[job.batch_job_id])["jobs"]
        batch.terminate_job(jobId=job.batch_job_id, reason="a scenario")


def operator_watches(context: ScenarioContext) -> None:
    operator, queue = _operator(context), context.driver.cloud.outputs["DeadLetterQueueUrl"]
    with _denials_fail():
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
