"""The options of a route, or of one input: how it is read and what is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, NamedTuple, Self

from dropscore.errors import ConfigurationError
from schema.options import CHECKS, DEFAULTS, conflicts

MAX_JOB_OPTIONS_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Options:
    """docs/formats.md explains each option; `schema.options` has the grammar and the defaults."""

    max_bad_rows: str | int = DEFAULTS["max_bad_rows"]
    header: bool | str = DEFAULTS["header"]
    delimiter: str = DEFAULTS["delimiter"]
    match_columns: str = DEFAULTS["match_columns"]
    quote: str = DEFAULTS["quote"]
    escape: str | None = DEFAULTS["escape"]
    decimal: str = DEFAULTS["decimal"]
    na_values: tuple[str, ...] = DEFAULTS["na_values"]
    skip_empty_rows: bool = DEFAULTS["skip_empty_rows"]
    columns: tuple[str | int, ...] = DEFAULTS["columns"]
    exclude: tuple[str | int, ...] = DEFAULTS["exclude"]
    id: str | int | None = DEFAULTS["id"]
    output: str = DEFAULTS["output"]
    score_names: tuple[str, ...] = DEFAULTS["score_names"]
    threshold: float | None = DEFAULTS["threshold"]
    labels: tuple[str, str] = DEFAULTS["labels"]

    @classmethod
    def parse(cls, values: Mapping[str, Any], source: str) -> Self:
        """The options in `values`, the defaults for all others.

        Raises ConfigurationError for the first option that is unknown, wrong, or excluded by another. The message
        begins with `source`, such as the name of a file.
        """
        options = cls(**{name: _checked(name, value, source) for name, value in values.items()})
        for name, fix in conflicts(vars(options)):
            raise ConfigurationError(f"{source}: {name}: {fix}")
        return options

    def overridden(self, values: Mapping[str, Any], source: str) -> Self:
        """These options with some replaced. Raises ConfigurationError as `parse` does."""
        return self.parse({**self.as_dict(), **values}, source)

    def as_dict(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON types; `parse` reads it back."""
        pairs = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value, default in pairs
            if value != default
        }

    @property
    def named_columns(self) -> frozenset[bytes]:
        """The columns that the options refer to by name, as they are compared with a header."""
        words = (*self.columns, *self.exclude, self.id)
        return frozenset(word.strip().encode() for word in words if isinstance(word, str))

    @property
    def digest(self) -> str:
        """8 hex digits. They change with every option that changes the bytes that are sent or written."""
        relevant = {name: value for name, value in self.as_dict().items() if name != "max_bad_rows"}
        return hashlib.sha256(json.dumps(relevant, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8]


class JobOptionsFile(NamedTuple):
    """The content of `file.csv.job.json`: options that replace the route's, and a model that replaces the route's."""

    options: Mapping[str, Any]
    model: str | None


def parse_job_options(text: bytes, source: str) -> JobOptionsFile:
    """Reads a job options file. The options themselves are not checked yet.

    Raises ConfigurationError if it is too long or not a JSON object; the message begins with `source`.
    """
    if len(text) > MAX_JOB_OPTIONS_BYTES:
        raise ConfigurationError(f"{source}: has {len(text)} bytes; the limit is {MAX_JOB_OPTIONS_BYTES}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f'{source}: is not JSON; write an object such as {{"header": true}}') from None
    if not isinstance(values, dict):
        raise ConfigurationError(f'{source}: is not a JSON object; write one such as {{"header": true}}')
    model = values.pop("model", None)
    if model is not None and not isinstance(model, str):
        raise ConfigurationError(f"{source}: model: write the name of a model, in quotes")
    return JobOptionsFile(values, model)


def _checked(name: str, value: Any, source: str) -> Any:
    if name not in CHECKS:
        close = get_close_matches(name, CHECKS, n=1)
        advice = f"did you mean {close[0]}?" if close else f"the options are {', '.join(CHECKS)}"
        raise ConfigurationError(f"{source}: unknown option {_shortened(name)}; {advice}")
    try:
        return CHECKS[name](value)
    except ValueError as error:
        raise ConfigurationError(f"{source}: {name}: {error}") from None


def _shortened(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "…")
