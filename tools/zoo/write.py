"""Runs inside an old release: `python write.py FOLDER` writes small models in every format that this release supports,
and zoo.json: the rows, and the predictions of this release for each model.

Python 2.7 to 3.13 and XGBoost 0.72 to today's run it: so it uses no annotations, no f-strings and no project modules.
"""
# mypy: ignore-errors
# ruff: noqa: UP010, UP031, PTH123

from __future__ import print_function

import inspect
import json
import os
import pickle
import sys
import tarfile

import joblib
import numpy as np
import xgboost

VERSION = tuple(int(part) for part in xgboost.__version__.split(".")[:2])
RANDOM = np.random.RandomState(0)
ROWS = RANDOM.normal(size=(240, 4)).astype("f4")
ROWS[RANDOM.rand(240, 4) < 0.1] = np.nan
SAMPLE = 40
PLAIN = np.nansum(ROWS, 1)
BINARY = (PLAIN > 0).astype(int)
CLASSES = BINARY + (PLAIN > 1)
COUNTS = np.abs(PLAIN).round()
NAMES = ["amount", "age", "days since", "x4"]
QUIET = {"silent": 1, "nthread": 1} if VERSION < (1, 0) else {"verbosity": 0, "nthread": 1}
TREES = dict(QUIET, max_depth=2, seed=7)
MISSING = -999
PROTOCOLS = [protocol for protocol in (0, 2, 4, 5) if protocol <= pickle.HIGHEST_PROTOCOL]
ROUNDS = 3

BOOSTERS = {
    "logistic": (dict(TREES, objective="binary:logistic", base_score=0.3), BINARY),
    "logitraw": (dict(TREES, objective="binary:logitraw", base_score=0.3), BINARY),
    "squared": (dict(TREES, objective="reg:linear" if VERSION < (0, 83) else "reg:squarederror", base_score=7), PLAIN),
    "poisson": (dict(TREES, objective="count:poisson", base_score=2), COUNTS),
    "gamma": (dict(TREES, objective="reg:gamma", base_score=2), COUNTS + 1),
    "tweedie": (dict(TREES, objective="reg:tweedie", base_score=2), COUNTS),
    "softprob": (dict(TREES, objective="multi:softprob", num_class=3), CLASSES),
    "softmax": (dict(TREES, objective="multi:softmax", num_class=3), CLASSES),
    "rank": (dict(TREES, objective="rank:pairwise"), CLASSES),
    "dart": (dict(TREES, objective="binary:logistic", booster="dart", rate_drop=0.5, eta=0.9), BINARY),
    "linear": (dict(QUIET, objective="binary:logistic", booster="gblinear", base_score=0.3), BINARY),
    "early": (dict(TREES, objective="binary:logistic", eta=1.5), BINARY),
    "forest": (dict(TREES, objective="binary:logistic", eta=1.5, num_parallel_tree=2, subsample=0.5), BINARY),
}
if VERSION >= (1, 7):
    BOOSTERS["absolute"] = (dict(TREES, objective="reg:absoluteerror"), PLAIN)  # the first with a fitted base_score
    BOOSTERS["targets"] = (dict(TREES, objective="reg:squarederror"), np.stack([PLAIN, BINARY], 1))
    BOOSTERS["categorical"] = (dict(TREES, objective="binary:logistic", tree_method="hist"), BINARY)
if VERSION >= (2, 0):
    BOOSTERS["quantile"] = (dict(TREES, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]), PLAIN)
    BOOSTERS["vector"] = (
        dict(TREES, objective="reg:squarederror", tree_method="hist", multi_strategy="multi_output_tree"),
        np.stack([PLAIN, BINARY], 1),
    )
STOPPED = {"early", "forest"}
facts = {}


def main(folder):
    os.chdir(folder)
    for booster_name in sorted(BOOSTERS):
        settings, labels = BOOSTERS[booster_name]
        write_booster(booster_name, settings, labels)
    write_slices()
    write_estimators()
    about = {
        "xgboost": xgboost.__version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "models": facts,
    }
    about["rows"] = as_lists(ROWS[:SAMPLE])
    with open("zoo.json", "w") as out:
        json.dump(about, out, sort_keys=True)


def as_lists(matrix):
    """Numbers that read back to the same float32; None for a missing value."""
    return [as_lists(row) for row in matrix] if matrix.ndim > 1 else [None if x != x else float(x) for x in matrix]


