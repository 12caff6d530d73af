"""The worker container: `score --job-id ID`, `publish --job-id ID`.

In an array job, `score` scores the shard that AWS_BATCH_JOB_ARRAY_INDEX names. AWS Batch acts on the exit code:

0   done, or nothing to do     10  permanent: EXIT     75  transient, also SIGTERM: RETRY

Any other code is a crash. Batch ends the job at 1, a bug in Dropscore, and retries at the others, such as a kill.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from types import FrameType

import boto3
from botocore.config import Config

from dropscore.aws.faults import AWS_ERRORS, fault
from dropscore.aws.table import JobsTable
from dropscore.errors import DropscoreError, TransientError
from dropscore.log import ERROR, WARNING, about, log
from dropscore.scoring.endpoint import runtime_config
from dropscore.scoring.worker import Worker
from dropscore.settings import WorkerSettings

DONE, PERMANENT, TRANSIENT = 0, 10, 75
START_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)  # on a busy host the credential endpoint is slow to answer
RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=5, read_timeout=60)


def main(arguments: list[str]) -> int:
    """Return the exit code. On SIGTERM, raises SystemExit with the transient one."""
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument(
        "verb", choices=["score", "publish"], help="score a job's file or shard; publish all its shards"
    )
    parser.add_argument("--job-id", required=True)
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse exits with 2, which Batch would retry
        return PERMANENT if stop.code else DONE
    signal.signal(signal.SIGTERM, _terminated)
    with about(job_id=options.job_id):
        return _run(options.verb, options.job_id)


def _run(verb: str, job_id: str) -> int:
    try:
        _do(verb, _start(), job_id)
    except AWS_ERRORS as error:
        return _exit_code(fault(error, "calling AWS"))
    except DropscoreError as error:
        return _exit_code(error)
    return DONE


def _exit_code(error: DropscoreError) -> int:
    code = TRANSIENT if isinstance(error, TransientError) else PERMANENT
    log("left", WARNING if code == TRANSIENT else ERROR, exit_code=code, why=str(error))
    return code


def _do(verb: str, worker: Worker, job_id: str) -> None:
    settings = worker.settings
    with about(batch_job_id=settings.batch_job_id, attempt=settings.attempt, shard=settings.shard):
        if verb == "publish":
            worker.publish(job_id)
        elif settings.shard is None:
            worker.score(job_id)
        else:
            worker.score_shard(job_id, settings.shard)


def _start() -> Worker:
    """Make the worker, and retry for some seconds: boto3 needs credentials at once, and their endpoint may be slow."""
    for seconds in START_WAITS_SECONDS:
        try:
            return _worker()
        except AWS_ERRORS as error:
            reason = fault(error, "starting the worker")
            if not isinstance(reason, TransientError):
                raise reason from error
            log("waiting", WARNING, why=reason.message)
            # Random, because the workers of an array start together.
            time.sleep(random.uniform(seconds / 2, seconds))
    return _worker()


def _worker() -> Worker:
    settings = WorkerSettings.from_env(os.environ)
    return Worker(
        settings=settings,
        table=JobsTable(boto3.resource("dynamodb", config=RETRIES).Table(settings.jobs_table)),
        s3=boto3.client("s3", config=RETRIES),
        runtime=boto3.client("sagemaker-runtime", config=runtime_config(settings.max_concurrent_requests)),
    )


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """End on a spot reclaim or a cancellation. SystemExit, so that no error handler takes it for a fault."""
    log("terminated", WARNING, why="the worker was stopped; the next attempt scores what it has not published")
    raise SystemExit(TRANSIENT)


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else PERMANENT
    with contextlib.suppress(OSError, ValueError):  # Batch must get the exit code even if the log is closed
        sys.stdout.flush()
    os._exit(code)  # do not wait for requests in flight: that could exceed the stop timeout
