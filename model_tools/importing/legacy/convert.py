"""Runs beside an older XGBoost: main(FOLDER, …) turns each FOLDER/source into FOLDER/model.ubj.

It also writes random rows (rows.npy) with what this release predicts for them (expected.npy), and facts.json. The rows
come from the model's own split values and categories, their neighbours, and missing values, to reach every leaf.
FOLDER/order.json says how to read the source. The environment holds XGBoost and numpy only.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from model_tools.errors import Code, ModelImportError
from model_tools.sandbox.bounded import reason_of

ROWS = 1000
CELLS_LIMIT = 10_000_000
FEATURES_LIMIT = 1_000_000
OUTPUTS_LIMIT = 10_000
MISSING_SHARE = 0.15
NODES = ("left_children", "right_children", "split_indices")
FIRST_WITH_SLICES, FIRST_WHERE_SLICES_FORGET, FIRST_WITHOUT_TREE_LIMIT = [1, 3], [1, 5], [2, 0]
FIRST_THAT_SAYS_TREES_A_ROUND = [1, 6]
Rows = NDArray[np.float32]


def main(*folders: str) -> None:
    for folder in folders:
        convert(Path(folder))


def convert(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    booster = load(bytearray((folder / "source").read_bytes()), order)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    check(learner)
    iterations = iterations_of(booster, learner, order)
    name_features(booster, order["feature_names"])
    missing = float("nan") if order["missing"] is None else order["missing"]
    rows = random_rows(booster.num_features(), outputs_of(learner), trees_of(learner), missing)
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    expected = booster.predict(matrix, iteration_range=(0, iterations), validate_features=False)
    if order["is_served"]:
        shutil.copyfile(folder / "source", folder / "model.ubj")  # its digest is its name
    else:
        booster.save_model(str(folder / "model.ubj"))
    np.save(folder / "rows.npy", rows)
    np.save(folder / "expected.npy", expected)
    facts = {
        "iterations": iterations,
        "booster": learner["gradient_booster"]["name"],
        "categorical": categorical_columns(learner),
        "xgboost": xgboost.__version__,
    }
    (folder / "facts.json").write_text(json.dumps(facts))


def load(content: bytearray, order: dict[str, Any]) -> xgboost.Booster:
    booster = xgboost.Booster()
    try:
        if order["is_snapshot"]:
            booster.__setstate__({"handle": content})
        else:
            booster.load_model(content)
    except xgboost.core.XGBoostError as error:
        if "bad_alloc" in str(error):
            raise
        raise ModelImportError(f"XGBoost cannot read the model ({order['format']}): {reason_of(error)}") from error
    settle_base_score(booster)
    booster.set_param({"nthread": 1})
    return booster


def check(learner: dict[str, Any]) -> None:
    """XGBoost trusts a tree's numbers: one that points at itself, or past the end, would hang or crash the server."""
    features = int(learner["learner_model_param"]["num_feature"])
    if not 0 < features <= FEATURES_LIMIT:
        raise ModelImportError(f"the model claims {features} features; 1 to {FEATURES_LIMIT} are served")
    if outputs_of(learner) > OUTPUTS_LIMIT:
        raise ModelImportError(f"the model claims {outputs_of(learner)} outputs; up to {OUTPUTS_LIMIT} are served")
    if learner["gradient_booster"]["name"] != "gblinear" and not are_rounds(forest_of(learner), outputs_of(learner)):
        raise ModelImportError("the model is damaged: its rounds and classes are not those of its trees")
    for number, tree in enumerate(trees_of(learner)):
        if not is_tree(tree, features):
            raise ModelImportError(f"tree {number} of the model is damaged: its nodes form no tree of its features")


def are_rounds(forest: dict[str, Any], outputs: int) -> bool:
    """Each tree is of an output that exists, and the rounds part all trees in their order."""
    trees, bounds = len(forest["trees"]), forest.get("iteration_indptr")
    if bounds is not None and not (bounds[0] == 0 and bounds[-1] == trees and bounds == sorted(bounds)):
        return False
    return trees_a_round(forest) <= max(trees, 1) and all(0 <= output < outputs for output in forest["tree_info"])


def is_tree(tree: dict[str, Any], features: int) -> bool:
    """Each node has one parent at most, the root has none, and what is split are features that exist."""
    left, right, split = (np.array(tree[key], dtype=np.int64) for key in NODES)
    if not 0 < len(left) == len(right) == len(split):
        return False
    inner = left != -1
    children = np.concatenate([left[inner], right[inner]])
    is_inside = bool(np.all((children > 0) & (children < len(left))))
    is_feature = bool(np.all((split[inner] >= 0) & (split[inner] < features)))
    return is_inside and is_feature and len(np.unique(children)) == len(children)


def outputs_of(learner: dict[str, Any]) -> int:
    parameters = learner["learner_model_param"]
    return max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))


