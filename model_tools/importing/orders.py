"""Write what the next process needs to load the model: FOLDER/source and FOLDER/order.json."""

from __future__ import annotations

import json
from pathlib import Path

from model_tools.errors import ModelImportError
from model_tools.importing.foreign import Found
from model_tools.importing.recognize import FileFormat, needs_legacy, written_by
from model_tools.importing.repair import repair

OBJECTS = {FileFormat.JSON_MODEL, FileFormat.UBJ_MODEL, FileFormat.JSON_SNAPSHOT, FileFormat.UBJ_SNAPSHOT}


def write(folder: Path, found: Found) -> None:
    """Raises ModelImportError if the model is truncated or cannot be repaired."""
    if found.file_format in OBJECTS and not found.content.rstrip(b"\0 \r\n\t").endswith(b"}"):
        raise ModelImportError(
            "the file is truncated: the end of the model is missing. Copy it again"
        )  # XGBoost would read past the end
    folder.mkdir(exist_ok=True)
    (folder / "source").write_bytes(found.content if found.stated else repair(found.file_format, found.content))
    order = {
        "format": found.format,
        "is_snapshot": found.file_format.is_snapshot,
        "is_legacy": needs_legacy(found.file_format, found.content),
        "is_served": found.stated is not None,
        "version": written_by(found.file_format, found.content),
        "best_iteration": found.best_iteration,
        "best_ntree_limit": found.best_ntree_limit,
        "missing": found.missing,
        "feature_names": found.feature_names,
        "trees_a_round": found.trees_a_round,
    }
    (folder / "order.json").write_text(json.dumps(order))
    if found.stated:
        (folder / "stated.json").write_bytes(found.stated.to_json())
