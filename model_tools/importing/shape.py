"""What an XGBoost booster says of itself, as data that crosses processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`rounds` is 0 and `trees` is 0 for a linear booster, which predicts with all of itself always."""

    features: int
    objective: str
    outputs: int
    trees: int
    rounds: int
    parallel_trees: int
    names: tuple[str, ...] | None = None
    """Of the features, in their order; None where the booster has none."""
