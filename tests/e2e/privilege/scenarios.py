"""The tasks of each role, each done once. A scenario that fails raises AssertionError with the cloud's output.

The rule that passes uploads to `submit` is off: scenarios invoke the functions, so that their errors are visible.
"""

from __future__ import annotations

import gzip
import time
import uuid
from dataclasses import replace
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from dropscore.aws.items import item_of
from dropscore.clock import now
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key, manifest_key
from tests.e2e.builds import Images, waiting_stack
from tests.e2e.conftest import WAIT_SECONDS
from tests.e2e.privilege.stage import Scenario, ScenarioContext

LARGE_BYTES = 8_000_000  # two shards


def submit_takes_a_file(context: ScenarioContext) -> None:
    context.scored()


def submit_takes_up_a_claim_that_was_cut_short(context: ScenarioContext) -> None:
    job = context.scored()
    event, identity = context.put("", context.small())
    key, version = event["detail"]["object"]["key"], event["detail"]["object"]["version-id"]
    context.write(_claimed(job, identity, key, version))
    context.invoke("Submit", event)
    context.succeeded(identity)


def submit_reads_job_options(context: ScenarioContext) -> None:
    event, identity = context.put("", context.small(), job_options={"header": False})
    context.invoke("Submit", event)
    context.succeeded(identity)


def worker_scores_a_file(context: ScenarioContext) -> None:
    context.scored()


def worker_wakes_a_model(context: ScenarioContext) -> None:
    context.scored("night/")


def worker_asks_a_serverless_model(context: ScenarioContext) -> None:
    context.scored("light/")


