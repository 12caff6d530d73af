"""Runs one attempt of a Batch job: the image's entry point with the job's command and environment."""

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

STOP_SECONDS = 30  # ECS's grace period between SIGTERM and SIGKILL
EXITED = "Essential container in task exited"


def container_environment(image: Image, pycache: Path, scratch: Path) -> dict[str, str]:
    """The base environment of an image's process: only PATH from this machine, and no credentials."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TMPDIR": str(scratch),
        "HOME": str(scratch),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **image.environment,
        "PYTHONDONTWRITEBYTECODE": "",  # bytecode goes to PYTHONPYCACHEPREFIX, so the next start is fast
        "PYTHONPYCACHEPREFIX": str(pycache),
    }


@dataclass(frozen=True, kw_only=True)
class ContainerHost:
    """The machine that runs containers: the URLs of its services and its state folder."""

    emulator_url: str
    shim_url: str
    state: Path

    def log(self, stream: str) -> Path:
        return self.state / "logs" / f"{stream}.log"

    def endpoints(self) -> dict[str, str]:
        """boto3's variables that point Batch and the SageMaker runtime to the shim, other services to the emulator."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.emulator_url,
            "AWS_ENDPOINT_URL_BATCH": self.shim_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.shim_url,
        }


def substitute(command: list[str], parameters: Mapping[str, str]) -> list[str]:
    """Replace `Ref::name` anywhere in a word, as Batch does; unknown names stay."""
    return [re.sub(r"Ref::(\w+)", lambda ref: parameters.get(ref[1], ref[0]), word) for word in command]


def attempt_environment(
    job: Job, definition: JobDefinition, image: Image, host: ContainerHost, credentials_token: str, scratch: Path
) -> dict[str, str]:
    environment = container_environment(image, host.state / "pycache", scratch) | host.endpoints()
    environment |= {**definition.environment, **job.environment}
    environment |= {
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts)),
        "AWS_BATCH_JQ_NAME": job.queue.rsplit("/", 1)[1],
    }
    if job.array_index is not None:
        environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        environment["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.parent_size)
    # As on ECS, so that a long job can renew its session (decision 0057).
    if definition.job_role_arn:
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{host.shim_url}/_dropscore/credentials/{job.id}"
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = credentials_token
    return environment


def run(
    job: Job,
    definition: JobDefinition,
    image: Image,
    host: ContainerHost,
    credentials_token: str,
    started: Callable[[Process], None],
) -> tuple[Outcome, int]:
    """Run an attempt; returns its outcome and peak memory in bytes. Calls `started` with the process."""
    scratch = Path(tempfile.mkdtemp(prefix="attempt-", dir=host.state))
    environment = attempt_environment(job, definition, image, host, credentials_token, scratch)
    command = [*image.command, *substitute(job.command, job.parameters)]
    timed_out = threading.Event()
    try:
        process = Process(command, image.directory, environment, host.log(job.attempts[-1].log_stream))
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
