"""Runs beside an older XGBoost: main(FOLDER, …) converts each FOLDER/source to FOLDER/model.ubj.

It also writes random rows (rows.npy), this release's predictions for them (expected.npy), and facts.json. To reach
every leaf, the rows use the model's split values and categories, values next to them, and missing values.
FOLDER/order.json says how to read the source. The environment has only XGBoost and numpy.
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
FIRST_WITH_TREES_A_ROUND = [1, 6]
Rows = NDArray[np.float32]


def main(*folders: str) -> None:
    for folder in folders:
        convert(Path(folder))


def convert(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    booster = load(bytearray((folder / "source").read_bytes()), order)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    # Before any prediction, which would hang or crash on damaged trees.
    check(learner)
    iterations = iterations_of(booster, learner, order)
    name_features(booster, order["feature_names"])
    missing = float("nan") if order["missing"] is None else order["missing"]
    rows = random_rows(booster.num_features(), outputs_of(learner), trees_of(learner), missing)
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    expected = booster.predict(matrix, iteration_range=(0, iterations), validate_features=False)
    if order["is_served"]:
        shutil.copyfile(folder / "source", folder / "model.ubj")  # unchanged, because its digest names the version
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
        # `bounded.explain` reports it as a lack of memory, not as a damaged file.
        if "bad_alloc" in str(error):
            raise
        raise ModelImportError(f"XGBoost cannot read the model ({order['format']}): {reason_of(error)}") from error
    settle_base_score(booster)
    booster.set_param({"nthread": 1})
    return booster


def check(learner: dict[str, Any]) -> None:
    """Check the trees. XGBoost trusts them: a node that points at itself, or past the end, would hang or crash it.

    Raises ModelImportError.
    """
    features = int(learner["learner_model_param"]["num_feature"])
    if not 0 < features <= FEATURES_LIMIT:
        raise ModelImportError(f"the model has {features} features; 1 to {FEATURES_LIMIT} are supported")
    if outputs_of(learner) > OUTPUTS_LIMIT:
        raise ModelImportError(f"the model has {outputs_of(learner)} outputs; up to {OUTPUTS_LIMIT} are supported")
    if learner["gradient_booster"]["name"] != "gblinear" and not are_rounds(forest_of(learner), outputs_of(learner)):
        raise ModelImportError("the model is damaged: its rounds and classes do not match its trees")
    for number, tree in enumerate(trees_of(learner)):
        if not is_tree(tree, features):
            raise ModelImportError(
                f"tree {number} of the model is damaged: its nodes do not form a tree over its features"
            )


def are_rounds(forest: dict[str, Any], outputs: int) -> bool:
    """Return whether each tree has a valid output, and the rounds divide all trees in order."""
    trees, bounds = len(forest["trees"]), forest.get("iteration_indptr")
    if bounds is not None and not (bounds[0] == 0 and bounds[-1] == trees and bounds == sorted(bounds)):
        return False
    return trees_a_round(forest) <= max(trees, 1) and all(0 <= output < outputs for output in forest["tree_info"])


def is_tree(tree: dict[str, Any], features: int) -> bool:
    """Return whether each node has at most one parent, the root has none, and splits use valid features."""
    left, right, split = (np.array(tree[key], dtype=np.int64) for key in NODES)
    if not 0 < len(left) == len(right) == len(split):
        return False
    inner = left != -1
    children = np.concatenate([left[inner], right[inner]])
    is_inside = bool(np.all((children > 0) & (children < len(left))))
    is_feature = bool(np.all((split[inner] >= 0) & (split[inner] < features)))
    # Nodes that the root does not reach may form a cycle, but no row visits them.
    return is_inside and is_feature and len(np.unique(children)) == len(children)


def outputs_of(learner: dict[str, Any]) -> int:
    parameters = learner["learner_model_param"]
    return max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))


def settle_base_score(booster: xgboost.Booster) -> None:
    """Fix linear models from before 1.6: they count no rounds, so 3.1 would ignore their base_score as untrained."""
    text = bytes(booster.save_raw("json"))
    if b'"name":"gblinear"' in text and b'"boost_from_average":"1"' in text:
        booster.load_model(bytearray(text.replace(b'"boost_from_average":"1"', b'"boost_from_average":"0"')))


def forest_of(learner: dict[str, Any]) -> dict[str, Any]:
    """Return the forest of gbtree or of dart, which has it one level deeper."""
    booster = learner["gradient_booster"]
    forest: dict[str, Any] = booster.get("gbtree", booster)["model"]
    return forest


def trees_of(learner: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if learner["gradient_booster"]["name"] == "gblinear" else list(forest_of(learner)["trees"])


def trees_a_round(forest: dict[str, Any]) -> int:
    return int(forest["gbtree_model_param"]["num_parallel_tree"]) or 1


def iterations_of(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int:
    """Return the rounds to predict with, as XGBModel.predict and SageMaker's container do; 0 for a linear booster."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return 0
    rounds = int(booster.num_boosted_rounds())
    forget_stale_rounds(booster, rounds, order["version"])
    best = best_rounds(booster, learner, order)
    if best is None:
        return rounds
    if not 0 < best <= rounds:
        raise ModelImportError(f"early stopping chose {best} rounds, but the model has {rounds}")
    # The server uses this attribute if a model has no manifest.
    booster.set_attr(best_iteration=str(best - 1))
    return best


