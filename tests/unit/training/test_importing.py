"""Import, end to end: the file as people have it → an artefact that predicts as the release that trained it did."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from training import conversion
from training.artefact import digest, load
from training.errors import ModelImportError
from training.importing import import_artefact

from .conftest import MODELS, ROOT, Rows, predict

BYO = ROOT.parent / "shared" / "data" / "byo"
BYO_SCORES = [0.000260044, 0.000412545, 0.001004696, 0.0000873892495292, 0.977230012, 0.970581293, 0.445608526]
OLD = sorted(path.name for path in MODELS.iterdir() if path.suffix != ".npz")


def test_python_2_pickle_of_sagemakers_container_scores_as_it_did(tmp_path: Path) -> None:
    if not BYO.exists():
        pytest.skip(f"{BYO} is absent: the sample artefact is not part of the repository")
    manifest = import_artefact(BYO / "model.tar.gz", tmp_path / "model.tar.gz")
    rows = np.loadtxt(BYO / "sample.csv", delimiter=",", dtype=np.float32)
    assert predict(tmp_path / "model.tar.gz", rows) == pytest.approx(BYO_SCORES, rel=1e-5)
    assert (manifest.features, manifest.trees, manifest.iterations) == (30, 100, 100)
    assert manifest.source.format == "pickle of xgboost.core.Booster (protocol 0) around XGBoost binary"
    assert manifest.converted_with == "xgboost 3.0.5"
    assert manifest.verified_rows == 1000


@pytest.mark.parametrize("name", OLD)
def test_old_model_scores_as_its_own_release_did(name: str, tmp_path: Path) -> None:
    manifest = import_artefact(MODELS / name, tmp_path / "model.tar.gz")
    then = np.load((MODELS / name).with_suffix(".npz"))
    # 1e-6: XGBoost before 1.2 called another exp() in its sigmoid and softmax, one last bit apart.
    np.testing.assert_allclose(predict(tmp_path / "model.tar.gz", then["rows"]), then["scores"], rtol=1e-6)
    assert manifest.converted_with == "xgboost 3.0.5"
    assert manifest.outputs == (3 if name.startswith("classes") else 1)

    assert manifest.missing == (-999 if name.startswith(("classifier", "regressor")) else None)
    check_early_stopping(tmp_path / "model.tar.gz", is_expected=name.startswith(("early", "classifier")))


def check_early_stopping(artefact: Path, *, is_expected: bool) -> None:
    manifest, model = load(artefact.read_bytes())
    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    if is_expected:
        assert 0 < manifest.iterations < booster.num_boosted_rounds()
        assert booster.attr("best_iteration") == str(manifest.iterations - 1)
    elif manifest.trees:
        assert manifest.iterations == booster.num_boosted_rounds()


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


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_save_a_booster_gives_the_same_artefact(
    way: str, booster: xgboost.Booster, rows: Rows, tmp_path: Path
) -> None:
    WAYS[way](booster, tmp_path / "mine")
    manifest = import_artefact(tmp_path / "mine", tmp_path / "model.tar.gz")
    expected = booster.predict(xgboost.DMatrix(rows))
    assert np.array_equal(predict(tmp_path / "model.tar.gz", rows), expected)
    assert (manifest.features, manifest.trees, manifest.iterations, manifest.converted_with) == (4, 6, 6, None)
    assert manifest.source.sha256 == digest((tmp_path / "mine").read_bytes())


@pytest.mark.parametrize("settings", [{"booster": "gblinear"}, {"booster": "dart", "rate_drop": 0.3}])
def test_other_boosters_are_imported(
    settings: dict[str, object], rows: Rows, labels: NDArray[np.int8], tmp_path: Path
) -> None:
    model = xgboost.train({**settings, "nthread": 1}, xgboost.DMatrix(rows, labels), 5)
    as_pickle(model, tmp_path / "mine", 4)
    import_artefact(tmp_path / "mine", tmp_path / "model.tar.gz")
    assert np.array_equal(predict(tmp_path / "model.tar.gz", rows), model.predict(xgboost.DMatrix(rows)))


def test_served_artefact_is_copied_as_it_is(booster: xgboost.Booster, tmp_path: Path) -> None:
    as_pickle(booster, tmp_path / "mine", 4)
    first = import_artefact(tmp_path / "mine", tmp_path / "first.tar.gz")
    assert import_artefact(tmp_path / "first.tar.gz", tmp_path / "second.tar.gz") == first
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def refuse(content: bytes, folder: Path, match: str) -> None:
    """The import fails and what stood at the destination still stands."""
    (folder / "mine").write_bytes(content)
    (folder / "model.tar.gz").write_bytes(b"yesterday's")
    with pytest.raises(ModelImportError, match=match) as raised:
        import_artefact(folder / "mine", folder / "model.tar.gz")
    assert raised.value.exit_code == 3
    assert (folder / "model.tar.gz").read_bytes() == b"yesterday's"


def test_tar_with_two_models_is_refused_by_their_names(booster: xgboost.Booster, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "tar", "w") as archive:
        for name in ("a.json", "b.json", "read me.txt", "._a.json"):
            (tmp_path / name).write_bytes(booster.save_raw("json"))
            archive.add(tmp_path / name, name)
    refuse((tmp_path / "tar").read_bytes(), tmp_path, r"holds 2 \(of a.json, b.json\)")


def test_tar_without_a_model_is_refused(tmp_path: Path) -> None:
    as_tar(b"1,2\n", tmp_path / "tar", "w", "data.csv")
    refuse((tmp_path / "tar").read_bytes(), tmp_path, r"holds 0 \(of data.csv\)")


@pytest.mark.parametrize("content", [b"", b"hello", b"1,2,3\n4,5,6\n"])
def test_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    refuse(content, tmp_path, "no XGBoost model that is known here")


def test_damaged_model_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    content = bytes(booster.save_raw("ubj"))
    refuse(content[: len(content) // 2], tmp_path, "XGBoost cannot read the model")


def test_pickle_without_model_bytes_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    wrapper = object.__new__(xgboost.XGBClassifier)
    refuse(pickle.dumps(wrapper), tmp_path, "carries no state|without a booster")
    wrapper.__dict__["n_estimators"] = 3
    refuse(pickle.dumps(wrapper), tmp_path, "without a booster")


@pytest.mark.parametrize("best", [6, 99, -5])
def test_early_stopping_beyond_the_model_is_refused(best: int, booster: xgboost.Booster, tmp_path: Path) -> None:
    booster.__dict__["best_iteration"] = best
    refuse(pickle.dumps(booster), tmp_path, f"chose {best + 1} rounds, but the model has 6")


def test_categorical_model_is_refused(rows: Rows, labels: NDArray[np.int8], tmp_path: Path) -> None:
    codes = np.abs(np.nan_to_num(rows)).round()
    matrix = xgboost.DMatrix(codes, labels, feature_types=["c"] * 4, enable_categorical=True)
    model = xgboost.train({"tree_method": "hist", "max_cat_to_onehot": 1, "nthread": 1}, matrix, 3)
    refuse(bytes(model.save_raw("ubj")), tmp_path, "categorical")


def test_nothing_is_written_when_old_and_new_disagree(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying = tmp_path / "convert.py"
    honest = conversion.CONVERT.read_text()
    lying.write_text(
        honest.replace('"expected.npy", expected', '"expected.npy", np.nextafter(expected, np.float32(9))')
    )
    assert lying.read_text() != honest
    monkeypatch.setattr(conversion, "CONVERT", lying)
    refuse(bytes(booster.save_raw("ubj")), tmp_path, r"disagree on 1000 of 1000 random rows; nothing was written")


def test_random_rows_reach_every_leaf(
    booster: xgboost.Booster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else agreement on them would say little."""
    seen: list[Rows] = []
    verify = conversion._verify

    def spy(model: xgboost.Booster, here: Path, *rest: Any) -> int:
        seen.append(np.load(here / "rows.npy"))
        return verify(model, here, *rest)

    monkeypatch.setattr(conversion, "_verify", spy)
    as_pickle(booster, tmp_path / "mine", 4)
    import_artefact(tmp_path / "mine", tmp_path / "model.tar.gz")
    reached = booster.predict(xgboost.DMatrix(seen[0]), pred_leaf=True)
    leaves = [tree.count("leaf=") for tree in booster.get_dump()]
    assert [len(np.unique(column)) for column in reached.T] == leaves
    assert np.isnan(seen[0]).mean() > 0.1