def codes(matrix):
    """The first column as category codes."""
    changed = matrix.copy()
    changed[:, 0] = np.clip(np.abs(changed[:, 0] * 4).round(), 0, 9)
    return changed


def matrix_of(booster_name, rows, labels=None):
    options = {"feature_names": NAMES} if booster_name in {"logistic", "softprob"} else {}
    if booster_name == "categorical":
        rows, options = codes(rows), {"feature_types": ["c", "q", "q", "q"], "enable_categorical": True}
    matrix = xgboost.DMatrix(rows, labels, **options)
    if booster_name == "rank" and labels is not None:
        matrix.set_group([len(rows) // 8] * 8)
    return matrix


def write_booster(booster_name, settings, labels):
    matrix, rows = matrix_of(booster_name, ROWS, labels), matrix_of(booster_name, ROWS[:SAMPLE])
    if booster_name in STOPPED:
        others = [(matrix_of(booster_name, ROWS[:SAMPLE], labels[:SAMPLE]), "others")]
        booster = xgboost.train(settings, matrix, 20, others, early_stopping_rounds=2, verbose_eval=False)
    else:
        booster = xgboost.train(settings, matrix, ROUNDS)
    iterations = (
        int(booster.best_iteration) + 1 if booster_name in STOPPED else 0 if booster_name == "linear" else ROUNDS
    )
    options = (
        best_options(booster) if booster_name in STOPPED else dart_options(booster) if booster_name == "dart" else {}
    )
    scores = booster.predict(rows, **options)
    record(booster_name, settings["objective"], scores, iterations, None)
    save_model(booster, booster_name)
    save_pickles(booster, booster_name, PROTOCOLS if booster_name in {"logistic", "early"} else [2])
    if booster_name == "logistic":
        save_joblibs(booster, booster_name)
        save_tars(booster_name)


def write_slices():
    """`booster[a:b]` is new in 1.3. What a slice retains of the early stopping changed in 2.1."""
    if VERSION < (1, 3):
        return
    for booster_name, first, last in (("logistic", 0, 2), ("softprob", 1, 3), ("dart", 0, 2), ("early", 0, 1)):
        settings, labels = BOOSTERS[booster_name]
        matrix, others = (
            matrix_of(booster_name, ROWS, labels),
            [(matrix_of(booster_name, ROWS[:SAMPLE], labels[:SAMPLE]), "others")],
        )
        stopping = {"evals": others, "early_stopping_rounds": 2} if booster_name == "early" else {}
        whole = xgboost.train(settings, matrix, 20 if stopping else ROUNDS, verbose_eval=False, **stopping)
        part, name = whole[first:last], "slice-of-" + booster_name
        scores = part.predict(matrix_of(booster_name, ROWS[:SAMPLE]))
        record(name, settings["objective"], scores, last - first, None)
        save_model(part, name)
        save_pickles(part, name, [2])


def best_options(booster):
    """Options of `predict` for the rounds that early stopping chose."""
    if "iteration_range" in arguments(booster.predict):
        return {"iteration_range": (0, booster.best_iteration + 1)}
    return {"ntree_limit": booster.best_ntree_limit}


def dart_options(booster):
    """Options of `predict` for all trees: before 1.0, a DART drops trees here too, unless given their number."""
    return {"training": False} if "training" in arguments(booster.predict) else {"ntree_limit": 1 << 20}


def arguments(function):
    return (
        inspect.signature(function).parameters if hasattr(inspect, "signature") else inspect.getargspec(function).args
    )


def record(booster_name, objective, scores, iterations, missing):
    outputs = 1 if scores.ndim == 1 else scores.shape[1]
    facts[booster_name] = {
        "objective": objective,
        "outputs": outputs,
        "iterations": int(iterations),
        "missing": missing,
    }
    facts[booster_name]["scores"] = as_lists(scores)
    facts[booster_name]["trees_a_round"] = {"forest": 2, "random-forest": ROUNDS}.get(
        booster_name, 1
    )  # except for classes


def save_model(booster, booster_name):
    if VERSION < (1, 6):
        booster.save_model(booster_name + ".binary")
    elif VERSION < (3, 1) and booster_name not in {"categorical", "targets", "vector", "quantile"}:
        with open(booster_name + ".binary", "wb") as out:  # the old format does not support the others
            out.write(bytes(booster.save_raw("deprecated")))
    if VERSION >= (1, 0):
        booster.save_model(booster_name + ".json")
    if VERSION >= (1, 6):
        booster.save_model(booster_name + ".ubj")


def save_pickles(model, booster_name, protocols):
    for protocol in protocols:
        with open("%s.pickle%d" % (booster_name, protocol), "wb") as out:
            pickle.dump(model, out, protocol)


def save_joblibs(model, booster_name):
    joblib.dump(model, booster_name + ".joblib")
    for how in ("zlib", "gzip", "bz2") + (() if sys.version_info < (3,) else ("lzma", "xz")):
        joblib.dump(model, "%s-%s.joblib" % (booster_name, how), compress=(how, 3))


def save_tars(booster_name):
    """As SageMaker's containers write them: only `xgboost-model` in a tar."""
    inside = {"pickle": booster_name + ".pickle2", "model": booster_name + (".binary" if VERSION < (1, 6) else ".json")}
    for name in sorted(inside):
        with tarfile.open("%s-%s.tar.gz" % (booster_name, name), "w:gz") as archive:
            archive.add(inside[name], "xgboost-model")


def write_estimators():
    """Scikit-learn estimators: a number for missing values, early stopping, several classes, a ranking."""
    rows = np.where(np.isnan(ROWS), MISSING, ROWS)
    shown = rows[:SAMPLE]
    settings = {"n_estimators": ROUNDS, "max_depth": 2, "missing": MISSING, "n_jobs": 1}
    stopped = fit_with_early_stopping(xgboost.XGBClassifier, settings, rows)
    limit = {"ntree_limit": stopped.best_ntree_limit} if VERSION < (0, 80) else {}  # the default used every round
    write_estimator(stopped, "classifier", stopped.predict_proba(shown, **limit)[:, 1], int(stopped.best_iteration) + 1)
    if VERSION < (1, 6):  # later releases reject string labels
        texts = xgboost.XGBClassifier(**settings).fit(rows, np.where(BINARY == 1, "fraud", "fine"))
        write_estimator(texts, "words", texts.predict_proba(shown)[:, 1], ROUNDS)
    several = xgboost.XGBClassifier(**settings).fit(rows, CLASSES)
    write_estimator(several, "several", several.predict_proba(shown), ROUNDS)
    regressor = xgboost.XGBRegressor(**dict(settings, base_score=0.5)).fit(rows, PLAIN)
    write_estimator(regressor, "regressor", regressor.predict(shown), ROUNDS)
    save_joblibs(regressor, "regressor")
    dart = xgboost.XGBRegressor(**dict(settings, booster="dart", rate_drop=0.5)).fit(rows, PLAIN)
    write_estimator(dart, "dart-regressor", every_tree(dart, shown), ROUNDS)
    if VERSION >= (1, 5):  # the first whose estimators predict in place, which rounds a DART otherwise
        facts["dart-regressor"]["in_place"] = as_lists(dart.predict(shown))
        long = dict(settings, booster="dart", rate_drop=0.5, n_estimators=40, base_score=50)
        large = xgboost.XGBRegressor(**long).fit(rows, 100 * PLAIN)
        write_estimator(large, "dart-large", every_tree(large, shown), 40)
        facts["dart-large"]["in_place"] = as_lists(large.predict(shown))
    if hasattr(xgboost, "XGBRanker"):
        ranker = xgboost.XGBRanker(**settings).fit(rows, CLASSES, group=[len(rows) // 8] * 8)
        write_estimator(ranker, "ranker", ranker.predict(shown), ROUNDS)
    if hasattr(xgboost, "XGBRFRegressor"):
        forest = xgboost.XGBRFRegressor(**settings).fit(rows, PLAIN)
        write_estimator(forest, "random-forest", forest.predict(shown), 1)


def every_tree(estimator, rows):
    booster = estimator.get_booster()
    return booster.predict(xgboost.DMatrix(rows, missing=MISSING), **dart_options(booster))


def fit_with_early_stopping(estimator, settings, rows):
    settings = dict(settings, n_estimators=20, learning_rate=1.5)
    others = {"eval_set": [(rows[:SAMPLE], BINARY[:SAMPLE])], "verbose": False}
    if VERSION < (1, 6):
        return estimator(**settings).fit(rows, BINARY, early_stopping_rounds=2, **others)
    return estimator(early_stopping_rounds=2, **settings).fit(rows, BINARY, **others)


def write_estimator(estimator, booster_name, scores, iterations):
    record(booster_name, str(estimator.objective), scores, iterations, MISSING)
    save_pickles(estimator, booster_name, PROTOCOLS if booster_name == "classifier" else [2])


if __name__ == "__main__":
    main(sys.argv[1])
