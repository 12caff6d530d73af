"""Parse hyperparameters.json into typed values. One error lists everything that is unknown or wrong, with the fix."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.training.errors import TrainingError
from model.training.hyperparameters.catalog import ALIASES, NOT_SUPPORTED, OF_XGBOOST, OURS
from model.training.hyperparameters.types import Type, Value

CATALOG: dict[str, Type] = {**OF_XGBOOST, **OURS}
# Prefixes of the entries that SageMaker and its SDK add.
FOREIGN_PREFIXES = ("sagemaker_", "_tuning_")


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """`booster` is passed to XGBoost unchanged; the other fields are our own."""

    booster: dict[str, Any]
    num_round: int = 100
    early_stopping_rounds: int | None = None
    kfold: int | None = None
    checkpoint_every: int = 10
    csv_weights: bool = False
    csv_header: str = "auto"
    missing: float | None = None
    cost_false_positive: float = 1.0
    cost_false_negative: float = 1.0

    @property
    def objective(self) -> str:
        return str(self.booster["objective"])

    @property
    def classes(self) -> int:
        return int(self.booster.get("num_class", 0))

    @property
    def is_classification(self) -> bool:
        return self.objective.startswith(("binary:", "multi:"))

    @property
    def is_in_memory(self) -> bool:
        """Whether all values must be in memory; only `hist` trains from quantiles."""
        return self.booster["tree_method"] in {"approx", "exact"}


def parse(texts: Mapping[str, Any]) -> Hyperparameters:
    """Return the values with defaults. Raises TrainingError, which lists every fault."""
    faults: list[str] = []
    values = _values(_named(texts, faults), faults)
    if faults:
        raise TrainingError("hyperparameters: " + "; ".join(faults))
    ours = {name: value for name, value in values.items() if name in OURS}
    booster = {name: value for name, value in values.items() if name not in OURS}
    found = Hyperparameters(booster=_with_defaults(booster), **ours)  # type: ignore[arg-type]
    _check_together(found)
    return found


def _named(texts: Mapping[str, Any], faults: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for given, text in texts.items():
        name = ALIASES.get(given, given)
        if given.startswith(FOREIGN_PREFIXES):
            continue
        if name in named:
            faults.append(f"{given} and {name} are the same; keep one")
        named[name] = _unquoted(text)
    return named


def _unquoted(text: Any) -> str:
    """Remove quotes: SageMaker sends strings, but its SDK's framework estimators send JSON strings."""
    plain = str(text).strip()
    return plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] == '"' else plain


def _values(named: Mapping[str, str], faults: list[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, text in named.items():
        try:
            values[name] = _type(name).read(text)
        except ValueError as error:
            faults.append(f"{name} {error}")
    return values


def _type(name: str) -> Type:
    if name in CATALOG:
        return CATALOG[name]
    if name in NOT_SUPPORTED:
        raise ValueError(f"is not supported: {NOT_SUPPORTED[name]}")
    near = difflib.get_close_matches(name, [*CATALOG, *ALIASES], n=1)
    raise ValueError(f"is unknown{f'; did you mean {near[0]}?' if near else '; remove it'}")


def _with_defaults(booster: Mapping[str, Any]) -> dict[str, Any]:
    """Add the defaults. `seed_per_iteration` makes a round's samples independent of the rounds run by this process."""
    chosen = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "seed": 0,
        "nthread": cores(),
        "verbosity": 1,
        **booster,
    }
    chosen["tree_method"] = "hist" if chosen["tree_method"] == "auto" else chosen["tree_method"]
    return {**chosen, "seed_per_iteration": True}


def _check_together(found: Hyperparameters) -> None:
    is_multi = found.objective.startswith("multi:")
    if is_multi != bool(found.classes):
        wrong = "needs num_class" if is_multi else "has no classes; remove num_class"
        raise TrainingError(f"hyperparameters: {found.objective} {wrong}")
    if found.early_stopping_rounds and found.booster.get("booster") == "dart":
        raise TrainingError(
            "hyperparameters: early_stopping_rounds does not work with booster=dart, whose later rounds "
            "change the weight of earlier trees; remove one of the two"
        )
    if found.objective == "reg:quantileerror" and "quantile_alpha" not in found.booster:
        raise TrainingError("hyperparameters: reg:quantileerror needs quantile_alpha, for example 0.5")


def cores() -> int:
    """Return the cores to use: DROPSCORE_CORES if several hosts are simulated on one machine."""
    if "DROPSCORE_CORES" in os.environ:
        return int(os.environ["DROPSCORE_CORES"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
