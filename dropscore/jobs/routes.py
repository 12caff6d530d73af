"""The route and model of an input's key, and the keys of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dropscore.jobs.options import Options
from schema.keys import CSV, GZIP, INPUT, JOB_OPTIONS, OUTPUT

DEFAULT_ROUTE = "default"


@dataclass(frozen=True, kw_only=True)
class Route:
    name: str
    model: str
    options: Options = field(default_factory=Options)
    priority: int = 0
    """0 to 9999: waiting jobs with a higher priority start first."""


class StoredNames(NamedTuple):
    """The object with the names of a model's features: a JSON list that the deployment writes."""

    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """A deployed model. `features` is the number of its features, None if the artifact does not name it.

    `digest` is the SHA-256 of the artifact's archive, None if the container includes the model. `component` is the
    inference component of the model, if the endpoint can scale to zero instances.
    """

    name: str
    endpoint: str
    version: str
    max_payload_bytes: int
    features: int | None = None
    digest: str | None = None
    component: str | None = None
    feature_names: StoredNames | None = None
    """None if the names are unknown."""


def is_compressed(key: str) -> bool:
    return key.lower().endswith(GZIP)


def job_options_key(key: str) -> str:
    """input/a.csv → input/a.csv.job.json: the options of this one file."""
    return key + JOB_OPTIONS


def route_of(key: str, routes: Mapping[str, Route]) -> Route:
    """The route named by the first folder under input/, else the default one."""
    folder, slash, _ = key.removeprefix(INPUT).partition("/")
    return routes[folder] if slash and folder in routes else routes[DEFAULT_ROUTE]


def output_key(key: str, submitted_at: str, job_id: str) -> str:
    """input/a/b.csv.gz, submitted 2026-11-21T01:40:19.123Z → output/a/20261121T014019123456789Z-b.csv.

    The six digits after the milliseconds come from the job's id: two versions may be claimed in the same millisecond.
    Scores are CSV, so every output's name ends in .csv: input/0000_part_00 → output/…Z-0000_part_00.csv.
    """
    folder, _, name = key.removeprefix(INPUT).rpartition("/")
    moment = submitted_at.removesuffix("Z").translate(str.maketrans("", "", "-:."))
    stamp = f"{moment}{int(job_id[:8], 16) % 1_000_000:06}Z"
    plain = name[: -len(GZIP)] if is_compressed(name) else name
    suffix = "" if plain.lower().endswith(CSV) else CSV
    return f"{OUTPUT}{folder + '/' if folder else ''}{stamp}-{plain}{suffix}"


def errors_key(output_key: str) -> str:
    """output/a/20261121T014019123Z-b.csv → output/a/20261121T014019123Z-b.errors.csv."""
    return f"{output_key[: -len(CSV)]}.errors{CSV}"


def manifest_key(output_key: str) -> str:
    """output/a/20261121T014019123Z-b.csv → output/a/20261121T014019123Z-b.manifest.json."""
    return f"{output_key[: -len(CSV)]}.manifest.json"
