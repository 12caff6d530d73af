"""Turns a found model into `.ubj` by the release that reads it best, and checks that our release predicts the same."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost

from dropscore.environments import python_environment
from training.booster import Shape, describe
from training.errors import ModelImportError
from training.foreign import Found
from training.recognise import needs_legacy

LEGACY = Path(__file__).parent / "legacy"
CONVERT = LEGACY / "convert.py"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Converted:
    model: bytes
    shape: Shape
    iterations: int
    converted_with: str | None
    verified_rows: int


def convert(found: Found) -> Converted:
    is_legacy = needs_legacy(found.kind, found.content)
    python = python_environment(LEGACY / "requirements.txt") if is_legacy else Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        facts = _run(python, here, found)
        if facts["categorical"]:
            raise ModelImportError("the model has categorical features; a CSV of numbers cannot carry their categories")
        model = (here / "model.ubj").read_bytes()
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(model))
        rows = _verify(booster, here, found, int(facts["iterations"]))
    return Converted(
        model=model,
        shape=describe(booster),
        iterations=int(facts["iterations"]),
        converted_with=f"xgboost {facts['xgboost']}" if is_legacy else None,
        verified_rows=rows,
    )


def _run(python: Path, here: Path, found: Found) -> dict[str, str]:
    """In a process of its own: a damaged model can crash the library that reads it."""
    (here / "source").write_bytes(found.content)
    order = {
        "is_snapshot": found.kind.is_snapshot,
        "best_iteration": found.best_iteration,
        "best_ntree_limit": found.best_ntree_limit,
        "missing": found.missing,
        "feature_names": found.feature_names,
    }
    (here / "order.json").write_text(json.dumps(order))
    command = [str(python), "-I", str(CONVERT), str(here)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        raise ModelImportError(f"XGBoost cannot read the model ({found.format}): {_reason(done)}")
    facts: dict[str, str] = json.loads((here / "facts.json").read_text())
    return facts


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"it crashed (signal {-done.returncode}); the file is damaged"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and "Stack trace" not in line]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or ["no reason given"])[-1][:500]


def _verify(booster: xgboost.Booster, here: Path, found: Found, iterations: int) -> int:
    rows, expected = np.load(here / "rows.npy"), np.load(here / "expected.npy")
    missing = float("nan") if found.missing is None else found.missing
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    ours = booster.predict(matrix, iteration_range=(0, iterations), validate_features=False)
    if not np.array_equal(ours, expected, equal_nan=True):
        wrong = (
            int(np.sum(np.any(np.atleast_2d(ours.T != expected.T), axis=0))) if ours.shape == expected.shape else "all"
        )
        raise ModelImportError(
            f"old and new XGBoost disagree on {wrong} of {len(rows)} random rows; nothing was written. "
            "Please report the model's XGBoost version and objective"
        )
    return len(rows)
