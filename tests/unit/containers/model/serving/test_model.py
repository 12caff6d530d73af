from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from dropscore.files.feature_names import digest_of
from model.serving import parallel
from model.serving.loading import BadArtifactError, load
from model.serving.model import MAX_REPLY_CELLS
from model.serving.output_type import OutputType
from model.serving.refusal import RefusalError
from tests.unit.containers.model.serving.conftest import Rows, train, write

KINDS: dict[str, dict[str, Any]] = {
    "logistic": {},
    "regression": {"objective": "reg:squarederror", "base_score": 3},
    "poisson": {"objective": "count:poisson"},
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "softmax": {"objective": "multi:softmax", "num_class": 3},
    "forest": {"num_parallel_tree": 3, "subsample": 0.5},
    "dart": {"booster": "dart", "rate_drop": 0.3},
    "linear": {"booster": "gblinear"},
    "hinge": {"objective": "binary:hinge"},
    "ranking": {"objective": "rank:pairwise"},
    "survival": {"objective": "survival:cox"},
    "quantiles": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]},
    "tweedie": {"objective": "reg:tweedie"},
}
ASKED: dict[OutputType, dict[str, bool]] = {
    OutputType.MARGIN: {"output_margin": True},
    OutputType.CONTRIBUTIONS: {"pred_contribs": True},
    OutputType.LEAVES: {"pred_leaf": True},
}


def same_bits(one: Rows, other: Rows) -> bool:
    return one.shape == other.shape and one.astype(np.float32).tobytes() == other.astype(np.float32).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_booster_predict_to_the_bit(kind: str, rows: Rows, tmp_path: Path) -> None:
    booster = train(rows, **KINDS[kind])
    model = load(write(tmp_path, booster))
    assert same_bits(model.predict(rows), booster.predict(xgboost.DMatrix(rows, nthread=1)))


def test_only_the_manifests_iterations_predict(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, booster, iterations=3))
    first = booster.predict(xgboost.DMatrix(rows), iteration_range=(0, 3))
    assert same_bits(model.predict(rows), first)
    assert not same_bits(first, booster.predict(xgboost.DMatrix(rows)))


def test_missing_of_the_manifest_is_missing(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, booster, missing=-999))
    filled = np.nan_to_num(rows, nan=-999)
    assert same_bits(model.predict(filled), booster.predict(xgboost.DMatrix(rows)))
    assert same_bits(model.predict(rows), booster.predict(xgboost.DMatrix(rows)))


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "anything.json"])
def test_model_without_a_manifest_is_served(name: str, booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    booster.save_model(tmp_path / name)
    model = load(tmp_path)
    assert model.schema.features == 3
    assert same_bits(model.predict(rows), booster.predict(xgboost.DMatrix(rows)))


def test_early_stopping_is_honoured_without_a_manifest(rows: Rows, tmp_path: Path) -> None:
    booster = train(rows)
    booster.set_attr(best_iteration="2")
    booster.save_model(tmp_path / "model.json")
    first = booster.predict(xgboost.DMatrix(rows), iteration_range=(0, 3))
    assert same_bits(load(tmp_path).predict(rows), first)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "has sha256 .*, but manifest.json says 000"),
        ({"features": 4}, "says 4 features, but the model has 3"),
        ({"iterations": 99}, "cannot predict with 99 rounds"),
        ({"format": 2}, "has format 2"),
        ({"model": "other.ubj"}, "must contain one model"),
        ({"missing": "x"}, "cannot be read"),
        ({"feature_names": ["a", "b"]}, "different feature_names than the model"),
    ],
)
def test_artifact_that_does_not_match_its_manifest_is_refused(
    changes: dict[str, object], reason: str, booster: xgboost.Booster, tmp_path: Path
) -> None:
    with pytest.raises(BadArtifactError, match=reason):
        load(write(tmp_path, booster, **changes))


def test_manifest_names_features_that_the_model_does_not(booster: xgboost.Booster, tmp_path: Path) -> None:
    assert load(write(tmp_path, booster)).schema.names == ()
    assert load(write(tmp_path, booster, feature_names=["a", "b", "c"])).schema.names == ("a", "b", "c")


def test_manifest_with_other_names_than_the_model_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    named = booster.copy()
    named.feature_names = ["a", "b", "c"]
    assert load(write(tmp_path, named, feature_names=["a", "b", "c"])).schema.names == ("a", "b", "c")
    with pytest.raises(BadArtifactError, match="different feature_names than the model"):
        load(write(tmp_path, named, feature_names=["c", "b", "a"]))


def test_replies_have_the_digest_of_feature_names(booster: xgboost.Booster, tmp_path: Path) -> None:
    """The digest is that of dropscore/files/feature_names.py, by which a worker checks where its columns go."""
    names = ["größe", "a b", '"c"']
    served = load(write(tmp_path, booster, feature_names=names))
    assert served.attributes == f"model-version={served.version};feature-names={digest_of(names)}"
    assert load(write(tmp_path, booster)).attributes == f"model-version={served.version}"


