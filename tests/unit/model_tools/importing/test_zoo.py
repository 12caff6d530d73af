"""The zoo (tools/zoo): models that real old releases wrote, each with its own release's predictions."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from model_tools.errors import ModelImportError
from model_tools.importing.command import import_artifact
from model_tools.importing.conversion import Converted
from model_tools.importing.foreign import Found, find
from tests.unit.model_tools.conftest import ROOT, Rows, convert_all, predict
from tools.zoo.releases import RELEASES

ZOO = ROOT / "tests" / "fixtures" / "zoo"
NAMES = [release.name for release in RELEASES]
SAMPLE = (
    "0.72.1-python2.7",
    "0.90-python3.6",
    "1.2.1-python3.7",
    "1.3.3-python3.8",
    "2.0.3-python3.9",
    "3.2.0-python3.13",
)


def name_of(case: Any) -> str:
    return case if isinstance(case, str) else case.values[0]


EACH = [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
CLOSE_ULPS = 2  # of the score, or of 1 where leaves cancel: before 1.3 sums and exp() were rounded in another order
EXACT_SINCE = (1, 5)
EPSILON, DART_EPSILONS = np.finfo(np.float32).eps, 1  # of the largest score, for up to 40 trees


@cache
def zoo_of(release: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    with tarfile.open(ZOO / f"{release}.tar.xz") as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
    return json.loads(files.pop("zoo.json")), files


def kind_of(name: str, zoo: dict[str, Any]) -> str:
    stem = name.partition(".")[0]
    return stem if stem in zoo["models"] else stem.rpartition("-")[0]


def rows_of(kind: str, zoo: dict[str, Any]) -> Rows:
    rows = np.array(zoo["rows"], dtype=np.float32)
    if kind == "categorical":
        rows[:, 0] = np.clip(np.abs(rows[:, 0] * 4).round(), 0, 9)
    missing = zoo["models"][kind]["missing"]
    return rows if missing is None else np.where(np.isnan(rows), np.float32(missing), rows)


def is_readable(kind: str, zoo: dict[str, Any]) -> bool:
    return kind != "vector" or version_of(zoo) >= (3, 2)


def version_of(zoo: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in zoo["xgboost"].split(".")[:2])


@cache
def converted_all(releases: tuple[str, ...]) -> dict[tuple[str, str], tuple[Found, Converted]]:
    """Convert all at once, and equal content of a pickle, a joblib and a tar only once: three interpreter starts."""
    found = {(release, name): one for release in releases for name, one in found_in(release).items()}
    different = {replace(one, format=""): one for one in found.values()}
    converted = dict(zip(different, convert_all(list(different.values())), strict=True))
    return {at: (one, converted[replace(one, format="")]) for at, one in found.items()}


def imported(release: str) -> dict[str, tuple[Found, Converted]]:
    together = SAMPLE if release in SAMPLE else tuple(name for name in NAMES if name not in SAMPLE)
    return {name: pair for (of, name), pair in converted_all(together).items() if of == release}


def found_in(release: str) -> dict[str, Found]:
    zoo, files = zoo_of(release)
    names = [name for name in files if is_readable(kind_of(name, zoo), zoo)]
    return {name: replace(find(files[name]), trees_a_round=told(kind_of(name, zoo), zoo)) for name in names}


def told(kind: str, zoo: dict[str, Any]) -> int:
    return int(zoo["models"][kind]["trees_a_round"])


@pytest.mark.parametrize("release", EACH)
def test_every_model_predicts_as_its_own_release(
    release: str,
) -> None:
    zoo, _ = zoo_of(release)
    wrong = {}
    for name, (found, converted) in imported(release).items():
        kind = kind_of(name, zoo)
        then = np.array(zoo["models"][kind]["scores"], dtype=np.float32)
        ulps = distance(scores_of(converted, found, rows_of(kind, zoo)), then)
        if ulps > (0 if version_of(zoo) >= EXACT_SINCE else CLOSE_ULPS):
            wrong[name] = ulps
    assert not wrong
    assert len(imported(release)) > 40


@pytest.mark.parametrize("release", [name for name in EACH if str(name_of(name)) >= "1.5"])
def test_dart_in_place_is_rounded_otherwise(release: str) -> None:
    """XGBRegressor.predict from 1.5 on predicts DART in place, which adds and subtracts base_score at each tree.

    import promises Booster.predict. That, done over again in 32 bits, gives the estimator's scores to the bit.
    """
    zoo, _ = zoo_of(release)
    for kind in ("dart-regressor", "dart-large"):
        found, converted = imported(release)[f"{kind}.pickle2"]
        estimator = np.array(zoo["models"][kind]["in_place"], dtype=np.float32)
        ours = scores_of(converted, found, rows_of(kind, zoo))
        assert np.array_equal(in_place(converted, found, rows_of(kind, zoo)), estimator), kind
        assert 0 < np.max(np.abs(ours - estimator)) < DART_EPSILONS * EPSILON * np.max(np.abs(ours))


def in_place(converted: Converted, found: Found, rows: Rows) -> Rows:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(converted.model))
    learner = json.loads(booster.save_raw("json"))["learner"]
    base = np.float32(learner["learner_model_param"]["base_score"].strip("[]"))
    matrix = xgboost.DMatrix(rows, missing=found.missing, nthread=1)
    leaves = booster.predict(matrix, pred_leaf=True).astype(int)
    dart = learner["gradient_booster"]
    total = np.full(len(rows), base, dtype=np.float32)
    for number, tree in enumerate(dart["gbtree"]["model"]["trees"]):
        values = np.array(tree["split_conditions"], dtype=np.float32)[leaves[:, number]]
        total += (values + base - base) * np.float32(dart["weight_drop"][number])
    return total


def scores_of(converted: Converted, found: Found, rows: Rows) -> Rows:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(converted.model))
    matrix = xgboost.DMatrix(rows, missing=np.nan if found.missing is None else found.missing, nthread=1)
    scores: Rows = booster.predict(matrix, iteration_range=(0, converted.iterations), validate_features=False)
    return scores


def distance(ours: Rows, theirs: Rows) -> float:
    """The largest difference, in units of the last place of the score or of 1, whichever is larger."""
    assert ours.shape == theirs.shape
    unit = np.spacing(np.maximum(np.abs(theirs), np.float32(1)))
    return float(np.max(np.abs(ours.astype(float) - theirs) / unit))


@pytest.mark.parametrize("release", EACH)
def test_every_model_comes_with_the_right_facts(
    release: str,
) -> None:
    zoo, _ = zoo_of(release)
    for name, (found, converted) in imported(release).items():
        kind = kind_of(name, zoo)
        facts = zoo["models"][kind]
        objective = facts["objective"].replace("reg:linear", "reg:squarederror")  # its name since 0.83
        assert (converted.shape.objective, converted.shape.outputs) == (objective, facts["outputs"]), name
        assert found.missing == facts["missing"], name
        used = converted.iterations * converted.shape.parallel_trees
        assert used == facts["iterations"] * facts["trees_a_round"], name
        assert converted.categorical == ((1,) if kind == "categorical" else ()), name
        assert (converted.converted_with is None) == (version_of(zoo) >= (3, 1)), name


def test_unknown_trees_per_round_needs_the_option(tmp_path: Path) -> None:
    """Assuming one tree per round would predict with half of this model."""
    zoo, files = zoo_of("0.90-python3.6")
    (tmp_path / "mine").write_bytes(files["forest.binary"])
    with pytest.raises(ModelImportError, match="--trees-a-round"):
        import_artifact(tmp_path / "mine", tmp_path / "model.tar.gz")
    manifest = import_artifact(tmp_path / "mine", tmp_path / "model.tar.gz", trees_a_round=2)
    assert manifest.iterations == 2 * zoo["models"]["forest"]["iterations"]
    ours = predict(tmp_path / "model.tar.gz", rows_of("forest", zoo))
    assert distance(ours, np.array(zoo["models"]["forest"]["scores"], dtype=np.float32)) <= CLOSE_ULPS


@pytest.mark.parametrize("release", ["1.3.3-python3.8", "1.5.2-python3.8", "1.7.6-python3.9"])
def test_slice_predicts_with_all_its_rounds(release: str) -> None:
    """They still have the number of rounds, or trees, of the whole booster."""
    zoo, files = zoo_of(release)
    names = [name for name in files if name.startswith("slice-of-")]
    found = [replace(find(files[name]), trees_a_round=1) for name in names]
    for name, one, converted in zip(names, found, convert_all(found), strict=True):
        facts = zoo["models"][kind_of(name, zoo)]
        assert converted.iterations == facts["iterations"], name
        then = np.array(facts["scores"], dtype=np.float32)
        ours = scores_of(converted, one, rows_of(kind_of(name, zoo), zoo))
        assert distance(ours, then) <= (0 if version_of(zoo) >= EXACT_SINCE else CLOSE_ULPS), name
    assert len(names) == 4 * (4 if version_of(zoo) >= (1, 6) else 3)


@pytest.mark.parametrize("release", [name for name in NAMES if "2.0" < name < "3.2"])
def test_vector_leaves_of_before_3_2_are_refused_because_they_crash_it(release: str, tmp_path: Path) -> None:
    _, files = zoo_of(release)
    for name in ("vector.json", "vector.ubj", "vector.pickle2"):
        with pytest.raises(ModelImportError, match="vector leaves"):
            convert_all([find(files[name])])


def test_zoo_holds_every_release_and_stays_small() -> None:
    assert sorted(path.name.removesuffix(".tar.xz") for path in ZOO.iterdir()) == sorted(NAMES)
    assert sum(path.stat().st_size for path in ZOO.iterdir()) < 2_000_000


def test_tar_gz_of_sagemaker_holds_the_model_alone() -> None:
    _, files = zoo_of("0.72.1-python2.7")
    with tarfile.open(fileobj=io.BytesIO(files["logistic-pickle.tar.gz"])) as archive:
        assert archive.getnames() == ["xgboost-model"]
    assert find(files["logistic-pickle.tar.gz"]).format.startswith("pickle of xgboost.core.Booster (protocol 2)")
