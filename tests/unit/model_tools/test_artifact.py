from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from model_tools.artifact import Manifest, Source, digest, load, members, pack, unpack, write_atomically
from model_tools.errors import ModelImportError
from model_tools.sandbox.budget import MIB

MODEL = b"a model"
MANIFEST = Manifest(
    model="model.ubj",
    sha256=digest(MODEL),
    features=2,
    objective="binary:logistic",
    outputs=1,
    trees=3,
    iterations=3,
    missing=-999.0,
    source=Source(name="mine.pkl", sha256="0" * 64, format="pickle"),
    converted_with="xgboost 3.0.5",
    verified_rows=1000,
)


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_packed_artifact_loads_again(tmp_path: Path) -> None:
    pack(tmp_path / "model.tar.gz", MANIFEST, MODEL)
    assert load((tmp_path / "model.tar.gz").read_bytes()) == (MANIFEST, MODEL)


def test_packed_bytes_do_not_depend_on_clock_or_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path / "one", MANIFEST, MODEL)
    monkeypatch.setattr("time.time", lambda: 2e9)
    pack(tmp_path / "two", MANIFEST, MODEL)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        assert {(item.mtime, item.uid, item.uname) for item in archive} == {(0, 0, "")}


def test_manifest_of_another_model_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another model"):
        pack(tmp_path / "model.tar.gz", replace(MANIFEST, sha256="0" * 64), MODEL)
    assert list(tmp_path.iterdir()) == []


def test_changed_model_is_refused() -> None:
    changed = tar_of((entry("manifest.json"), MANIFEST.to_json()), (entry("model.ubj"), b"another"))
    with pytest.raises(ModelImportError, match="does not match its manifest"):
        load(changed)


NOT_OURS = (
    *(b"[]", b"{", b"null", b'"x"', b'{"format": 1}', b"[" * 100_000, b"\xff"),
    *(MANIFEST.to_json().replace(old, new) for old, new in (
        (b'"trees"', b'"shrubs"'), (b": 3,", b": true,"), (b": 3,", b': "3",'), (b": 3,", b": 3.0,"),
        (b"-999.0", b"NaN"), (b"-999.0", b'"-999"'), (b'"model.ubj"', b"[]"), (b'"format": 1', b'"format": 2'),
        (b'"source"', b'"sauce"'), (b'"name"', b'"nom"'),
    )),
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_OURS)
def test_manifest_that_is_not_ours_is_refused(text: bytes) -> None:
    with pytest.raises(ModelImportError, match=r"not a Dropscore manifest"):
        load(tar_of((entry("manifest.json"), text)))


def test_manifest_is_plain_json() -> None:
    fields = json.loads(MANIFEST.to_json())
    assert next(iter(fields.items())) == ("format", 1)
    assert fields["source"] == {"name": "mine.pkl", "sha256": "0" * 64, "format": "pickle"}


@pytest.mark.parametrize("names", [None, ("a", "b", "größe")])
def test_manifest_keeps_the_features_names(names: tuple[str, ...] | None) -> None:
    manifest = replace(MANIFEST, feature_names=names)
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert (b"feature_names" in manifest.to_json()) is (names is not None)


def test_manifest_names_categorical_columns_only_where_there_are_some() -> None:
    assert b"categorical" not in MANIFEST.to_json()
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    some = replace(MANIFEST, categorical=(1, 3))
    assert json.loads(some.to_json())["categorical"] == [1, 3]
    assert Manifest.from_json(some.to_json()) == some


@pytest.mark.parametrize("path", ["../model.ubj", "/etc/passwd", "a/../../b"])
def test_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(ModelImportError, match="leads out"):
        members(tar_of((entry(path), b"x")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_anything_but_a_file_is_refused(kind: bytes) -> None:
    with pytest.raises(ModelImportError, match="only files are read"):
        members(tar_of((entry("model.ubj", kind, "/etc/passwd"), b"")))


def test_gzip_that_unpacks_over_the_limit_is_refused() -> None:
    with pytest.raises(ModelImportError, match="TOO_LARGE: when unpacked, the artifact exceeds"):
        members(gzip.compress(tar_of((entry("model.ubj"), bytes(64 * MIB)))))


def test_archive_of_very_many_entries_is_refused() -> None:
    with pytest.raises(ModelImportError, match="TOO_LARGE: the archive has over 1000 entries"):
        members(tar_of(*((entry(str(number), tarfile.DIRTYPE), b"") for number in range(1001))))


def test_entry_of_negative_size_is_refused() -> None:
    archive = bytearray(tar_of((entry("model.ubj"), b"")))
    archive[124:136] = b"\xff" * 12
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    with pytest.raises(ModelImportError):
        members(bytes(archive))


@pytest.mark.parametrize("damage", [slice(0, 60), slice(0, -9)])
def test_damaged_gzip_is_refused(damage: slice) -> None:
    with pytest.raises(ModelImportError, match="damaged"):
        members(gzip.compress(tar_of((entry("model.ubj"), os.urandom(5000))))[damage])


def test_truncated_tar_is_refused() -> None:
    with pytest.raises(ModelImportError, match="cannot be read"):
        members(tar_of((entry("model.ubj"), bytes(5000)))[:2000])


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model.tar.gz"
    target.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", _fail)
    with pytest.raises(OSError, match="disk"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def _fail(*_: object) -> None:
    raise OSError("disk")


def test_unpack_writes_the_files_as_sagemaker_does(tmp_path: Path) -> None:
    pack(tmp_path / "model.tar.gz", MANIFEST, MODEL)
    unpack(tmp_path / "model.tar.gz", tmp_path / "opt")
    assert sorted(path.name for path in (tmp_path / "opt").iterdir()) == ["manifest.json", "model.ubj"]
    assert (tmp_path / "opt" / "model.ubj").read_bytes() == MODEL
