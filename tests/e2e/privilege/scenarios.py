"""What each role is for, done once: each raises AssertionError, with what the cloud said, where it cannot be done.

The rule that driver dropped files to `submit` is off: the functions are invoked by hand, so that their errors are seen.
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
from tests.e2e.privilege.stage import Scenario, Stage

LARGE_BYTES = 8_000_000  # two shards


def submit_takes_a_file(stage: Stage) -> None:
    stage.scored()


def submit_takes_up_a_claim_that_was_cut_short(stage: Stage) -> None:
    job = stage.scored()
    event, identity = stage.put("", stage.small())
    key, version = event["detail"]["object"]["key"], event["detail"]["object"]["version-id"]
    stage.write(_claimed(job, identity, key, version))
    stage.invoke("Submit", event)
    stage.succeeded(identity)


def submit_reads_a_sidecar(stage: Stage) -> None:
    event, identity = stage.put("", stage.small(), sidecar={"header": False})
    stage.invoke("Submit", event)
    stage.succeeded(identity)


def worker_scores_a_file(stage: Stage) -> None:
    stage.scored()


def worker_wakes_a_model(stage: Stage) -> None:
    stage.scored("night/")


def worker_asks_a_serverless_model(stage: Stage) -> None:
    stage.scored("light/")


def worker_scores_shards_and_publishes_them(stage: Stage) -> None:
    rows = stage.sample * (LARGE_BYTES // sum(map(len, stage.sample)))
    job = stage.scored(body=b"\n".join(rows) + b"\n")
    assert job.shards > 1


def worker_leaves_no_upload_of_an_output_behind(stage: Stage) -> None:
    _rejects_late(stage, ".csv.gz", "output/")  # packed, it has no shards and no parts


def worker_leaves_no_upload_of_a_part_behind(stage: Stage) -> None:
    _rejects_late(stage, ".csv", "parts/")


def _rejects_late(stage: Stage, ending: str, prefix: str) -> None:
    """A file whose last row is bad: of its scores, several uploads' worth, those that were sent are thrown away."""
    columns = stage.sample[0].count(b",") + 1
    rows = b"0,".join([b""] * columns) + b"0\n"
    text = rows * (LARGE_BYTES // len(rows)) + b"x" + rows[1:]
    sidecar = {"header": False, "output": "append", "threshold": 0.5, "labels": ["n" * 200, "y" * 200]}
    event, identity = stage.put("", gzip.compress(text, 1) if ending.endswith("gz") else text, ending, sidecar)
    stage.invoke("Submit", event)
    job = stage.driver.ended(identity)
    assert job.status is State.REJECTED, f"{job.code}: {job.message}"
    _all_shards_ended(stage, identity)
    left = stage.driver.client("s3").list_multipart_uploads(Bucket=stage.driver.bucket).get("Uploads", [])
    own = [each["Key"] for each in left if each["Key"] == job.output_key or identity in each["Key"]]
    assert not [key for key in own if key.startswith(prefix)], "s3:AbortMultipartUpload was not done"


def _all_shards_ended(stage: Stage, identity: str) -> None:
    """The first bad shard ends the job; the others stop, and throw away what they sent, when they next look."""
    deadline = time.monotonic() + WAIT_SECONDS
    while {each["status"] for each in stage.driver.batch_jobs(identity)} - {"SUCCEEDED", "FAILED"}:
        assert time.monotonic() < deadline, f"the shards of {identity} do not end"
        time.sleep(0.1)


def track_ends_a_job_whose_worker_could_not(stage: Stage) -> None:
    job = _running(stage, stage.scored())
    stage.driver.client("s3").delete_object(Bucket=stage.driver.bucket, Key=job.output_key)
    stage.invoke("Track", _ended(job, "FAILED"))
    found = stage.driver.find(job.job_id)
    assert found is not None
    assert found.status is State.FAILED, found
    assert found.code == "BATCH_FAILED", f"{found.code}: {found.message}"


def track_brings_what_belongs_beside_an_output(stage: Stage) -> None:
    job = _unfinished(stage)
    stage.invoke("Track", _ended(job, "SUCCEEDED"))
    stage.succeeded(job.job_id)
    stage.driver.read(manifest_key(job.output_key))


def reconcile_takes_a_file_whose_event_was_lost(stage: Stage) -> None:
    _, identity = stage.put("", stage.small(), sidecar={"header": False})
    stage.invoke("Reconcile", {})
    stage.succeeded(identity)


def reconcile_submits_what_was_only_claimed(stage: Stage) -> None:
    job = stage.scored()
    event, identity = stage.put("", stage.small())
    key, version = event["detail"]["object"]["key"], event["detail"]["object"]["version-id"]
    stage.write(_claimed(job, identity, key, version))
    stage.invoke("Reconcile", {})
    stage.succeeded(identity)


def reconcile_brings_what_belongs_beside_an_output(stage: Stage) -> None:
    job = _unfinished(stage)
    stage.invoke("Reconcile", {})
    stage.succeeded(job.job_id)
    stage.driver.read(manifest_key(job.output_key))


def announce_tells_of_an_end(stage: Stage) -> None:
    record = {"dynamodb": {"SequenceNumber": "1", "NewImage": _image(stage.scored())}}
    answer = stage.answer("Announce", {"Records": [record]})
    assert answer == {"batchItemFailures": []}, answer


def builder_looks_for_an_image_and_has_it_built(stage: Stage) -> None:
    """Nothing is answered before the build has ended; what may not be done is answered at once."""
    images = Images(stage.driver, "ModelImage")
    with waiting_stack() as (url, answers):
        images.ask(url, f"Model.{uuid.uuid4().hex}")
        assert answers == [], answers


def _image(job: Job) -> dict[str, Any]:
    """A row as a stream has it."""
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


def _running(stage: Stage, job: Job) -> Job:
    """The row as it is while a worker still has something to say."""
    running = replace(job, status=State.RUNNING, finished_at=None, rows=None)
    stage.write(running)
    return running


def _unfinished(stage: Stage) -> Job:
    """Scores that are published, without the list, the manifest and the last word that belong to them."""
    bad = [*stage.sample[:200], b"x" + stage.sample[0]]
    job = stage.scored("forgiving/", b"\n".join(bad) + b"\n")
    for key in (errors_key(job.output_key), manifest_key(job.output_key)):
        stage.driver.client("s3").delete_object(Bucket=stage.driver.bucket, Key=key)
    return _running(stage, job)


def _ended(job: Job, status: str) -> dict[str, Any]:
    detail = {"jobId": job.batch_job_id, "status": status, "parameters": {"job_id": job.job_id, "run": str(job.run)}}
    return {"source": "aws.batch", "detail": detail}


EVERY: tuple[Scenario, ...] = (
    submit_takes_a_file,
    submit_takes_up_a_claim_that_was_cut_short,
    submit_reads_a_sidecar,
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
