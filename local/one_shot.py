"""Scores files in a temporary cloud: starts it, uploads the files, downloads the scores, stops it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from dropscore.cli.deployment import Deployment, embedded
from dropscore.cli.output import printable
from dropscore.cli.score import upload, upload_job_options
from dropscore.cli.uploads import Drop
from dropscore.cli.watch import wait
from dropscore.errors import CloudError
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key
from local.cloud import Clock, Cloud, throwaway
from local.deployment.account import REGION
from model_tools.importing.command import import_artifact

PICKUP_SECONDS = 60.0
Talk = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """An input file and the path for its scores."""

    drop: Drop
    target: Path

    @property
    def errors(self) -> Path:
        """The path for the list of rejected rows, if there are any."""
        return self.target.with_suffix(".errors.csv")


def score_files(orders: Sequence[Order], model: Path | None, keep: bool, talk: Talk, clock: Clock) -> list[Job]:
    """Score every file and write the scores of succeeded jobs to their targets.

    Returns the ended jobs in the order of `orders`. Raises CloudError if the cloud ends or does not start a job.
    """
    with _folder(keep, talk) as home, _terminable():
        environ = dict(os.environ)
        if model is not None:
            with clock.step("import the model"):
                environ["DROPSCORE_ARTIFACT"] = str(_imported(model, home))
        with throwaway(home / "cloud", environ, talk, clock) as cloud:
            try:
                jobs = _score(cloud, orders, talk, clock)
            except CloudError as error:
                raise error if cloud.is_running else _ended(cloud) from error
            talk("not emulated:\n" + "\n".join(f"  - {note}" for note in cloud.not_emulated))
    return jobs


def deployment(cloud: Cloud) -> Deployment:
    session = boto3.Session(region_name=REGION, **cloud.root)  # type: ignore[arg-type]
    return embedded(session, cloud.outputs, cloud.endpoint_url)


def _score(cloud: Cloud, orders: Sequence[Order], talk: Talk, clock: Clock) -> list[Job]:
    deployed = deployment(cloud)
    with clock.step("upload"):
        names = {_upload(deployed, order, talk): order.drop.name for order in orders}
    with clock.step("score"):
        jobs = wait(deployed.table, names, sleep=Watch(cloud, deployed, tuple(names)).sleep)
    with clock.step("fetch"):
        for job, order in zip(jobs, orders, strict=True):
            if job.status is State.SUCCEEDED:
                order.target.parent.mkdir(parents=True, exist_ok=True)
                deployed.s3.download_file(deployed.bucket, job.output_key, str(order.target))
            if job.rows_rejected:
                deployed.s3.download_file(deployed.bucket, errors_key(job.output_key), str(order.errors))
    return jobs


def _upload(deployed: Deployment, order: Order, talk: Talk) -> str:
    """Upload the job options file first, because the input's arrival starts the job. Returns the job's id."""
    drop = order.drop
    if job_options := upload_job_options(deployed, drop.file, drop.key):
        talk(f"{printable(drop.name)}: uses the options in {printable(job_options)}")
    return upload(deployed, drop.file, drop.key)


class Watch:
    """Sleeps between checks of the jobs; raises CloudError once they can no longer end."""

    def __init__(self, cloud: Cloud, deployed: Deployment, job_ids: tuple[str, ...]) -> None:
        self._cloud, self._deployed, self._job_ids = cloud, deployed, job_ids
        self._sqs = cloud.client("sqs")
        self._deadline = time.monotonic() + PICKUP_SECONDS

    def sleep(self, seconds: float) -> None:
        if not self._cloud.is_running:
            raise _ended(self._cloud)
        if self._dead_letters():
            raise self._not_started("a Lambda function failed three times on the same event")
        if time.monotonic() > self._deadline and not all(self._is_started(job_id) for job_id in self._job_ids):
            raise self._not_started(f"no job started for a file within {PICKUP_SECONDS:.0f} s")
        time.sleep(min(seconds, 0.1))

    def _dead_letters(self) -> int:
        url = self._cloud.outputs["DeadLetterQueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def _is_started(self, job_id: str) -> bool:
        job = self._deployed.table.find(job_id)
        return job is not None and job.status is not State.CLAIMED

    def _not_started(self, what: str) -> CloudError:
        log = self._cloud.home / "logs" / "emulator.log"
        errors = [line for line in log.read_text(errors="replace").splitlines() if "Error" in line][-5:]
        return CloudError("\n".join([f"{what}. Last errors in the emulator's log (kept with --keep):", *errors]))


def _ended(cloud: Cloud) -> CloudError:
    return CloudError(f"the embedded cloud ended unexpectedly; its logs (kept with --keep): {cloud.home / 'logs'}")


def _imported(model: Path, home: Path) -> Path:
    artifact = home / "model.tar.gz"
    import_artifact(model, artifact)
    return artifact


@contextmanager
def _folder(keep: bool, talk: Talk) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="dropscore-"))
    try:
        yield home
    finally:
        if keep:
            talk(f"logs and state are in {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that the cloud is stopped and the folder removed."""

    def terminated(_signal: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
