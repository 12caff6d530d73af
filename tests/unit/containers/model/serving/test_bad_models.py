"""Malicious and damaged artifacts: the server soon refuses to start, and logs why."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xgboost

from tests.unit.containers.model.serving.conftest import write
from tests.unit.containers.model.serving.running import event, started

Spoil = Callable[[Path, dict[str, Any]], object]


def refusal(folder: Path) -> str:
    begun = time.monotonic()
    process = started(folder)
    try:
        found = event(process)
        assert process.wait(20) == 1
    finally:
        process.kill()
        process.communicate()
    assert found["event"] == "refused_to_start"
    assert time.monotonic() - begun < 20
    return str(found["message"])


def saved(folder: Path, model: dict[str, Any]) -> None:
    (folder / "model.ubj").unlink(missing_ok=True)
    (folder / "model.json").write_text(json.dumps(model))


def trees(model: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = model["learner"]["gradient_booster"]["model"]["trees"]
    return found


def with_a_loop(folder: Path, model: dict[str, Any]) -> None:
    """Make the root its own child in every tree."""
    for tree in trees(model):
        tree["left_children"][0] = tree["right_children"][0] = 0
    saved(folder, model)


def with_a_hidden_loop(folder: Path, model: dict[str, Any]) -> None:
    """Add a loop that only a row with a huge number reaches."""
    tree = trees(model)[0]
    right = tree["right_children"][0]
    tree["split_conditions"][0], tree["default_left"][0] = 1e30, 1
    tree["left_children"][right] = tree["right_children"][right] = right
    saved(folder, model)


def with_features(count: int) -> Spoil:
    def spoil(folder: Path, model: dict[str, Any]) -> None:
        model["learner"]["learner_model_param"]["num_feature"] = str(count)
        for tree in trees(model):
            tree["tree_param"]["num_feature"] = str(count)
        model["learner"]["feature_names"] = model["learner"]["feature_types"] = []
        saved(folder, model)

    return spoil


def as_file(content: bytes) -> Spoil:
    return lambda folder, _: (folder / "model.ubj").write_bytes(content)


def as_large_file(folder: Path, _: dict[str, Any]) -> None:
    with (folder / "model.ubj").open("wb") as file:
        file.truncate(64 * 1024**3)


def as_pipe(folder: Path, _: dict[str, Any]) -> None:
    (folder / "model.ubj").unlink()
    os.mkfifo(folder / "model.ubj")


def as_device(folder: Path, _: dict[str, Any]) -> None:
    (folder / "model.ubj").unlink()
    (folder / "model.ubj").symlink_to("/dev/zero")


def as_folder(folder: Path, _: dict[str, Any]) -> None:
    (folder / "model.ubj").unlink()
    (folder / "model.ubj").mkdir()


def as_archive(folder: Path, _: dict[str, Any]) -> None:
    (folder / "model.ubj").rename(folder / "model.tar.gz")


def with_manifest(text: str) -> Spoil:
    return lambda folder, _: (folder / "manifest.json").write_text(text)


def with_manifest_pipe(folder: Path, _: dict[str, Any]) -> None:
    os.mkfifo(folder / "manifest.json")


MANIFEST = '{"format": 1, "model": "model.ubj", "sha256": "", "features": %s, "iterations": %s, "missing": null}'
BAD: dict[str, tuple[Spoil, str]] = {
    "a loop": (with_a_loop, "took more than|ended with SIG"),
    "a hidden loop": (with_a_hidden_loop, "took more than|ended with SIG"),
    "4 billion features": (with_features(4_000_000_000), "features|memory|XGBoost"),
    "a million features": (with_features(2_000_000), "features"),
    "a pipe": (as_pipe, "is not a regular file"),
    "a device": (as_device, "is not a regular file"),
    "a folder": (as_folder, "is not a regular file"),
    "an archive": (as_archive, "must contain one model"),
    "64 GB": (as_large_file, "is larger than"),
    "an empty file": (as_file(b""), "cannot read|SIG"),
    "half a list": (
        as_file(b"{L\0\0\0\0\0\0\0\7learner[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff"),
        "cannot read|memory|SIG",
    ),
    "open brackets": (as_file(b"[" * 5_000_000), "cannot read|SIG"),
    "a nested JSON": (as_file(b'{"a":' * 1_000_000), "cannot read|SIG"),
    "random bytes": (as_file(b"{" + bytes(range(256)) * 4000), "cannot read|SIG"),
    "a manifest pipe": (with_manifest_pipe, "is not a regular file"),
    "a nested manifest": (with_manifest("[" * 1_000_000), "cannot be read: RecursionError"),
    "a manifest of no text": (with_manifest("\ufeff{"), "cannot be read"),
    "a manifest of infinite features": (with_manifest(MANIFEST % ("1e999", "1")), "cannot be read: OverflowError"),
    "a manifest of long digits": (with_manifest(MANIFEST % ("9" * 5000, "1")), "cannot be read: ValueError"),
    "a manifest that lies": (with_manifest(MANIFEST % ("1000000000", "1")), "sha256"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_model_is_refused_with_its_reason(what: str, booster: xgboost.Booster, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", booster)
    (folder / "manifest.json").unlink()
    spoil, reason = BAD[what]
    spoil(folder, json.loads(bytes(booster.save_raw("json"))))
    found = refusal(folder)
    assert any(part in found for part in reason.split("|")), found