def worker_scores_shards_and_publishes_them(context: ScenarioContext) -> None:
    rows = context.sample * (LARGE_BYTES // sum(map(len, context.sample)))
    job = context.scored(body=b"\n".join(rows) + b"\n")
    assert job.shards > 1


def worker_leaves_no_upload_of_an_output_behind(context: ScenarioContext) -> None:
    _rejects_late(context, ".csv.gz", "output/")  # a compressed file has neither shards nor parts


def worker_leaves_no_upload_of_a_part_behind(context: ScenarioContext) -> None:
    _rejects_late(context, ".csv", "parts/")


def _rejects_late(context: ScenarioContext, ending: str, prefix: str) -> None:
    """Rejects a file at its last row, after several uploads of scores have begun; the worker must abort them."""
    columns = context.sample[0].count(b",") + 1
    rows = b"0,".join([b""] * columns) + b"0\n"
    text = rows * (LARGE_BYTES // len(rows)) + b"x" + rows[1:]
    job_options = {"header": False, "output": "append", "threshold": 0.5, "labels": ["n" * 200, "y" * 200]}
    event, identity = context.put("", gzip.compress(text, 1) if ending.endswith("gz") else text, ending, job_options)
    context.invoke("Submit", event)
    job = context.driver.ended(identity)
    assert job.status is State.REJECTED, f"{job.code}: {job.message}"
    _all_shards_ended(context, identity)
    left = context.driver.client("s3").list_multipart_uploads(Bucket=context.driver.bucket).get("Uploads", [])
    own = [each["Key"] for each in left if each["Key"] == job.output_key or identity in each["Key"]]
    assert not [key for key in own if key.startswith(prefix)], "s3:AbortMultipartUpload was not done"


def _all_shards_ended(context: ScenarioContext, identity: str) -> None:
    """Waits for all shards: a rejected row ends the job; the others notice later and abort their uploads."""
    deadline = time.monotonic() + WAIT_SECONDS
    while {each["status"] for each in context.driver.batch_jobs(identity)} - {"SUCCEEDED", "FAILED"}:
        assert time.monotonic() < deadline, f"the shards of {identity} do not end"
        time.sleep(0.1)


def track_ends_a_job_whose_worker_could_not(context: ScenarioContext) -> None:
    job = _running(context, context.scored())
    context.driver.client("s3").delete_object(Bucket=context.driver.bucket, Key=job.output_key)
    context.invoke("Track", _ended(job, "FAILED"))
    found = context.driver.find(job.job_id)
    assert found is not None
    assert found.status is State.FAILED, found
    assert found.code == "BATCH_FAILED", f"{found.code}: {found.message}"


def track_brings_what_belongs_beside_an_output(context: ScenarioContext) -> None:
    job = _unfinished(context)
    context.invoke("Track", _ended(job, "SUCCEEDED"))
    context.succeeded(job.job_id)
    context.driver.read(manifest_key(job.output_key))


def reconcile_takes_a_file_whose_event_was_lost(context: ScenarioContext) -> None:
    _, identity = context.put("", context.small(), job_options={"header": False})
    context.invoke("Reconcile", {})
    context.succeeded(identity)


def reconcile_submits_what_was_only_claimed(context: ScenarioContext) -> None:
    job = context.scored()
    event, identity = context.put("", context.small())
    key, version = event["detail"]["object"]["key"], event["detail"]["object"]["version-id"]
    context.write(_claimed(job, identity, key, version))
    context.invoke("Reconcile", {})
    context.succeeded(identity)


def reconcile_brings_what_belongs_beside_an_output(context: ScenarioContext) -> None:
    job = _unfinished(context)
    context.invoke("Reconcile", {})
    context.succeeded(job.job_id)
    context.driver.read(manifest_key(job.output_key))


def announce_tells_of_an_end(context: ScenarioContext) -> None:
    record = {"dynamodb": {"SequenceNumber": "1", "NewImage": _image(context.scored())}}
    answer = context.answer("Announce", {"Records": [record]})
    assert answer == {"batchItemFailures": []}, answer


def builder_looks_for_an_image_and_has_it_built(context: ScenarioContext) -> None:
    """No answer comes before the end of the build; a missing permission is reported immediately."""
    images = Images(context.driver, "ModelImage")
    with waiting_stack() as (url, answers):
        images.ask(url, f"Model.{uuid.uuid4().hex}")
        assert answers == [], answers


def _image(job: Job) -> dict[str, Any]:
    """The job's item as in a stream's record."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in item_of(job).items()}


def _claimed(like: Job, identity: str, key: str, version: str) -> Job:
    return replace(
        like,
        job_id=identity,
        file=key,
        version_id=version,
        status=State.CLAIMED,
        submitted_at=now(),
        output_key=f"output/{identity}.csv",
        batch_job_id=None,
        started_at=None,
        finished_at=None,
        rows=None,
        rows_scored=0,
        attempt=0,
    )


def _running(context: ScenarioContext, job: Job) -> Job:
    """The job's item while a worker still has something to report."""
    running = replace(job, status=State.RUNNING, finished_at=None, rows=None)
    context.write(running)
    return running


def _unfinished(context: ScenarioContext) -> Job:
    """Published scores without their list of rejected rows, manifest and final status."""
    bad = [*context.sample[:200], b"x" + context.sample[0]]
    job = context.scored("forgiving/", b"\n".join(bad) + b"\n")
    for key in (errors_key(job.output_key), manifest_key(job.output_key)):
        context.driver.client("s3").delete_object(Bucket=context.driver.bucket, Key=key)
    return _running(context, job)


def _ended(job: Job, status: str) -> dict[str, Any]:
    detail = {"jobId": job.batch_job_id, "status": status, "parameters": {"job_id": job.job_id, "run": str(job.run)}}
    return {"source": "aws.batch", "detail": detail}


EVERY: tuple[Scenario, ...] = (
    submit_takes_a_file,
    submit_takes_up_a_claim_that_was_cut_short,
    submit_reads_job_options,
    worker_scores_a_file,
    worker_wakes_a_model,
    worker_asks_a_serverless_model,
    worker_scores_shards_and_publishes_them,
    worker_leaves_no_upload_of_an_output_behind,
    worker_leaves_no_upload_of_a_part_behind,
    track_ends_a_job_whose_worker_could_not,
    track_brings_what_belongs_beside_an_output,
    reconcile_takes_a_file_whose_event_was_lost,
    reconcile_submits_what_was_only_claimed,
    reconcile_brings_what_belongs_beside_an_output,
    announce_tells_of_an_end,
    builder_looks_for_an_image_and_has_it_built,
)
