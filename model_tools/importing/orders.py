"""What the reader of an artifact leaves for the process that loads the model: FOLDER/source and FOLDER/order.json."""

from __future__ import annotations

import json
from pathlib import Path

from model_tools.errors import ModelImportError
from model_tools.importing.foreign import Found
from model_tools.importing.recognize import Kind, needs_legacy, written_by
from model_tools.importing.repair import repaired

OBJECTS = {Kind.JSON_MODEL, Kind.UBJ_MODEL, Kind.JSON_SNAPSHOT, Kind.UBJ_SNAPSHOT}


def write(folder: Path, found: Found) -> None:
    if found.kind in OBJECTS and not found.content.rstrip(b"\0 \r\n\t").endswith(b"}"):
        raise ModelImportError("the model's end is missing: the file was cut short. Copy it again")  # XGBoost reads on
    folder.mkdir(exist_ok=True)
    (folder / "source").write_bytes(found.content if found.stated else repaired(found.kind, found.content))
    order = {
        "format": found.format,
        "is_snapshot": found.kind.is_snapshot,
        "is_legacy": needs_legacy(found.kind, found.content),
        "is_served": found.stated is not None,
        "version": written_by(found.kind, found.content),
        "best_iteration": found.best_iteration,
        "best_ntree_limit": found.best_ntree_limit,
        "missing": found.missing,
        "feature_names": found.feature_names,
        "trees_a_round": found.trees_a_round,
    }
    (folder / "order.json").write_text(json.dumps(order))
    if found.stated:
        (folder / "stated.json").write_bytes(found.stated.to_json())
