"""R's saveRDS, written here after R Internals ("Serialization Formats"): no file from a real R was available."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xgboost

from model_tools.errors import ModelImportError
from model_tools.importing.command import import_artifact
from model_tools.importing.foreign import find
from model_tools.importing.rds import raw_vectors
from model_tools.sandbox.budget import Budget
from tests.unit.model_tools.conftest import Rows, predict

NULL = struct.pack(">i", 254)
CLOSURE = struct.pack(">i", 3)
HEADERS = {
    2: b"X\n" + struct.pack(">iii", 2, 0x040303, 0x020300),
    3: b"X\n" + struct.pack(">iiii", 3, 0x040303, 0x030500, 5) + b"UTF-8",
}


def text(value: bytes) -> bytes:
    return struct.pack(">ii", 0x40009, len(value)) + value


def texts(*values: bytes) -> bytes:
    return struct.pack(">ii", 16, len(values)) + b"".join(map(text, values))


def raw(value: bytes) -> bytes:
    return struct.pack(">ii", 24, len(value)) + value


def attributes(**values: bytes) -> bytes:
    pairs = (struct.pack(">ii", 0x402, 1) + text(name.encode()) + value for name, value in values.items())
    return b"".join(pairs) + NULL


def booster_list(model: bytes) -> bytes:
    """list(handle = <pointer>, raw = …, niter = 6, callbacks = <function>), of class xgb.Booster."""
    pointer, niter = struct.pack(">i", 22) + NULL + NULL, struct.pack(">iid", 14, 1, 6.0)
    items = pointer + niter + raw(model) + CLOSURE
    return struct.pack(">ii", 0x313, 4) + items + attributes(names=texts(b"handle", b"raw"))


def alternative(model: bytes) -> bytes:
    """Written as the R package from 3.1 on does: as a class whose state is the model."""
    information = struct.pack(">ii", 2, 1) + text(b"XGBAltrepPointerClass") + NULL
    return struct.pack(">i", 238) + information + raw(model) + attributes(**{"class": texts(b"xgb.Booster")})


@pytest.mark.parametrize("version", HEADERS)
@pytest.mark.parametrize("wrap", [raw, booster_list, alternative])
def test_model_inside_is_found(version: int, wrap: Callable[[bytes], bytes], booster: xgboost.Booster) -> None:
    model = bytes(booster.save_raw("ubj"))
    found = find(gzip.compress(HEADERS[version] + wrap(model)))
    assert (found.content, found.format) == (model, "RDS of R around XGBoost UBJSON")


def test_model_inside_is_imported(booster: xgboost.Booster, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "m.rds").write_bytes(HEADERS[3] + booster_list(bytes(booster.save_raw("json"))))
    import_artifact(tmp_path / "m.rds", tmp_path / "model.tar.gz")
    assert np.array_equal(predict(tmp_path / "model.tar.gz", rows), booster.predict(xgboost.DMatrix(rows)))


def test_long_vector_has_its_length_in_two_halves() -> None:
    assert list(raw_vectors(HEADERS[3] + struct.pack(">iiii", 24, -1, 0, 3) + b"abc", Budget(0))) == [b"abc"]


REFUSED = {
    "function": (CLOSURE, "type 3 before a model"),
    "environment": (struct.pack(">ii", 4, 0), "type 4 before a model"),
    "no model": (raw(b"hello"), "no model bytes"),
    "numbers": (struct.pack(">iii", 13, 1, 7), "no model bytes"),
    "ends early": (struct.pack(">ii", 24, 9) + b"abc", "damaged"),
    "no end": (b"", "damaged"),
    "negative length": (struct.pack(">ii", 24, -5), "damaged"),
    "huge length": (struct.pack(">iiii", 24, -1, 1 << 30, 0), "damaged"),
    "nested without end": (struct.pack(">ii", 19, 1) * 100_000, "damaged"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_anything_else_is_refused(what: str, tmp_path: Path) -> None:
    content, reason = REFUSED[what]
    (tmp_path / "m.rds").write_bytes(HEADERS[3] + content)
    with pytest.raises(ModelImportError, match=reason):
        import_artifact(tmp_path / "m.rds", tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()