def test_manifest_cannot_name_a_file_elsewhere(booster: xgboost.Booster, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", booster, model="../outside.ubj")
    (folder / "model.ubj").rename(tmp_path / "outside.ubj")
    with pytest.raises(BadArtifactError, match="must contain one model"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_manifest_that_is_none_is_refused(text: str, booster: xgboost.Booster, tmp_path: Path) -> None:
    write(tmp_path, booster)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadArtifactError, match="cannot be read"):
        load(tmp_path)


def test_no_model_or_two_are_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    with pytest.raises(BadArtifactError, match="found: none"):
        load(tmp_path)
    for name in ("a.json", "b.ubj"):
        booster.save_model(tmp_path / name)
    with pytest.raises(BadArtifactError, match=r"found: \['a.json', 'b.ubj'\]"):
        load(tmp_path)


def test_pickle_is_never_read(booster: xgboost.Booster, tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(pickle.dumps(booster))
    with pytest.raises(BadArtifactError, match=r"cannot read model\.ubj"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["logistic", "dart", "linear"])
def test_scores_of_many_threads_are_those_of_one(kind: str, rows: Rows, tmp_path: Path) -> None:
    model = load(write(tmp_path, train(rows, **KINDS[kind])))
    expected = model.predict(rows)
    with ThreadPoolExecutor(4) as pool:
        assert all(same_bits(scores, expected) for scores in pool.map(model.predict, [rows] * 40))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output_type", ASKED)
def test_explanations_are_those_of_booster_predict_to_the_bit(
    kind: str, output_type: OutputType, rows: Rows, tmp_path: Path
) -> None:
    booster = train(rows, **KINDS[kind])
    model = load(write(tmp_path, booster, iterations=3))
    if kind == "linear" and output_type is OutputType.LEAVES:
        with pytest.raises(RefusalError, match="this gblinear model does not support leaves"):
            model.compute(rows, output_type)
        return
    rounds = (0, 0 if kind == "linear" else 3)
    expected = booster.predict(xgboost.DMatrix(rows, nthread=1), iteration_range=rounds, **ASKED[output_type])
    assert same_bits(model.compute(rows, output_type), expected)
    assert model.widths[output_type] == expected[0].size


@pytest.mark.parametrize("kind", ["logistic", "softprob", "dart", "linear"])
@pytest.mark.parametrize("output_type", [OutputType.SCORES, OutputType.CONTRIBUTIONS])
def test_answer_by_several_cores_is_that_of_one(kind: str, output_type: OutputType, rows: Rows, tmp_path: Path) -> None:
    many = np.tile(rows, (300, 1))
    assert parallel.count(many.nbytes, 3) == 3
    model = load(write(tmp_path, train(rows, **KINDS[kind])))
    assert same_bits(model.compute(many, output_type, cores=3), model.compute(many, output_type))


def test_vector_leaves_have_no_contributions(rows: Rows, tmp_path: Path) -> None:
    labels = np.nan_to_num(rows[:, :2])
    parameters = {"multi_strategy": "multi_output_tree", "tree_method": "hist", "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, labels, nthread=1), 3)
    model = load(write(tmp_path, booster))
    assert same_bits(model.compute(rows, OutputType.SCORES), booster.predict(xgboost.DMatrix(rows, nthread=1)))
    with pytest.raises(RefusalError, match="this gbtree model does not support contributions") as raised:
        model.compute(rows, OutputType.CONTRIBUTIONS)
    assert raised.value.status == 400


def test_answer_that_would_not_fit_is_refused_before_it_is_made(booster: xgboost.Booster, tmp_path: Path) -> None:
    model = load(write(tmp_path, booster))
    most = MAX_REPLY_CELLS // model.widths[OutputType.LEAVES]
    rows = np.zeros((most + 1, 3), np.float32)
    with pytest.raises(RefusalError, match=f"send at most {most} rows in a request for leaves") as raised:
        model.compute(rows, OutputType.LEAVES)
    assert (raised.value.status, raised.value.code) == (413, "ANSWER_TOO_LARGE")


def test_categories_are_scored_by_their_codes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("pqrstu"))[rng.integers(0, 6, 400)]
    frame = pd.DataFrame({"size": rng.normal(size=400), "letter": pd.Categorical(letters)})
    labels = (frame["letter"].cat.codes % 2).to_numpy() ^ (frame["size"] > 1).to_numpy()
    data = xgboost.DMatrix(frame, labels, enable_categorical=True, nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    model = load(write(tmp_path, booster))
    assert (model.schema.names, model.schema.categorical) == (("size", "letter"), (1,))
    codes = np.column_stack([frame["size"], frame["letter"].cat.codes]).astype(np.float32)
    expected = booster.predict(xgboost.DMatrix(frame, enable_categorical=True, nthread=1))
    assert same_bits(model.predict(codes), expected)
    assert not same_bits(model.predict(codes[::-1]), expected)


def test_scores_in_place_that_differ_stop_the_start(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xgboost.Booster, "inplace_predict", lambda *_, **__: np.zeros(3, np.float32))
    with pytest.raises(BadArtifactError, match=r"differ from those of Booster\.predict"):
        load(write(tmp_path, booster))


@pytest.mark.parametrize("output_type", [OutputType.CONTRIBUTIONS, OutputType.LEAVES])
def test_explanations_of_many_threads_are_those_of_one(
    output_type: OutputType, booster: xgboost.Booster, rows: Rows, tmp_path: Path
) -> None:
    model = load(write(tmp_path, booster))
    expected = model.compute(rows, output_type)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.compute(rows, output_type), range(40)))
    assert all(same_bits(one, expected) for one in found)
