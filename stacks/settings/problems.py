"""Formats validation errors as lines that name the key, the problem and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class SettingsError(Exception):
    """The settings are invalid. The message has one line per problem: the file, the key, the problem and the fix."""


def describe_problem(file: str, problem: ErrorDetails, sections: Mapping[str, type[BaseModel]]) -> str:
    """Return one line for a problem from pydantic; `sections` are the models by the first part of a table's name."""
    *table, key = [str(part) for part in problem["loc"] if part != "[key]"]
    dotted = ".".join([*table, key])
    match problem["type"]:
        case "extra_forbidden":
            text = unknown_name("key", key, sections[table[0] if table else ""].model_fields)
        case "missing":
            text = "is missing; add it, see docs/settings.md"
        case "value_error" if problem["input"] is None:  # TOML has no null, so the key is missing
            text = f"is missing; {problem['ctx']['error']}; see docs/settings.md"
        case "value_error":
            text = f"{problem['input']!r}: {problem['ctx']['error']}"
        case _:
            text = f"{problem['input']!r}: {problem['msg'].replace('Input should', 'should', 1)}; see docs/settings.md"
    return f"{file}: {dotted}: {text}"


def unknown_name(term: str, name: str, available: Iterable[str]) -> str:
    """`unknown model 'frod'; did you mean 'fraud'?`, or all available names if none is similar."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"use {', '.join(repr(choice) for choice in names)}"
    return f"unknown {term} {name!r}; {fix}"
