from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zlib
from collections.abc import Callable

import pytest
import xgboost

from model_tools.errors import ModelImportError
from model_tools.importing.recognize import FileFormat, needs_legacy, recognize, unwrap, written_by
from model_tools.sandbox.budget import MIB, Budget
from tests.unit.model_tools.conftest import zoo

PACKS = [gzip.compress, bz2.compress, zlib.compress, lzma.compress]


def opened(content: bytes) -> bytes:
    return unwrap(content, Budget(len(content)))


def handle(release: str, name: str = "logistic.pickle2") -> bytes:
    from model_tools.importing.foreign import find

    return find(zoo(release, name)).content


def test_files_of_this_release_are_recognized(booster: xgboost.Booster) -> None:
    assert recognize(bytes(booster.save_raw("json"))) is FileFormat.JSON_MODEL
    assert recognize(bytes(booster.save_raw("ubj"))) is FileFormat.UBJ_MODEL
    assert recognize(bytes(booster.__getstate__()["handle"])) is FileFormat.UBJ_SNAPSHOT
    assert recognize(pickle.dumps(booster, 0)) is FileFormat.PICKLE


def test_files_of_old_releases_are_recognized() -> None:
    assert recognize(handle("0.90-python3.6")) is FileFormat.BINARY_MODEL
    assert recognize(b"binf" + handle("0.90-python3.6")) is FileFormat.BINARY_MODEL
    assert recognize(handle("0.90-python3.6", "linear.pickle2")) is FileFormat.BINARY_MODEL
    assert recognize(handle("1.0.2-python3.7")) is FileFormat.BINARY_SNAPSHOT
    assert recognize(handle("1.3.3-python3.8")) is FileFormat.JSON_SNAPSHOT


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b'{"a": 1}', b"1,2,3\n", bytes(600), b"\x80", b"["])
def test_anything_else_is_not(content: bytes) -> None:
    assert recognize(content) is None


@pytest.mark.parametrize(
    "content", [b"\x04\x22\x4d\x18....", b"ZF0x1....", b"PK\x03\x04....", b"\x89HDF....", b"RDX3\n", b"A\n3\n"]
)
def test_known_packings_are_refused_with_advice(content: bytes) -> None:
    with pytest.raises(ModelImportError, match=r"the file is (compressed|from|a|an) "):
        recognize(content)


@pytest.mark.parametrize("content", [b"tree\nversion=v4\nnum_class=1\n", b"CBM1\x00\x01"])
def test_model_of_another_library_is_refused_with_advice(content: bytes) -> None:
    with pytest.raises(ModelImportError, match=r"is a (LightGBM|CatBoost) model.*container = … in dropscore\.toml"):
        recognize(content)


@pytest.mark.parametrize("release", ["1.0.2-python3.7", "1.2.1-python3.7", "1.3.3-python3.8", "1.7.6-python3.9"])
def test_every_format_gives_the_release_that_wrote_it(release: str) -> None:
    version = tuple(int(part) for part in release.split(".")[:2])
    for name in ("logistic.binary", "logistic.json", "logistic.pickle2"):
        found = handle(release) if "pickle" in name else zoo(release, name)
        assert written_by(FileFormat(str(recognize(found))), found) == version, name


def test_before_1_0_no_release_is_told() -> None:
    assert written_by(FileFormat.BINARY_MODEL, handle("0.90-python3.6")) == (0, 0)


def test_release_that_wrote_it_decides_who_reads_it(booster: xgboost.Booster) -> None:
    ours = bytes(booster.save_raw("json"))
    assert not needs_legacy(FileFormat.JSON_MODEL, ours)
    assert not needs_legacy(FileFormat.UBJ_MODEL, bytes(booster.save_raw("ubj")))
    assert not needs_legacy(FileFormat.UBJ_SNAPSHOT, bytes(booster.__getstate__()["handle"]))
    assert needs_legacy(FileFormat.JSON_MODEL, ours.replace(b'"version":[3,2,0]', b'"version":[3,0,5]'))
    assert needs_legacy(FileFormat.JSON_SNAPSHOT, handle("1.3.3-python3.8"))
    assert needs_legacy(FileFormat.UBJ_SNAPSHOT, handle("1.7.6-python3.9", "classifier.pickle0"))
    assert needs_legacy(FileFormat.BINARY_MODEL, handle("0.90-python3.6"))


@pytest.mark.parametrize("pack", PACKS)
def test_compression_is_taken_off(pack: Callable[[bytes], bytes]) -> None:
    assert opened(pack(pack(b"{" * 99))) == b"{" * 99
    with pytest.raises(ModelImportError, match="damaged"):
        opened(pack(b"{" * 99)[:6] + b"\xff" * 40)


def test_lzma_alone_is_taken_off() -> None:
    assert opened(lzma.compress(b"model", format=lzma.FORMAT_ALONE)) == b"model"


@pytest.mark.parametrize("pack", PACKS)
def test_bomb_is_refused(pack: Callable[[bytes], bytes]) -> None:
    content = pack(bytes(MIB))
    budget = Budget(0)
    budget.left_bytes = MIB
    assert len(unwrap(content, budget)) == MIB
    assert budget.left_bytes == 0
    with pytest.raises(ModelImportError, match=r"TOO_LARGE: when unpacked, the artifact exceeds"):
        unwrap(content, budget)


@pytest.mark.parametrize("pack", PACKS)
def test_compressed_data_that_ends_early_is_refused(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ModelImportError, match="damaged"):
        opened(pack(bytes(range(256)) * 99)[:-4])


def test_third_layer_of_compression_is_refused() -> None:
    with pytest.raises(ModelImportError, match="more than 2 times;"):
        opened(gzip.compress(gzip.compress(gzip.compress(b"{"))))


def test_dictionary_larger_than_any_model_needs_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    with pytest.raises(ModelImportError, match="damaged: Memory usage limit"):
        opened(lzma.compress(b"model", filters=filters))
