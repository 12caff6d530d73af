"""What is tried, in this order. Each raises UnmetError, or an error of AWS, where the deployment does not do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from botocore.exceptions import ClientError

from dropscore.cli.verify import verify_job
from dropscore.jobs.job import Job, State
from tools.smoke.expected import written_scores
from tools.smoke.stage import Stage, UnmetError, expect

SHARDS_BYTES = 600 << 20  # more than twice `worker.shard_mib` as it is delivered


@dataclass(frozen=True)
class Proof:
    says: str
    promises: tuple[int, ...]
    """The numbers of docs/promises.md that it is a witness of."""
    prove: Callable[[Stage], None]


def scored(stage: Stage) -> None:
    _, identity = stage.put("sample.csv", stage.sample)
    stage.jobs["sample"] = job = stage.ended(identity, State.SUCCEEDED)
    rows = len(stage.sample.splitlines())
    expect(job.rows == rows, f"{rows} rows went in, {job.rows} came out")
    if stage.expected is not None:
        scores = written_scores(stage.read(job.output_key))
        expect(np.array_equal(scores, stage.expected), "the scores differ from the model's own on this machine")


def verified(stage: Stage) -> None:
    _verify(stage, stage.jobs["sample"])


def taken_once(stage: Stage) -> None:
    """The same event again, straight to `submit`, as EventBridge may send it."""
    job = stage.jobs["sample"]
    thing = {"key": job.file, "version-id": job.version_id, "size": job.size_bytes}
    detail = {"bucket": {"name": stage.there.bucket}, "object": thing}
    stage.invoke("SubmitFunctionName", {"source": "aws.s3", "detail": detail})
    expect(stage.there.table.find(job.job_id) == job, f"the repeated event changed job {job.job_id}")
    outputs = [key for key in stage.keys("output/") if key.endswith("sample.csv")]
    expect(outputs == [job.output_key], f"the repeated event gave {len(outputs)} outputs")


def versions_apart(stage: Stage) -> None:
    """Two versions of one key, at once: each has its own scores."""
    lines = stage.sample.splitlines(keepends=True)
    pair = [stage.put("versions.csv", b"".join(lines[:count]))[1] for count in (2, 3)]
    jobs = [stage.ended(identity, State.SUCCEEDED) for identity in pair]
    expect([job.rows for job in jobs] == [2, 3], f"versions of 2 and 3 rows gave {[job.rows for job in jobs]}")
    expect(jobs[0].output_key != jobs[1].output_key, "two versions share one output")


def rejected_by_row(stage: Stage) -> None:
    lines = stage.sample.splitlines(keepends=True)[:5]
    lines[3] = b"smoke-secret" + lines[3]
    _, identity = stage.put("bad.csv", b"".join(lines))
    job = stage.ended(identity, State.REJECTED)
    said = job.message or ""
    expect("row 4" in said, f"row 4 is bad, and the job says: {job.message}")
    expect("smoke-secret" not in repr(job), "the job's row quotes the file")
    expect(not [key for key in stage.keys("output/") if key.endswith("bad.csv")], "a rejected file has an output")


def shards(stage: Stage) -> None:
    """An array job, its publishing job, and UploadPartCopy under the key; takes minutes, and half a gigabyte."""
    _, identity = stage.put("large.csv", stage.sample * (SHARDS_BYTES // len(stage.sample) + 1))
    job = stage.ended(identity, State.SUCCEEDED)
    expect(job.shards > 1, f"a file of {job.size_bytes} bytes was not cut; is worker.shard_mib larger?")
    _verify(stage, job)


def reconciled(stage: Stage) -> None:
    job = stage.jobs["sample"]
    answer = stage.invoke("ReconcileFunctionName", {})
    expect(set(answer) >= {"ended", "unsubmitted", "lost"}, f"reconcile answered {answer}")
    expect(stage.there.table.find(job.job_id) == job, f"reconcile changed job {job.job_id}, which had ended")


def private(stage: Stage) -> None:
    """Neither without encryption nor with another key may anybody write here."""
    for said in (
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/aws/s3"},
    ):
        try:
            stage.put("foreign.txt", b"x", **said)
        except ClientError as error:
            expect(error.response["Error"]["Code"] == "AccessDenied", f"{said} was refused, but with {error}")
        else:
            raise UnmetError(f"the bucket took an object with {said}")


def nothing_is_left(stage: Stage) -> None:
    scoring = stage.scoring
    asked = scoring.queues.get_queue_attributes(
        QueueUrl=scoring.outputs["DeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    count = int(asked["Attributes"]["ApproximateNumberOfMessages"])
    expect(count == 0, f"{count} events lie in the dead-letter queue; `dropscore redrive`")


def _verify(stage: Stage, job: Job) -> None:
    findings = verify_job(stage.there, job, with_input=True)
    problems = [f"{found.what}: {found.problem}" for found in findings if found.problem]
    expect(not problems, "; ".join(problems))


PROOFS = (
    Proof("a dropped file is scored, row for row as the model scores it here", (2, 10), scored),
    Proof("output, manifest and input agree byte for byte", (3, 7), verified),
    Proof("the same event again changes nothing", (1, 5), taken_once),
    Proof("two versions of one key have their own scores", (5, 6), versions_apart),
    Proof("a bad row is named by number, its content nowhere", (8, 9), rejected_by_row),
    Proof("reconcile looks for lost events, and leaves alone what was scored", (13,), reconciled),
    Proof("the bucket takes nothing that is not under its own key", (), private),
    Proof("the dead-letter queue is empty", (), nothing_is_left),
)
LARGE = Proof("a large file is scored in shards, and published as one", (2, 3, 7, 12), shards)
ONLY_ELSEWHERE = {
    4: "killing a worker at every side effect: `make test-faults`",
    11: "an endpoint that is overloaded on purpose: `make test-faults`",
    12: "flat memory: `make test-slow`; a large file here: LARGE=1",
}
"""Promises of which nothing here is a witness, and what is."""
