"""The combinations of settings to check. Every setting with a fixed set of values is included automatically."""

from __future__ import annotations

import itertools
import json
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from stacks.settings import SECTIONS
from stacks.settings.load import SettingsFile
from tools.checks.programs import ROOT

MODELS: Mapping[str, Mapping[str, object]] = {
    "one": {},
    "many": {
        "models.fraud.min_instances": 0,
        "models.fraud.max_instances": 2,
        "models.linear.container": str(ROOT / "examples/linear"),
        "models.linear.serverless_memory_mib": 2048,
        "models.scaled.container": str(ROOT / "examples/linear"),
        "models.scaled.max_instances": 3,
        "models.scaled.capture_percent": 10,
        "routes.linear.model": "linear",
        "routes.scaled.model": "scaled",
    },
}
"""`many` has one model of each hosting option: scaled to zero, serverless, and scaled with capture."""
FULLY_COMBINED = ("network.mode", "worker.compute", "models", "deploy.images")
"""With --all, every combination of these settings is checked."""
CANDIDATES = 1000

Combination = Mapping[str, Any]
"""Setting → value; `models` names one of MODELS."""
Pair = tuple[tuple[str, object], tuple[str, object]]


def dimensions() -> dict[str, tuple[Any, ...]]:
    """The values of every such setting, its default first."""
    found = {
        f"{section}.{name}": _default_first(field.default, _values(field.annotation))
        for section, model in SECTIONS.items()
        if section not in ("", "models", "routes")
        for name, field in model.model_fields.items()
        if _values(field.annotation)
    }
    return {**found, "models": tuple(MODELS)}


# All combinations are thousands, and one costs a third of a second. --all finds faults that need three values.
def sample() -> list[Combination]:
    """A small sample, the defaults first, that contains every valid pair of values of two settings."""
    candidates = list(_candidates())
    chosen = [candidates[0]]
    missing = set().union(*map(_pairs, candidates)) - _pairs(chosen[0])
    while missing:
        best = max(candidates, key=lambda candidate: len(_pairs(candidate) & missing))
        chosen.append(best)
        missing -= _pairs(best)
    return chosen


def all_combinations() -> list[Combination]:
    """The sample and every combination of FULLY_COMBINED; the other settings' values vary over them."""
    few = sample()
    whole = []
    choices = dimensions()
    for number, values in enumerate(itertools.product(*(choices[name] for name in FULLY_COMBINED))):
        fixed = dict(zip(FULLY_COMBINED, values, strict=True))
        spread, plain = {**few[number % len(few)], **fixed}, {**few[0], **fixed}
        whole.append(spread if _is_possible(spread) else plain)
    return few + [combination for combination in whole if _is_possible(combination) and combination not in few]


def label(combination: Combination) -> str:
    """A short, unique folder name: the values that differ from the defaults."""
    words = [_word(name, value) for name, value in combination.items() if value != dimensions()[name][0]]
    return ",".join(words) or "defaults"


def settings_text(combination: Combination) -> str:
    """The project's own `dropscore.toml`, changed by the combination."""
    return "\n".join(_lines("", _tables(combination)))


def _values(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _default_first(default: object, values: Sequence[Any]) -> tuple[Any, ...]:
    return (default, *(value for value in values if value != default))


def _word(name: str, value: object) -> str:
    key = name.rpartition(".")[2]
    return {True: key, False: f"no_{key}"}[value] if isinstance(value, bool) else str(value)


def _candidates() -> Iterator[Combination]:
    """The defaults, then valid random combinations, the same in every run."""
    choices, chance = dimensions(), random.Random(0)
    yield {name: values[0] for name, values in choices.items()}
    for _ in range(CANDIDATES):
        candidate = {name: chance.choice(values) for name, values in choices.items()}
        if _is_possible(candidate):
            yield candidate


def _pairs(combination: Combination) -> set[Pair]:
    return set(itertools.combinations(combination.items(), 2))


def _is_possible(combination: Combination) -> bool:
    try:
        SettingsFile.model_validate(_tables(combination))
    except ValidationError:
        return False
    return True


def _tables(combination: Combination) -> dict[str, Any]:
    tables = tomllib.loads((ROOT / "dropscore.toml").read_text())
    written = tables["models"]["fraud"]
    written["artifact"] = str(Path(ROOT, written["artifact"]))
    changes = {name: value for name, value in combination.items() if name != "models"}
    for dotted, value in {**changes, **MODELS[combination["models"]]}.items():
        *path, key = dotted.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
        table[key] = value
    return tables


def _lines(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    if name:
        yield f"[{name}]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict))
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(f"{name}.{key}".strip("."), value)
