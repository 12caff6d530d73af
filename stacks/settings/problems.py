"""Turns what the validator found into lines that say where, what is wrong and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class SettingsError(Exception):
    """The settings are wrong. The message names the file, the key, what is wrong and the fix; a line a problem."""


def complaint(file: str, problem: ErrorDetails, sections: Mapping[str, type[BaseModel]]) -> str:
    """One line for one problem that pydantic reports; `sections` by the first word of a table's name."""
    *table, key = [str(part) for part in problem["loc"] if part != "[key]"]
    dotted = ".".join([*table, key])
    match problem["type"]:
        case "extra_forbidden":
            wrong = unknown_name("key", key, sections[table[0] if table else ""].model_fields)
        case "missing":
            wrong = "is missing; add it, docs/settings.md explains it"
        case "value_error" if problem["input"] is None:  # TOML has no null: the key is not there
            wrong = f"is missing; {problem['ctx']['error']}; docs/settings.md explains it"
        case "value_error":
            wrong = f"{problem['input']!r}: {problem['ctx']['error']}"
        case _:
            wrong = f"{problem['input']!r}: {problem['msg'].replace('Input should', 'should', 1)}; see docs/settings.md"
    return f"{file}: {dotted}: {wrong}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """`unknown model 'frod'; did you mean 'fraud'?`, or the names to choose from where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"use {', '.join(repr(each) for each in names)}"
    return f"unknown {kind} {name!r}; {fix}"
