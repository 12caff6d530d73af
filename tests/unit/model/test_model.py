from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from serving.model import BadArtefactError, load, text_of

from .conftest import Rows, train, write

KINDS: dict[str, dict[str, Any]] = {
    "logistic": {},
    "regression": {"objective": "reg:squarederror", "base_score": 3},
    "poisson": {"objective": "count:poisson"},
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "softmax": {"objective": "multi:softmax", "num_class": 3},
    "forest": {"num_parallel_tree": 3, "subsample": 0.5},
    "dart": {"booster": "dart", "rate_drop": 0.3},
    "linear": {"booster": "gblinear"},
}


def same_bits(one: Rows, other: Rows) -> bool:
    return one.shape == other.shape and one.astype(np.float32).tobytes() == other.astype(np.float32).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_booster_predict_to_the_bit(kind: str, rows: Rows, tmp_path: Path) -> None:
    booster = train(rows, **KINDS[kind])
    model = load(write(tmp_path, booster))
    assert same_bits(model.score(rows), booster.predict(xgboost.DMatrix(rows, nthread=1)))


def test_only_the_manifests_iterations_predict(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, booster, iterations=3))
    first = booster.predict(xgboost.DMatrix(rows), iteration_range=(0, 3))
    assert same_bits(model.score(rows), first)
    assert not same_bits(first, booster.predict(xgboost.DMatrix(rows)))


def test_missing_of_the_manifest_is_missing(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, booster, missing=-999))
    filled = np.nan_to_num(rows, nan=-999)
    assert same_bits(model.score(filled), booster.predict(xgboost.DMatrix(rows)))
    assert same_bits(model.score(rows), booster.predict(xgboost.DMatrix(rows)))


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "anything.json"])
def test_model_without_a_manifest_is_served(name: str, booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    booster.save_model(tmp_path / name)
    model = load(tmp_path)
    assert model.features == 3
    assert same_bits(model.score(rows), booster.predict(xgboost.DMatrix(rows)))


def test_early_stopping_is_honoured_without_a_manifest(rows: Rows, tmp_path: Path) -> None:
    booster = train(rows)
    booster.set_attr(best_iteration="2")
    booster.save_model(tmp_path / "model.json")
    first = booster.predict(xgboost.DMatrix(rows), iteration_range=(0, 3))
    assert same_bits(load(tmp_path).score(rows), first)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "has sha256 .*, manifest.json says 000"),
        ({"features": 4}, "says 4 features, the model has 3"),
        ({"iterations": 99}, "cannot predict with 99 rounds"),
        ({"format": 2}, "is of format 2"),
        ({"model": "other.ubj"}, "must hold one model"),
        ({"missing": "x"}, "cannot be read"),
    ],
)
def test_artefact_that_does_not_match_its_manifest_is_refused(
    changes: dict[str, object], reason: str, booster: xgboost.Booster, tmp_path: Path
) -> None:
    with pytest.raises(BadArtefactError, match=reason):
        load(write(tmp_path, booster, **changes))


def test_manifest_cannot_name_a_file_elsewhere(booster: xgboost.Booster, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", booster, model="../outside.ubj")
    (folder / "model.ubj").rename(tmp_path / "outside.ubj")
    with pytest.raises(BadArtefactError, match="must hold one model"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_manifest_that_is_none_is_refused(text: str, booster: xgboost.Booster, tmp_path: Path) -> None:
    write(tmp_path, booster)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadArtefactError, match="cannot be read"):
        load(tmp_path)


def test_no_model_or_two_are_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    with pytest.raises(BadArtefactError, match="found: none"):
        load(tmp_path)
    for name in ("a.json", "b.ubj"):
        booster.save_model(tmp_path / name)
    with pytest.raises(BadArtefactError, match=r"found: \['a.json', 'b.ubj'\]"):
        load(tmp_path)


def test_pickle_is_never_read(booster: xgboost.Booster, tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(pickle.dumps(booster))
    with pytest.raises(BadArtefactError, match=r"cannot read model\.ubj"):
        load(tmp_path)


def test_text_gives_the_same_float32_again() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x80000000, 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x3F800001], dtype=np.uint32)
    scores = np.concatenate([bits, edges]).view(np.float32)
    scores = scores[np.isfinite(scores)]
    lines = text_of(scores).decode().splitlines()
    again = np.array([float(line) for line in lines]).astype(np.float32)
    assert again.tobytes() == scores.tobytes()
    assert max(map(len, lines)) <= 16


def test_text_is_one_line_a_row() -> None:
    assert text_of(np.array([0.5, 0.1], np.float32)) == b"0.5\n0.1\n"
    assert text_of(np.array([[0.5, 0.25, 0.25], [1, 0, 0]], np.float32)) == b"0.5,0.25,0.25\n1,0,0\n"
    assert text_of(np.array([[0.5], [0.1]], np.float32)) == b"0.5\n0.1\n"


@pytest.mark.parametrize("kind", ["logistic", "dart", "linear"])
def test_scores_of_many_threads_are_those_of_one(kind: str, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, train(rows, **KINDS[kind])))
    expected = model.score(rows)
    with ThreadPoolExecutor(4) as pool:
        assert all(same_bits(scores, expected) for scores in pool.map(model.score, [rows] * 40))
