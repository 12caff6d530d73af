"""The one-shot main job: a throw-away cloud, the files dropped into it, their scores fetched, the cloud gone."""

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
from dropscore.cli.score import upload, upload_sidecar
from dropscore.cli.uploads import Drop
from dropscore.cli.watch import wait
from dropscore.errors import CloudError
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key
from local.cloud import Clock, Cloud, throwaway
from local.deployment.account import REGION
from model_tools.importing.command import import_artifact

TAKEN_SECONDS = 60.0
Talk = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """A file to score and where its scores go."""

    drop: Drop
    target: Path

    @property
    def errors(self) -> Path:
        """Where the list of bad rows goes, if there are any that the route bears."""
        return self.target.with_suffix(".errors.csv")


def run(orders: Sequence[Order], model: Path | None, keep: bool, talk: Talk, clock: Clock) -> list[Job]:
    """Score every file; scores of those that succeeded lie at their targets afterwards."""
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
    there = deployment(cloud)
    with clock.step("upload"):
        names = {_upload(there, order, talk): order.drop.name for order in orders}
    with clock.step("score"):
        jobs = wait(there.table, names, sleep=Watch(cloud, there, tuple(names)).sleep)
    with clock.step("fetch"):
        for job, order in zip(jobs, orders, strict=True):
            if job.status is State.SUCCEEDED:
                order.target.parent.mkdir(parents=True, exist_ok=True)
                there.s3.download_file(there.bucket, job.output_key, str(order.target))
            if job.rows_rejected:
                there.s3.download_file(there.bucket, errors_key(job.output_key), str(order.errors))
    return jobs


def _upload(there: Deployment, order: Order, talk: Talk) -> str:
    """The sidecar before its file, whose arrival starts the job. Returns the job's id."""
    drop = order.drop
    if sidecar := upload_sidecar(there, drop.file, drop.key):
        talk(f"{printable(drop.name)}: takes the options of {printable(sidecar)}")
    return upload(there, drop.file, drop.key)


class Watch:
    """Sleeps between two looks at the jobs, and raises once waiting has become pointless."""

    def __init__(self, cloud: Cloud, there: Deployment, job_ids: tuple[str, ...]) -> None:
        self._cloud, self._there, self._job_ids = cloud, there, job_ids
        self._sqs = cloud.client("sqs")
        self._deadline = time.monotonic() + TAKEN_SECONDS

    def sleep(self, seconds: float) -> None:
        if not self._cloud.is_running:
            raise _ended(self._cloud)
        if self._dead_letters():
            raise self._not_taken("a Lambda function failed on an event, three times over")
        if time.monotonic() > self._deadline and not all(self._is_taken(job_id) for job_id in self._job_ids):
            raise self._not_taken(f"a file was not taken within {TAKEN_SECONDS:.0f} s")
        time.sleep(min(seconds, 0.1))

    def _dead_letters(self) -> int:
        url = self._cloud.outputs["DeadLetterQueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    def _is_taken(self, job_id: str) -> bool:
        job = self._there.table.find(job_id)
        return job is not None and job.status is not State.CLAIMED

    def _not_taken(self, what: str) -> CloudError:
        log = self._cloud.home / "logs" / "emulator.log"
        said = [line for line in log.read_text(errors="replace").splitlines() if "Error" in line][-5:]
        return CloudError("\n".join([f"{what}. What the emulator's log says (--keep leaves all of it):", *said]))


def _ended(cloud: Cloud) -> CloudError:
    return CloudError(f"the embedded cloud has ended by itself; its logs (--keep leaves them): {cloud.home / 'logs'}")


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
    """SIGTERM unwinds as an exception would, so that the cloud is stopped and the folder removed."""

    def terminated(_signal: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
