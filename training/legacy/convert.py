"""Runs beside an older XGBoost: `python convert.py FOLDER` turns FOLDER/source into FOLDER/model.ubj.

It also writes random rows (rows.npy) with what this release predicts for them (expected.npy), and facts.json. The rows
come from the model's own split values, their neighbours, and missing values, so that they reach deep into the trees.
FOLDER/order.json says how to read the source. Imports nothing of ours: the environment holds XGBoost and numpy only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

ROWS = 1000
CELLS_LIMIT = 20_000_000
FEATURES_LIMIT = 1_000_000
MISSING_SHARE = 0.15
Rows = NDArray[np.float32]


def main(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    booster = load(bytearray((folder / "source").read_bytes()), is_snapshot=order["is_snapshot"])
    if booster.num_features() > FEATURES_LIMIT:
        sys.exit(f"the model claims {booster.num_features()} features; up to {FEATURES_LIMIT} are served")
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    iterations = iterations_of(booster, learner, order)
    name_features(booster, order["feature_names"])
    missing = float("nan") if order["missing"] is None else order["missing"]
    rows = random_rows(booster.num_features(), trees_of(learner), missing)
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    expected = booster.predict(matrix, iteration_range=(0, iterations), validate_features=False)
    booster.save_model(str(folder / "model.ubj"))
    np.save(folder / "rows.npy", rows)
    np.save(folder / "expected.npy", expected)
    facts = {"iterations": iterations, "categorical": is_categorical(learner), "xgboost": xgboost.__version__}
    (folder / "facts.json").write_text(json.dumps(facts))


def load(content: bytearray, *, is_snapshot: bool) -> xgboost.Booster:
    booster = xgboost.Booster()
    if is_snapshot:
        booster.__setstate__({"handle": content})
    else:
        booster.load_model(content)
    booster.set_param({"nthread": 1})
    return booster


def trees_of(learner: dict[str, Any]) -> list[dict[str, Any]]:
    booster = learner["gradient_booster"]
    return [] if booster["name"] == "gblinear" else list(booster.get("gbtree", booster)["model"]["trees"])


def iterations_of(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int:
    """Rounds to predict with, as XGBModel.predict and SageMaker's container choose them; 0 for a linear booster."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return 0
    rounds, best = int(booster.num_boosted_rounds()), best_rounds(booster, learner, order)
    if best is None:
        return rounds
    if not 0 < best <= rounds:
        sys.exit(f"early stopping chose {best} rounds, but the model has {rounds}")
    booster.set_attr(best_iteration=str(best - 1))
    return best


def best_rounds(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int | None:
    """A count of trees says more than a count of rounds: the old binary does not know how many trees a round has."""
    trees, best = (known(booster, order, name) for name in ("best_ntree_limit", "best_iteration"))
    if trees:
        forest = learner["gradient_booster"]
        parallel = int(forest.get("gbtree", forest)["model"]["gbtree_model_param"]["num_parallel_tree"]) or 1
        return trees // parallel
    return None if best is None else best + 1


def known(booster: xgboost.Booster, order: dict[str, Any], name: str) -> int | None:
    inside = booster.attr(name)
    value = order[name] if order[name] is not None else inside
    return None if value is None else int(value)


def name_features(booster: xgboost.Booster, names: list[str]) -> None:
    if names and not booster.feature_names and len(names) == booster.num_features():
        booster.feature_names = names


def is_categorical(learner: dict[str, Any]) -> bool:
    return "c" in learner.get("feature_types", []) or any(tree.get("categories_nodes") for tree in trees_of(learner))


def random_rows(features: int, trees: list[dict[str, Any]], missing: float) -> Rows:
    rng = np.random.default_rng(0)
    count = max(10, min(ROWS, CELLS_LIMIT // max(features, 1)))
    rows = rng.normal(size=(count, features)).astype(np.float32)
    for feature, values in splits(trees).items():
        chosen = rng.choice(values, count)
        steps = rng.integers(-1, 2, count).astype(np.float32)  # just below, on and just above a split
        rows[:, feature] = np.where(steps == 0, chosen, np.nextafter(chosen, np.copysign(np.float32(np.inf), steps)))
    rows[rng.random(rows.shape) < MISSING_SHARE] = missing
    rows[rng.random(rows.shape) < MISSING_SHARE / 5] = np.nan
    rows[0] = np.nan
    return rows


def splits(trees: list[dict[str, Any]]) -> dict[int, Rows]:
    """Split values by feature."""
    values: dict[int, set[float]] = {}
    for tree in trees:
        branches = zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True)
        for left, feature, value in branches:
            if left != -1:
                values.setdefault(feature, set()).add(value)
    return {feature: np.array(sorted(found), dtype=np.float32) for feature, found in sorted(values.items())}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
