"""The description of an XGBoost booster, as data that crosses processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`rounds` and `trees` are 0 for a linear booster."""

    features: int
    objective: str
    outputs: int
    trees: int
    rounds: int
    parallel_trees: int
    names: tuple[str, ...] | None = None
    """Names of the features in order; None if the booster has none."""
