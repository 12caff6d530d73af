"""The options of a route, and a sidecar's word over them: how a file is read and what is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, NamedTuple, Self

from dropscore.errors import ConfigurationError
from dropscore.jobs.option_checks import CHECKS

MOST_SIDECAR_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a file is read, how bad it may be, what is written: the words of [routes.*] in dropscore.toml."""

    max_bad_rows: str | int = 0
    header: bool | str = "auto"
    delimiter: str = ","
    match_columns: str = "name"
    quote: str = "double"
    escape: str | None = None
    decimal: str = "."
    na_values: tuple[str, ...] = ()
    skip_empty_rows: bool = False
    columns: tuple[str | int, ...] = ()
    exclude: tuple[str | int, ...] = ()
    id: str | int | None = None
    output: str = "scores"
    score_names: tuple[str, ...] = ()
    threshold: float | None = None
    labels: tuple[str, str] = ("0", "1")

    @classmethod
    def parse(cls, said: Mapping[str, Any], where: str) -> Self:
        """Raises ConfigurationError, beginning with `where`, at the first option that is unknown or wrong."""
        options = cls(**{key: _checked(key, value, where) for key, value in said.items()})
        for key, complaint in options._conflicts():
            raise ConfigurationError(f"{where}: {key}: {complaint}")
        return options

    def overridden(self, said: Mapping[str, Any], where: str) -> Self:
        """These options with a sidecar's word over them."""
        return self.parse({**self.as_dict(), **said}, where)

    def as_dict(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON has it; `parse` reads it back."""
        pairs = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value, usual in pairs if value != usual
        }

    @property
    def named_columns(self) -> frozenset[bytes]:
        """The columns that the options call by a name, as a header is compared with them."""
        words = (*self.columns, *self.exclude, self.id)
        return frozenset(word.strip().encode() for word in words if isinstance(word, str))

    @property
    def digest(self) -> str:
        """8 hex digits that change with whatever changes the bytes that are sent or written."""
        said = {key: value for key, value in self.as_dict().items() if key != "max_bad_rows"}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8]

    def _conflicts(self) -> list[tuple[str, str]]:
        """Options that do not go together: the key at fault and what to do."""
        written = (self.delimiter, ",")
        checks = [
            (
                "delimiter",
                self.delimiter == "\\" and self.escape is not None,
                "a backslash cannot be both delimiter and escape",
            ),
            ("escape", self.quote == "none" and self.escape is not None, 'goes with quotes; leave out quote = "none"'),
            (
                "decimal",
                self.decimal == self.delimiter,
                'is "," and so is the delimiter: say by `delimiter` what stands between two cells, such as ";"',
            ),
            ("na_values", _has_any(self.na_values, written[:1]), "a word holds the delimiter; use another"),
            ("output", self.output == "id" and self.id is None, 'is "id": say by `id` which column that is'),
            ("labels", self.threshold is None and self.labels != ("0", "1"), "go with a threshold: add `threshold`"),
            ("score_names", _has_any(self.score_names, written[:1]), "a name holds the delimiter; use another"),
            ("labels", _has_any(self.labels, written), "a label holds a comma or the delimiter; use another"),
        ]
        return [(key, complaint) for key, is_wrong, complaint in checks if is_wrong]


class Sidecar(NamedTuple):
    """What `file.csv.job.json` says: options over the route's, and a model in place of the route's."""

    options: Mapping[str, Any]
    model: str | None


def sidecar(text: bytes, where: str) -> Sidecar:
    """Reads a sidecar's JSON; the options are not checked yet. Raises ConfigurationError, beginning with `where`."""
    if len(text) > MOST_SIDECAR_BYTES:
        raise ConfigurationError(f"{where}: is {len(text)} bytes long; {MOST_SIDECAR_BYTES} is the most")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f'{where}: is not JSON; write an object such as {{"header": true}}') from None
    if not isinstance(said, dict):
        raise ConfigurationError(f'{where}: is not a JSON object; write one such as {{"header": true}}')
    model = said.pop("model", None)
    if model is not None and not isinstance(model, str):
        raise ConfigurationError(f"{where}: model: write the name of a model, in quotes")
    return Sidecar(said, model)


def _checked(key: str, value: Any, where: str) -> Any:
    if key not in CHECKS:
        close = get_close_matches(key, CHECKS, n=1)
        advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(CHECKS)}"
        raise ConfigurationError(f"{where}: {_shown(key)} is no option; {advice}")
    try:
        return CHECKS[key](value)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {key}: {error}") from None


def _has_any(words: tuple[str, ...], letters: tuple[str, ...]) -> bool:
    return any(letter in word for word in words for letter in letters)


def _shown(key: str) -> str:
    return repr(key if len(key) <= 40 else key[:40] + "…")
