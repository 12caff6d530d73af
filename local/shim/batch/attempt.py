"""Runs one attempt of a Batch job: its image's entry point, its command, and exactly the environment of a container."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.deployment.account import REGION
from local.shim.batch.job import Job
from local.shim.batch.retry import TIMED_OUT, Outcome
from local.shim.image import Image
from local.shim.process import Process
from local.shim.resources import JobDefinition

STOP_SECONDS = 30  # ECS's grace between SIGTERM and SIGKILL
EXITED = "Essential container in task exited"


def container_environment(image: Image, pycache: Path, scratch: Path) -> dict[str, str]:
    """What any process of an image starts with: nothing of this machine but PATH, and nobody's credentials."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TMPDIR": str(scratch),
        "HOME": str(scratch),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **image.environment,
        "PYTHONDONTWRITEBYTECODE": "",  # written outside of the image's folder, so that the next start is quick
        "PYTHONPYCACHEPREFIX": str(pycache),
    }


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where this machine's attempts run."""

    emulator_url: str
    shim_url: str
    state: Path

    def log(self, stream: str) -> Path:
        return self.state / "logs" / f"{stream}.log"

    def endpoints(self) -> dict[str, str]:
        """boto3's own variables: S3 and the like go to the emulator, Batch and the SageMaker runtime to the shim."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.emulator_url,
            "AWS_ENDPOINT_URL_BATCH": self.shim_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.shim_url,
        }


def substituted(command: list[str], parameters: Mapping[str, str]) -> list[str]:
    """`Ref::name` replaced wherever it stands in a word, as Batch does; an unknown name stays as it is."""
    return [re.sub(r"Ref::(\w+)", lambda ref: parameters.get(ref[1], ref[0]), word) for word in command]


def attempt_environment(
    job: Job, definition: JobDefinition, image: Image, around: Surroundings, credentials_token: str, scratch: Path
) -> dict[str, str]:
    environment = container_environment(image, around.state / "pycache", scratch) | around.endpoints()
    environment |= {**definition.environment, **job.environment}
    environment |= {
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts)),
        "AWS_BATCH_JQ_NAME": job.queue.rsplit("/", 1)[1],
    }
    if job.array_index is not None:
        environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        environment["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.parent_size)
    if definition.job_role_arn:
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{around.shim_url}/_dropscore/credentials/{job.id}"
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = credentials_token
    return environment


def run(
    job: Job,
    definition: JobDefinition,
    image: Image,
    around: Surroundings,
    credentials_token: str,
    started: Callable[[Process], None],
) -> tuple[Outcome, int]:
    """The attempt's outcome and its peak memory in bytes. `started` is given the process once it runs."""
    scratch = Path(tempfile.mkdtemp(prefix="attempt-", dir=around.state))
    environment = attempt_environment(job, definition, image, around, credentials_token, scratch)
    command = [*image.command, *substituted(job.command, job.parameters)]
    timed_out = threading.Event()
    try:
        process = Process(command, image.directory, environment, around.log(job.attempts[-1].log_stream))
        timer = threading.Timer(job.timeout_seconds or threading.TIMEOUT_MAX, _expire, (process, timed_out))
        timer.daemon = True
        timer.start()
        started(process)
        code, peak = process.wait()
        timer.cancel()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Outcome(code, status_reason=TIMED_OUT if timed_out.is_set() else EXITED), peak


def _expire(process: Process, timed_out: threading.Event) -> None:
    timed_out.set()
    process.stop(STOP_SECONDS)
