"""Which keys are inputs, which route and model a key gets, and where its scores go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INPUT = "input/"
OUTPUT = "output/"
DEFAULT_ROUTE = "default"
SUFFIX = ".csv"


@dataclass(frozen=True, kw_only=True)
class Route:
    name: str
    model: str
    max_bad_rows: str | int = 0


@dataclass(frozen=True, kw_only=True)
class Model:
    """A deployed model as the runtime sees it. `features` is None where the artefact does not tell."""

    name: str
    endpoint: str
    version: str
    body_limit_bytes: int
    features: int | None = None


def is_input(key: str) -> bool:
    """A CSV under input/; not a folder marker, not a file that merely lies there."""
    return key.startswith(INPUT) and key.lower().endswith(SUFFIX) and not key.endswith("/" + SUFFIX)


def route_of(key: str, routes: Mapping[str, Route]) -> Route:
    """The route named by the first folder under input/, else the default one."""
    folder, slash, _ = key.removeprefix(INPUT).partition("/")
    return routes[folder] if slash and folder in routes else routes[DEFAULT_ROUTE]


def output_key(key: str, submitted_at: str) -> str:
    """input/a/b.csv, submitted 2026-11-21T01:40:19.123Z → output/a/20261121T014019123Z-b.csv."""
    folder, _, name = key.removeprefix(INPUT).rpartition("/")
    stamp = submitted_at.translate(str.maketrans("", "", "-:."))
    return f"{OUTPUT}{folder + '/' if folder else ''}{stamp}-{name}"


def errors_key(output_key: str) -> str:
    """output/a/20261121T014019123Z-b.csv → output/a/20261121T014019123Z-b.errors.csv."""
    return f"{output_key[: -len(SUFFIX)]}.errors{SUFFIX}"
