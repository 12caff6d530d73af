"""Runs beside an older XGBoost: `python convert.py FOLDER …` turns each FOLDER/source into FOLDER/model.ubj.

It also writes random rows (rows.npy) with what this release predicts for them (expected.npy), and facts.json. The rows
come from the model's own split values and categories, their neighbours, and missing values, to reach every leaf.
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
    facts = {"iterations": iterations, "categorical": categorical_columns(learner), "xgboost": xgboost.__version__}
    (folder / "facts.json").write_text(json.dumps(facts))


def load(content: bytearray, *, is_snapshot: bool) -> xgboost.Booster:
    booster = xgboost.Booster()
    if is_snapshot:
        booster.__setstate__({"handle": content})
    else:
        booster.load_model(content)
    settle_base_score(booster)
    booster.set_param({"nthread": 1})
    return booster


def settle_base_score(booster: xgboost.Booster) -> None:
    """A linear model of before 1.6 counts no rounds; 3.1 would take it for untrained and leave its base_score out."""
    text = bytes(booster.save_raw("json"))
    if b'"name":"gblinear"' in text and b'"boost_from_average":"1"' in text:
        booster.load_model(bytearray(text.replace(b'"boost_from_average":"1"', b'"boost_from_average":"0"')))


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
    """A count of trees says more than a count of rounds: before 1.6 a file does not know how many trees a round has."""
    trees, best = (known(booster, order, name) for name in ("best_ntree_limit", "best_iteration"))
    forest = learner["gradient_booster"]
    parallel = int(forest.get("gbtree", forest)["model"]["gbtree_model_param"]["num_parallel_tree"]) or 1
    if trees:
        return trees // parallel
    if best is None:
        return None
    if order["says_trees_a_round"]:
        return best + 1
    if order["trees_a_round"] is None:
        sys.exit(
            f"early stopping chose {best + 1} rounds, but a file of this age does not say how many trees a round has. "
            "Import it with --trees-a-round 1, or with the num_parallel_tree it was trained with"
        )
    return (best + 1) * int(order["trees_a_round"]) // parallel


def known(booster: xgboost.Booster, order: dict[str, Any], name: str) -> int | None:
    inside = booster.attr(name)
    value = order[name] if order[name] is not None else inside
    return None if value is None else int(value)


def name_features(booster: xgboost.Booster, names: list[str]) -> None:
    if names and not booster.feature_names and len(names) == booster.num_features():
        booster.feature_names = names


def categorical_columns(learner: dict[str, Any]) -> list[int]:
    """Those that hold codes of categories, counted from 1."""
    named = {at for at, kind in enumerate(learner.get("feature_types", [])) if kind == "c"}
    split = {tree["split_indices"][node] for tree in trees_of(learner) for node in tree.get("categories_nodes", [])}
    return [column + 1 for column in sorted(named | split)]


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
    """Split values by feature; of a categorical split its categories and one more."""
    values: dict[int, set[float]] = {}
    for tree in trees:
        categories = categories_of(tree)
        branches = zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True)
        for node, (left, feature, value) in enumerate(branches):
            if left != -1:
                values.setdefault(feature, set()).update(categories.get(node, [value]))
    return {feature: np.array(sorted(found), dtype=np.float32) for feature, found in sorted(values.items())}


def categories_of(tree: dict[str, Any]) -> dict[int, list[float]]:
    """By node; releases before 1.3 knew none."""
    ways = ("categories_nodes", "categories_segments", "categories_sizes")
    found = {}
    for node, start, size in zip(*(tree.get(way, []) for way in ways), strict=True):
        codes = tree["categories"][start : start + size]
        found[node] = [*codes, max(codes, default=-1) + 1]
    return found


if __name__ == "__main__":
    for one in sys.argv[1:]:
        main(Path(one))
