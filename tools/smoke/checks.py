"""The checks, in this order. Each raises UnmetError or an AWS error if the deployment fails it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from botocore.exceptions import ClientError

from dropscore.cli.verify import verify_job
from dropscore.jobs.job import Job, State
from tools.smoke.expected import written_scores
from tools.smoke.run import SmokeRun, UnmetError, expect

SHARDS_BYTES = 600 << 20  # more than twice the default of `worker.shard_mib`


@dataclass(frozen=True)
class Check:
    title: str
    promises: tuple[int, ...]
    """The numbers of the promises in docs/promises.md that it tests."""
    function: Callable[[SmokeRun], None]


def scored(run: SmokeRun) -> None:
    _, identity = run.put("sample.csv", run.sample)
    run.jobs["sample"] = job = run.ended(identity, State.SUCCEEDED)
    rows = len(run.sample.splitlines())
    expect(job.rows == rows, f"{rows} rows went in, {job.rows} came out")
    if run.expected is not None:
        scores = written_scores(run.read(job.output_key))
        expect(np.array_equal(scores, run.expected), "the scores differ from the model's own on this machine")


def verified(run: SmokeRun) -> None:
    _verify(run, run.jobs["sample"])


def taken_once(run: SmokeRun) -> None:
    """Send the same event to `submit` again, as EventBridge may do."""
    job = run.jobs["sample"]
    uploaded = {"key": job.file, "version-id": job.version_id, "size": job.size_bytes}
    detail = {"bucket": {"name": run.deployment.bucket}, "object": uploaded}
    run.invoke("SubmitFunctionName", {"source": "aws.s3", "detail": detail})
    expect(run.deployment.table.find(job.job_id) == job, f"the repeated event changed job {job.job_id}")
    outputs = [key for key in run.keys("output/") if key.endswith("sample.csv")]
    expect(outputs == [job.output_key], f"the repeated event gave {len(outputs)} outputs")


def versions_apart(run: SmokeRun) -> None:
    """Two versions of one key at once: each has its own scores."""
    lines = run.sample.splitlines(keepends=True)
    pair = [run.put("versions.csv", b"".join(lines[:count]))[1] for count in (2, 3)]
    jobs = [run.ended(identity, State.SUCCEEDED) for identity in pair]
    expect([job.rows for job in jobs] == [2, 3], f"versions of 2 and 3 rows gave {[job.rows for job in jobs]}")
    expect(jobs[0].output_key != jobs[1].output_key, "two versions share one output")


def rejected_by_row(run: SmokeRun) -> None:
    lines = run.sample.splitlines(keepends=True)[:5]
    lines[3] = b"smoke-secret" + lines[3]
    _, identity = run.put("bad.csv", b"".join(lines))
    job = run.ended(identity, State.REJECTED)
    expect("row 4" in (job.message or ""), f"row 4 is bad, but the job's message is: {job.message}")
    expect("smoke-secret" not in repr(job), "the job's item contains content of the file")
    expect(not [key for key in run.keys("output/") if key.endswith("bad.csv")], "a rejected file has an output")


def shards(run: SmokeRun) -> None:
    """An array job, its publishing job, and UploadPartCopy with the key. Takes minutes and uploads 600 MiB."""
    _, identity = run.put("large.csv", run.sample * (SHARDS_BYTES // len(run.sample) + 1))
    job = run.ended(identity, State.SUCCEEDED)
    expect(job.shards > 1, f"a file of {job.size_bytes} bytes was not divided into shards; is worker.shard_mib larger?")
    _verify(run, job)


def reconciled(run: SmokeRun) -> None:
    job = run.jobs["sample"]
    answer = run.invoke("ReconcileFunctionName", {})
    expect(set(answer) >= {"ended", "unsubmitted", "lost"}, f"reconcile answered {answer}")
    expect(run.deployment.table.find(job.job_id) == job, f"reconcile changed job {job.job_id}, which had ended")


def private(run: SmokeRun) -> None:
    """Reject objects with another encryption or another key."""
    for encryption in (
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/aws/s3"},
    ):
        try:
            run.put("foreign.txt", b"x", **encryption)
        except ClientError as error:
            expect(error.response["Error"]["Code"] == "AccessDenied", f"{encryption} was rejected, but with {error}")
        else:
            raise UnmetError(f"the bucket accepted an object with {encryption}")


def nothing_is_left(run: SmokeRun) -> None:
    scoring = run.scoring
    response = scoring.queues.get_queue_attributes(
        QueueUrl=scoring.outputs["DeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    count = int(response["Attributes"]["ApproximateNumberOfMessages"])
    expect(count == 0, f"{count} events are in the dead-letter queue; run `dropscore redrive`")


def _verify(run: SmokeRun, job: Job) -> None:
    problems = [
        f"{found.what}: {found.problem}" for found in verify_job(run.deployment, job, with_input=True) if found.problem
    ]
    expect(not problems, "; ".join(problems))


CHECKS = (
    Check("an input is scored exactly as the model scores it here", (2, 10), scored),
    Check("output, manifest and input agree byte for byte", (3, 7), verified),
    Check("the same event again changes nothing", (1, 5), taken_once),
    Check("two versions of one key have their own scores", (5, 6), versions_apart),
    Check("a bad row is reported by its number, without its content", (8, 9), rejected_by_row),
    Check("reconcile runs and leaves scored jobs unchanged", (13,), reconciled),
    Check("the bucket rejects objects with another key", (), private),
    Check("the dead-letter queue is empty", (), nothing_is_left),
)
LARGE = Check("a large file is scored in shards and published as one output", (2, 3, 7, 12), shards)
TESTED_ELSEWHERE = {
    4: "killing a worker at every side effect: `make test-faults`",
    11: "an overloaded endpoint: `make test-faults`",
    12: "flat memory: `make test-slow`; a large file here: LARGE=1",
}
"""Promises that are not tested here, and the tests that do."""