def forget_stale_rounds(booster: xgboost.Booster, rounds: int, version: list[int]) -> None:
    """Remove attributes that a slice (`booster[0:3]`) of 1.3 to 1.7 keeps from the whole booster but does not use.

    In 1.3 and 1.4, that is the best round. From 1.5 on it is `best_ntree_limit`, which training always wrote, while it
    wrote `best_iteration` only after early stopping, so the former alone is meaningless.
    """
    if not FIRST_WITH_SLICES <= version < FIRST_WITHOUT_TREE_LIMIT:
        return
    best = booster.attr("best_iteration")
    if best is None or (int(best) >= rounds and version < FIRST_WHERE_SLICES_FORGET):
        booster.set_attr(best_iteration=None, best_ntree_limit=None)


def best_rounds(booster: xgboost.Booster, learner: dict[str, Any], order: dict[str, Any]) -> int | None:
    """Prefer the count of trees to the count of rounds: before 1.6, a file lacks the number of trees per round."""
    trees, best = (_attribute(booster, order, name) for name in ("best_ntree_limit", "best_iteration"))
    parallel = trees_a_round(forest_of(learner))
    if trees:
        return trees // parallel
    if best is None:
        return None
    if order["version"] >= FIRST_WITH_TREES_A_ROUND:
        return best + 1
    if order["trees_a_round"] is None:
        raise ModelImportError(
            f"early stopping chose {best + 1} rounds, but a file this old does not have the number of trees per round. "
            "Pass --trees-a-round with the num_parallel_tree of training, which is 1 by default",
            code=Code.ROUNDS_UNKNOWN,
        )
    # The loaded model counts `parallel` trees as a round, whatever training did.
    return (best + 1) * int(order["trees_a_round"]) // parallel


def _attribute(booster: xgboost.Booster, order: dict[str, Any], name: str) -> int | None:
    inside = booster.attr(name)
    value = order[name] if order[name] is not None else inside
    return None if value is None else int(value)


def name_features(booster: xgboost.Booster, names: list[str]) -> None:
    if names and not booster.feature_names and len(names) == booster.num_features():
        booster.feature_names = names


# A CSV of numbers cannot carry words, but codes give the same bits as a data frame with words. The sender must number
# categories as in training (pandas: `series.cat.codes`); a wrong order cannot be detected.
def categorical_columns(learner: dict[str, Any]) -> list[int]:
    """Return the columns that hold category codes, from 1."""
    named = {index for index, feature_type in enumerate(learner.get("feature_types", [])) if feature_type == "c"}
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
    # NaN is always missing, also if another number means missing.
    rows[draws > 1 - MISSING_SHARE / 5] = np.nan
    rows[0] = np.nan
    return rows


def splits(trees: list[dict[str, Any]]) -> dict[int, Rows]:
    """Return split values by feature; for a categorical split, its categories and one more."""
    values: dict[int, set[float]] = {}
    for tree in trees:
        categories = categories_of(tree)
        branches = zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True)
        for node, (left, feature, value) in enumerate(branches):
            if left != -1:
                values.setdefault(feature, set()).update(categories.get(node, [value]))
    return {feature: np.array(sorted(found), dtype=np.float32) for feature, found in sorted(values.items())}


def categories_of(tree: dict[str, Any]) -> dict[int, list[float]]:
    """Return categories by node; releases before 1.3 have none."""
    keys = ("categories_nodes", "categories_segments", "categories_sizes")
    found = {}
    for node, start, size in zip(*(tree.get(key, []) for key in keys), strict=True):
        codes = tree["categories"][start : start + size]
        found[node] = [*codes, max(codes, default=-1) + 1]
    return found