def settle_base_score(booster: xgboost.Booster) -> None:
    """A linear model of before 1.6 counts no rounds; 3.1 would take it for untrained and leave its base_score out."""
    text = bytes(booster.save_raw("json"))
    if b'"name":"gblinear"' in text and b'"boost_from_average":"1"' in text:
        booster.load_model(bytearray(text.replace(b'"boost_from_average":"1"', b'"boost_from_average":"0"')))


def forest_of(learner: dict[str, Any]) -> dict[str, Any]:
    """Of gbtree and dart, which keeps it one deeper."""
    booster = learner["gradient_booster"]
    forest: dict[str, Any] = booster.get("gbtree", booster)["model"]
    return forest


def trees_of(learner: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if learner["gradient_booster"]["name"] == "gblinear" else list(forest_of(learner)["trees"])


def trees_a_round(forest: dict[str, Any]) -> int:
    return int(forest["gbtree_model_param"]["num_parallel_tree"]) or 1


def iterations_of(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int:
    """Rounds to predict with, as XGBModel.predict and SageMaker's container choose them; 0 for a linear booster."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return 0
    rounds = int(booster.num_boosted_rounds())
    forget_stale_rounds(booster, rounds, order["version"])
    best = best_rounds(booster, learner, order)
    if best is None:
        return rounds
    if not 0 < best <= rounds:
        raise ModelImportError(f"early stopping chose {best} rounds, but the model has {rounds}")
    booster.set_attr(best_iteration=str(best - 1))
    return best


def forget_stale_rounds(booster: xgboost.Booster, rounds: int, version: list[int]) -> None:
    """A slice (`booster[0:3]`) of 1.3 to 1.7 keeps of the whole booster what its release does not predict with.

    Of 1.3 and 1.4 that is the best round. From 1.5 on it is `best_ntree_limit`, which training then wrote always, and
    `best_iteration` only where early stopping had chosen: the former alone says nothing.
    """
    if not FIRST_WITH_SLICES <= version < FIRST_WITHOUT_TREE_LIMIT:
        return
    best = booster.attr("best_iteration")
    if best is None or (int(best) >= rounds and version < FIRST_WHERE_SLICES_FORGET):
        booster.set_attr(best_iteration=None, best_ntree_limit=None)


def best_rounds(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int | None:
    """A count of trees says more than a count of rounds: before 1.6 a file does not know how many trees a round has."""
    trees, best = (known(booster, order, name) for name in ("best_ntree_limit", "best_iteration"))
    parallel = trees_a_round(forest_of(learner))
    if trees:
        return trees // parallel
    if best is None:
        return None
    if order["version"] >= FIRST_THAT_SAYS_TREES_A_ROUND:
        return best + 1
    if order["trees_a_round"] is None:
        raise ModelImportError(
            f"early stopping chose {best + 1} rounds, but a file of this age does not say how many trees a round has. "
            "Import it with --trees-a-round 1, or with the num_parallel_tree it was trained with",
            code=Code.ROUNDS_UNKNOWN,
        )
    return (best + 1) * int(order["trees_a_round"]) // parallel


def known(booster: xgboost.Booster, order: dict[str, Any], name: str) -> int | None:
    inside = booster.attr(name)
    value = order[name] if order[name] is not None else inside
    return None if value is None else int(value)


def name_features(booster: xgboost.Booster, names: list[str]) -> None:
    if names and not booster.feature_names and len(names) == booster.num_features():
        booster.feature_names = names


# A CSV of numbers cannot carry words, but codes give the same bits as a data frame with words. The sender must number
# categories as in training (pandas: `series.cat.codes`); a wrong order cannot be detected.
def categorical_columns(learner: dict[str, Any]) -> list[int]:
    """Those that hold codes of categories, counted from 1."""
    named = {at for at, kind in enumerate(learner.get("feature_types", [])) if kind == "c"}
    split = {tree["split_indices"][node] for tree in trees_of(learner) for node in tree.get("categories_nodes", [])}
    return [column + 1 for column in sorted(named | split)]


def random_rows(features: int, outputs: int, trees: list[dict[str, Any]], missing: float) -> Rows:
    rng = np.random.default_rng(0)
    count = max(10, min(ROWS, CELLS_LIMIT // max(features, outputs)))
    rows = rng.standard_normal((count, features), dtype=np.float32)
    for feature, values in splits(trees).items():
        chosen = rng.choice(values, count)
        steps = rng.integers(-1, 2, count).astype(np.float32)  # just below, on and just above a split
        rows[:, feature] = np.where(steps == 0, chosen, np.nextafter(chosen, np.copysign(np.float32(np.inf), steps)))
    draws = rng.random(rows.shape, dtype=np.float32)
    rows[draws < MISSING_SHARE] = missing
    rows[draws > 1 - MISSING_SHARE / 5] = np.nan
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
