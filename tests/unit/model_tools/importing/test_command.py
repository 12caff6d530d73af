"""Import end to end: from a user's file to an artifact that predicts as the release that trained it."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
import xgboost
from numpy.typing import NDArray

from model_tools.artifact import Manifest, digest, load, pack
from model_tools.errors import ModelImportError
from model_tools.importing import conversion, orders
from model_tools.importing.command import import_artifact
from model_tools.importing.conversion import Converted
from model_tools.importing.foreign import find
from model_tools.importing.legacy import convert as legacy
from model_tools.importing.verification import verify
from model_tools.sandbox.sandbox import Sandbox
from tests.unit.model_tools.conftest import ROOT, Rows, convert_all, predict, train, zoo

BYO = ROOT.parent / "shared" / "data" / "byo"
BYO_SCORES = [0.000260044, 0.000412545, 0.001004696, 0.0000873892495292, 0.977230012, 0.970581293, 0.445608526]


def test_python_2_pickle_of_sagemakers_container_scores_as_it_did(tmp_path: Path) -> None:
    if not BYO.exists():
        pytest.skip(f"{BYO} is absent: the sample artifact is not part of the repository")
    manifest = import_artifact(BYO / "model.tar.gz", tmp_path / "model.tar.gz")
    rows = np.loadtxt(BYO / "sample.csv", delimiter=",", dtype=np.float32)
    assert predict(tmp_path / "model.tar.gz", rows) == pytest.approx(BYO_SCORES, rel=1e-5)
    assert (manifest.features, manifest.trees, manifest.iterations) == (30, 100, 100)
    assert manifest.source.format == "pickle of xgboost.core.Booster (protocol 0) around XGBoost binary"
    assert manifest.converted_with == "xgboost 3.0.5"
    assert manifest.verified_rows == 1000


def as_pickle(booster: xgboost.Booster, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(booster, protocol))


def as_tar(content: bytes, path: Path, mode: str, name: str = "./xgboost-model") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


WAYS: dict[str, Any] = {
    **{f"pickle {n}": lambda model, path, n=n: as_pickle(model, path, n) for n in (0, 2, 5)},
    "json": lambda model, path: path.write_bytes(model.save_raw("json")),
    "ubj": lambda model, path: path.write_bytes(model.save_raw("ubj")),
    "gzipped json": lambda model, path: path.write_bytes(gzip.compress(model.save_raw("json"))),
    "joblib": lambda model, path: joblib.dump(model, path),
    **{f"joblib {how}": lambda model, path, how=how: joblib.dump(model, path, compress=(how, 3))
       for how in ("zlib", "lzma")},
    "tar": lambda model, path: as_tar(model.save_raw("ubj"), path, "w"),
    "tar.gz": lambda model, path: as_tar(model.save_raw("json"), path, "w:gz"),
    "tar of a pickle": lambda model, path: as_tar(pickle.dumps(model, 2), path, "w:gz", "export/xgboost-model"),
}  # fmt: skip


@pytest.fixture(scope="module")
def converted(rows: Rows, labels: NDArray[np.int8], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Converted]:
    """All formats at once, because starting XGBoost is slow."""
    folder, model = tmp_path_factory.mktemp("ways"), train(rows, labels)
    for number, way in enumerate(WAYS.values()):
        way(model, folder / str(number))
    found = [find((folder / str(number)).read_bytes()) for number in range(len(WAYS))]
    return dict(zip(WAYS, convert_all(found), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_save_a_booster_gives_the_same_model(
    way: str, converted: dict[str, Converted], booster: xgboost.Booster
) -> None:
    assert converted[way].model == converted["ubj"].model == bytes(booster.save_raw("ubj"))
    assert (converted[way].shape.features, converted[way].iterations, converted[way].converted_with) == (4, 6, None)


def test_imported_booster_predicts_as_it_did(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    as_pickle(booster, tmp_path / "mine", 4)
    manifest = import_artifact(tmp_path / "mine", tmp_path / "model.tar.gz")
    assert np.array_equal(predict(tmp_path / "model.tar.gz", rows), booster.predict(xgboost.DMatrix(rows)))
    assert manifest.source.sha256 == digest((tmp_path / "mine").read_bytes())
    assert (manifest.features, manifest.trees, manifest.iterations, manifest.converted_with) == (4, 6, 6, None)


@pytest.mark.parametrize("names", [["amount", "größe", "f0", "x y"], None])
def test_names_of_the_features_are_imported(
    names: list[str] | None, rows: Rows, labels: NDArray[np.int8], tmp_path: Path
) -> None:
    matrix = xgboost.DMatrix(rows, labels, feature_names=names, nthread=1)
    trained = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 2)
    ways: tuple[Callable[[Path], None], ...] = (trained.save_model, lambda path: as_pickle(trained, path, 4))
    for number, way in enumerate(ways):
        source = tmp_path / f"{number}.ubj"
        way(source)
        manifest = import_artifact(source, tmp_path / "model.tar.gz")
        assert manifest.feature_names == (None if names is None else tuple(names))


def test_other_boosters_are_imported(rows: Rows, labels: NDArray[np.int8]) -> None:
    kinds = ({"booster": "gblinear"}, {"booster": "dart", "rate_drop": 0.3})
    models = [xgboost.train({**kind, "nthread": 1}, xgboost.DMatrix(rows, labels), 5) for kind in kinds]
    for model, found in zip(models, convert_all([find(pickle.dumps(model, 4)) for model in models]), strict=True):
        served = xgboost.Booster({"nthread": 1})
        served.load_model(bytearray(found.model))
        assert np.array_equal(served.predict(xgboost.DMatrix(rows)), model.predict(xgboost.DMatrix(rows)))


def test_served_artifact_is_copied_as_it_is(booster: xgboost.Booster, tmp_path: Path) -> None:
    as_pickle(booster, tmp_path / "mine", 4)
    first = import_artifact(tmp_path / "mine", tmp_path / "first.tar.gz")
    assert import_artifact(tmp_path / "first.tar.gz", tmp_path / "second.tar.gz") == first
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


LIES: dict[str, Any] = {
    "features": 5, "objective": "reg:squarederror", "outputs": 2, "trees": 7, "iterations": 3, "categorical": (1,),
}  # fmt: skip


def served_as(manifest: Manifest, model: bytes, path: Path) -> bytes:
    pack(path, replace(manifest, sha256=digest(model)), model)
    return path.read_bytes()


@pytest.mark.parametrize("field", LIES)
def test_manifest_that_contradicts_the_model_is_refused(field: str, booster: xgboost.Booster, tmp_path: Path) -> None:
    """The digest is correct, because an attacker can write that too."""
    (tmp_path / "ours").write_bytes(booster.save_raw("ubj"))
    manifest = import_artifact(tmp_path / "ours", tmp_path / "true.tar.gz")
    lying = replace(manifest, **{field: LIES[field]})
    _, model = load((tmp_path / "true.tar.gz").read_bytes())
    refuse(served_as(lying, model, tmp_path / "lie"), tmp_path, f"WRONG_MANIFEST: its manifest says {field} ")


@pytest.mark.parametrize("cut", [0, 100, 2000])
def test_artifact_with_a_damaged_model_is_refused(cut: int, booster: xgboost.Booster, tmp_path: Path) -> None:
    (tmp_path / "ours").write_bytes(booster.save_raw("ubj"))
    manifest = import_artifact(tmp_path / "ours", tmp_path / "true.tar.gz")
    damaged = served_as(manifest, bytes(booster.save_raw("ubj")[:cut]), tmp_path / "damaged")
    refuse(damaged, tmp_path, "^(WRONG_MANIFEST|CRASHED|DAMAGED): ")


def test_artifact_with_an_older_model_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    (tmp_path / "ours").write_bytes(booster.save_raw("ubj"))
    manifest = import_artifact(tmp_path / "ours", tmp_path / "true.tar.gz")
    older = served_as(manifest, zoo("2.0.3-python3.9", "logistic.ubj"), tmp_path / "older")
    refuse(older, tmp_path, "^WRONG_MANIFEST: .* not written by a current XGBoost")


def test_verification_compares_both_ways_to_predict(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0").mkdir()
    orders.write(tmp_path / "0", find(bytes(booster.save_raw("ubj"))))
    legacy.convert(tmp_path / "0")
    honest = xgboost.Booster.inplace_predict
    monkeypatch.setattr(xgboost.Booster, "inplace_predict", lambda *args, **kwargs: honest(*args, **kwargs) + 1)
    verify(tmp_path / "0")
    assert json.loads((tmp_path / "0" / "verified.json").read_text())["wrong"] == 1000


def refuse(content: bytes, folder: Path, match: str) -> None:
    """The import fails, and the file at the destination is unchanged."""
    (folder / "mine").write_bytes(content)
    (folder / "model.tar.gz").write_bytes(b"yesterday's")
    with pytest.raises(ModelImportError, match=match) as raised:
        import_artifact(folder / "mine", folder / "model.tar.gz")
    assert raised.value.exit_code == 3
    assert (folder / "model.tar.gz").read_bytes() == b"yesterday's"


def test_tar_with_two_models_is_refused_by_their_names(booster: xgboost.Booster, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "tar", "w") as archive:
        for name in ("a.json", "b.json", "read me.txt", "._a.json"):
            (tmp_path / name).write_bytes(booster.save_raw("json"))
            archive.add(tmp_path / name, name)
    refuse((tmp_path / "tar").read_bytes(), tmp_path, r"but has 2 \(of a.json, b.json\)")


def test_tar_without_a_model_is_refused(tmp_path: Path) -> None:
    as_tar(b"1,2\n", tmp_path / "tar", "w", "data.csv")
    refuse((tmp_path / "tar").read_bytes(), tmp_path, r"but has 0 \(of data.csv\)")


@pytest.mark.parametrize("content", [b"", b"hello", b"1,2,3\n4,5,6\n"])
def test_file_that_is_not_a_model_is_refused(content: bytes, tmp_path: Path) -> None:
    refuse(content, tmp_path, "not an XGBoost model in a supported format")


def test_damaged_model_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    for kind in ("ubj", "json"):
        content = bytes(booster.save_raw(kind))
        refuse(content[: len(content) // 2], tmp_path, "DAMAGED: the file is truncated: the end")
    refuse(b'{"learner":{}}', tmp_path, r"DAMAGED: XGBoost cannot read the model \(XGBoost JSON\): \S")


def test_pickle_without_model_bytes_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    wrapper = object.__new__(xgboost.XGBClassifier)
    refuse(pickle.dumps(wrapper), tmp_path, "has no state|without a booster")
    wrapper.__dict__["n_estimators"] = 3
    refuse(pickle.dumps(wrapper), tmp_path, "without a booster")


@pytest.mark.parametrize("best", [6, -5])
def test_early_stopping_beyond_the_model_is_refused(best: int, booster: xgboost.Booster, tmp_path: Path) -> None:
    booster.__dict__["best_iteration"] = best
    refuse(pickle.dumps(booster), tmp_path, f"chose {best + 1} rounds, but the model has 6")


@pytest.mark.parametrize("one_hot", [1, 100])
def test_categorical_model_takes_codes_as_numbers(
    one_hot: int, rows: Rows, labels: NDArray[np.int8], tmp_path: Path
) -> None:
    """Trained on words; the CSV has their codes. Values that are not a code also score as in Booster.predict."""
    words = pd.Categorical(np.resize(["red", "green", "blue", "pink", "grey"], len(rows)))
    frame = pd.DataFrame({"x": rows[:, 0], "word": words})
    matrix = xgboost.DMatrix(frame, labels, enable_categorical=True)
    model = xgboost.train({"max_cat_to_onehot": one_hot, "nthread": 1}, matrix, 4)
    (tmp_path / "mine").write_bytes(model.save_raw("ubj"))
    manifest = import_artifact(tmp_path / "mine", tmp_path / "model.tar.gz")
    assert manifest.categorical == (2,)
    codes = np.stack([rows[:, 0], words.codes], axis=1).astype(np.float32)
    expected = model.predict(matrix)
    assert len(np.unique(expected)) > 4
    assert np.array_equal(predict(tmp_path / "model.tar.gz", codes), expected)
    served = xgboost.Booster({"nthread": 1})
    served.load_model(bytearray(load((tmp_path / "model.tar.gz").read_bytes())[1]))
    codes[:, 1] = np.resize([-1, 0.5, 4.9, 5, 99, 1e8, np.nan, np.float32(-0.5)], len(codes))
    in_place = served.inplace_predict(codes, validate_features=False)
    assert np.array_equal(in_place, predict(tmp_path / "model.tar.gz", codes))


def test_nothing_is_written_when_old_and_new_disagree(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Sandbox.run

    def lie(self: Sandbox, python: Path, module: str, *arguments: str, read_bytes: int) -> None:
        honest(self, python, module, *arguments, read_bytes=read_bytes)
        if module == conversion.CONVERT:
            scores = Path(arguments[0], "expected.npy")
            np.save(scores, np.nextafter(np.load(scores), np.float32(9)))

    monkeypatch.setattr(Sandbox, "run", lie)
    refuse(
        bytes(booster.save_raw("ubj")), tmp_path, r"SCORES_DIFFER.* on 1000 of 1000 random rows; nothing was written"
    )


def test_random_rows_reach_every_leaf(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, equal scores would prove little."""
    seen: list[Rows] = []
    finish = conversion._result

    def spy(here: Path, *rest: Any) -> Converted:
        seen.append(np.load(here / "rows.npy"))
        return finish(here, *rest)

    monkeypatch.setattr(conversion, "_result", spy)
    convert_all([find(bytes(booster.save_raw("ubj")))])
    reached = booster.predict(xgboost.DMatrix(seen[0]), pred_leaf=True)
    leaves = [tree.count("leaf=") for tree in booster.get_dump()]
    assert [len(np.unique(column)) for column in reached.T] == leaves
    assert np.isnan(seen[0]).mean() > 0.1
