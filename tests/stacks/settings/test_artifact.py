from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stacks.settings.artifact import Artifact, read_artifact
from stacks.settings.problems import SettingsError
from tests.stacks.building import MODEL, MODEL_SHA256, VERSION, digest_of, manifest, pack

KEY = "dropscore.toml: models.fraud.artifact"


def test_version_and_features_come_from_the_manifest(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.tar.gz", {"model.ubj": MODEL, "manifest.json": manifest()})
    assert read_artifact(path, KEY) == Artifact(path, VERSION, digest_of(path), 30, MODEL_SHA256)


@pytest.mark.parametrize("name", ["model.ubj", "./model.ubj", "xgboost-model.json"])
def test_without_a_manifest_the_only_model_counts_and_its_features_stay_unknown(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path / "model.tar.gz", {name: MODEL, "README": b""})
    assert read_artifact(path, KEY) == Artifact(path, VERSION, digest_of(path), None, MODEL_SHA256)


@pytest.mark.parametrize("names", [["b", "a"], ["f1", "f0"], ["größe", " x "]])
def test_names_of_features_come_from_the_manifest(tmp_path: Path, names: list[str]) -> None:
    assert _read_names(tmp_path, names) == tuple(names)


@pytest.mark.parametrize(
    "names", [None, ["f0", "f1"], ["0", "1"], ["1", "2"], ["Column_0", "Column_1"], ["Unnamed: 0", "Unnamed: 1"]]
)
def test_names_that_are_generated_count_as_unknown(tmp_path: Path, names: list[str] | None) -> None:
    assert _read_names(tmp_path, names) == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "1 feature_names and 2 features"),
        (["a", " a"], "a name twice"),
        (["a", 1], "not a list of names"),
        (["a", " "], "not a list of names"),
        ("ab", "not a list of names"),
    ],
)
def test_names_that_cannot_be_the_features_are_refused(tmp_path: Path, names: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        _read_names(tmp_path, names)


def _read_names(folder: Path, names: object) -> tuple[str, ...]:
    described = manifest(features=2, feature_names=names)
    return read_artifact(
        pack(folder / "model.tar.gz", {"model.ubj": MODEL, "manifest.json": described}), KEY
    ).feature_names


def test_another_archive_of_the_same_model_is_the_same_version_with_another_digest(tmp_path: Path) -> None:
    bare, described = (
        read_artifact(pack(tmp_path / name, {"model.ubj": MODEL, **more}), KEY)
        for name, more in (("bare", {}), ("described", {"manifest.json": manifest()}))
    )
    assert bare.version == described.version
    assert bare.digest != described.digest


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.json": b"{}", "b.ubj": b""}, r"it holds 2 \.json or \.ubj models instead of one"),
        ({"model.pkl": b""}, r"it holds 0 \.json or \.ubj models instead of one"),
        ({"manifest.json": manifest()}, "its manifest names 'model.ubj', which is not in it"),
        ({"model.ubj": b"another", "manifest.json": manifest()}, "not the file that its manifest describes"),
        ({"model.ubj": MODEL, "manifest.json": b"no json"}, "Expecting value"),
        ({"model.ubj": MODEL, "manifest.json": b'{"format": 1}'}, "its manifest lacks 'model'"),
        ({"model.ubj": MODEL, "manifest.json": b"{}"}, "its manifest lacks 'model'"),
        ({"model.ubj": MODEL, "manifest.json": b"[]"}, "its manifest is not a JSON object"),
        ({"model.ubj": MODEL, "manifest.json": b"[" * 100_000}, "its manifest is nested too deeply"),
        ({"model.ubj": MODEL, "manifest.json": b'{"model": [], "sha256": ""}'}, "its manifest's model is not a string"),
        (
            {"model.ubj": MODEL, "manifest.json": b'{"model": "", "sha256": "", "features": "30"}'},
            "its manifest's features is not a positive number of columns",
        ),
    ],
)
def test_an_artifact_that_cannot_be_served_is_refused(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    path = pack(tmp_path / "model.tar.gz", files)
    with pytest.raises(SettingsError, match=rf"^{KEY}: .*{words}.*`dropscore model import YOUR_MODEL"):
        read_artifact(path, KEY)


def test_a_tar_without_gzip_is_refused(tmp_path: Path) -> None:
    """SageMaker unpacks a .tar.gz only, so this would fail at the deployment."""
    packed = pack(tmp_path / "model.tar.gz", {"model.ubj": MODEL})
    plain = tmp_path / "plain.tar.gz"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    with pytest.raises(SettingsError, match=r"plain\.tar\.gz is not a \.tar\.gz archive"):
        read_artifact(plain, KEY)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("{}")
    with pytest.raises(
        SettingsError, match=r"model\.json is not a \.tar\.gz archive; `dropscore model import YOUR_MODEL"
    ):
        read_artifact(path, KEY)


def test_a_missing_demo_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"build/demo/model\.tar\.gz does not exist; `make setup` makes it"):
        read_artifact(tmp_path / "build/demo/model.tar.gz", KEY)


def test_a_missing_model_of_ones_own_names_the_import(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mine\.gz does not exist; `dropscore model import YOUR_MODEL -o .*mine"):
        read_artifact(tmp_path / "mine.gz", KEY)
