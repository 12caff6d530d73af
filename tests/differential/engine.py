"""Runs a case through the worker's own code, and compares what it published with the oracle's answer."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dropscore.errors import JobError
from dropscore.jobs.job import Job, State
from dropscore.jobs.plan import Plan
from dropscore.jobs.routes import Model, StoredNames
from dropscore.scoring.pace import Retry
from dropscore.scoring.worker import Worker
from dropscore.settings import WorkerSettings
from tests.differential.case import Case
from tests.differential.memory import MemoryRuntime, MemoryS3, MemoryTable
from tests.differential.models import DemoModel, write_raw
from tests.differential.oracle import Answer, UnreadableError, answer_to, read_csv

BUCKET = "bucket"
OUTPUT = "output/1-a.csv"
NAMES = "assets/feature-names.json"


@dataclass(frozen=True)
class Outcome:
    """The published scores, or the reason why nothing was published."""

    output: bytes | None
    code: str = ""


def difference(case: Case, outcome: Outcome) -> str | None:
    """Describes what is wrong with the outcome, or returns None.

    Dropscore may refuse a damaged file that the oracle can read, but only with an error. What it publishes must equal
    the oracle's answer.
    """
    try:
        answer = answer_to(case)
    except UnreadableError as error:
        return None if outcome.output is None else f"was published; the oracle: {error}"
    if outcome.output is None:
        return None if case.damage is not None else f"was refused: {outcome.code}"
    return _compared(case, answer, outcome.output)


def _compared(case: Case, answer: Answer, output: bytes) -> str | None:
    form = case.options.get("output", "scores")
    rows = _scores(output) if form == "scores" else read_csv(output, case.delimiter)
    if form != "scores" and answer.header:
        rows.pop(0)
    if len(rows) != len(answer.table):
        return f"{len(rows)} lines came out for {len(answer.table)} rows"
    for number, (row, cells, scores) in enumerate(zip(rows, answer.table, answer.scores, strict=True), 1):
        kept = {"scores": [], "append": cells, "id": _id(case, answer, cells)}[form]
        if row[: len(kept)] != kept:
            return f"row {number}: {row[: len(kept)]} is written in place of {kept}"
        may_refuse = case.damage is not None and "max_bad_rows" in case.options
        wrong = _wrong_scores(row[len(kept) :], scores, is_bad=number in answer.bad, may_refuse=may_refuse)
        if wrong:
            return f"row {number}: {wrong}"
    return None


def _scores(output: bytes) -> list[list[str]]:
    """A rejected row has an empty line."""
    return [line.split(",") for line in output.decode().removesuffix("\n").split("\n")]


def _id(case: Case, answer: Answer, cells: list[str]) -> list[str]:
    id_column = case.options.get("id")
    if id_column is None:
        return []
    names = [name.strip() for name in answer.header]
    place = id_column - 1 if isinstance(id_column, int) else names.index(id_column)
    return cells[place : place + 1]


def _wrong_scores(written: list[str], scores: Any, *, is_bad: bool, may_refuse: bool) -> str | None:
    if is_bad or (may_refuse and not any(written)):
        return f"a bad row has {written}" if any(written) else None
    if all(written) and [np.float32(score) for score in written] == list(scores):
        return None
    return f"scores {written} in place of {list(scores)}"


def run(case: Case) -> Outcome:
    """Runs the job from its first shard to its publication, with one attempt each."""
    served = serving_model(case.model)
    s3, table = MemoryS3(), MemoryTable(_job(case, served.version))
    s3.objects[case.key] = (case.dropped, {})
    s3.objects[NAMES] = (json.dumps(case.model.names).encode(), {})
    worker = Worker(
        settings=WorkerSettings(
            jobs_table="jobs",
            bucket=BUCKET,
            environment="test",
            models={case.model.label: _deployed(case, served.version)},
            max_concurrent_requests=2,
            image="image",
            batch_job_id="batch",
            attempt=1,
        ),
        table=table,  # type: ignore[arg-type]
        s3=s3,  # type: ignore[arg-type]
        runtime=MemoryRuntime(served),  # type: ignore[arg-type]
        retry=Retry(attempts=2, sleep=lambda _: None),
    )
    try:
        _work(worker, table.job)
    except JobError as error:
        assert OUTPUT not in s3.objects, "a job that failed has published"
        return Outcome(None, error.code)
    return Outcome(s3.objects[OUTPUT][0])


def _work(worker: Worker, job: Job) -> None:
    if job.shards == 1:
        worker.score(job.job_id)
        return
    for index in range(job.shards):
        worker.score_shard(job.job_id, index)
    worker.publish(job.job_id)


def _deployed(case: Case, version: str) -> Model:
    return Model(
        name=case.model.label,
        endpoint="endpoint",
        version=version,
        max_payload_bytes=case.max_payload_bytes,
        features=case.model.features,
        feature_names=StoredNames(BUCKET, NAMES) if case.model.names else None,
    )


def _job(case: Case, version: str) -> Job:
    size = len(case.dropped)
    plan = Plan.of(size, max(1, -(-size // case.shards)), is_one_shard=case.is_compressed)
    return Job(
        job_id="0" * 32,
        file=case.key,
        version_id="1",
        route="default",
        model=case.model.label,
        model_version=version,
        status=State.SUBMITTED,
        submitted_at="2026-01-01T00:00:00.000Z",
        output_key=OUTPUT,
        size_bytes=size,
        options=json.dumps(case.options),
        shards=plan.shards,
        shard_bytes=plan.shard_bytes,
    )


@cache
def serving_model(demo: DemoModel) -> Any:
    """The model as the container loads it from an artifact of Dropscore."""
    from model.serving.loading import load
    from model_tools.artifact import load as read
    from model_tools.importing.command import import_artifact

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import_artifact(write_raw(demo, folder), folder / "model.tar.gz")
        manifest, model = read((folder / "model.tar.gz").read_bytes())
        (folder / "served").mkdir()
        (folder / "served" / manifest.model).write_bytes(model)
        (folder / "served" / "manifest.json").write_bytes(manifest.to_json())
        return load(folder / "served")
