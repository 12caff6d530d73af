"""Turns a found model into `.ubj` by the release that reads it best, and checks that our release predicts the same."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dropscore.environments import python_environment
from training.booster import Shape
from training.errors import ModelImportError
from training.foreign import Found
from training.recognise import needs_legacy, written_by
from training.repair import repaired

LEGACY = Path(__file__).parent / "legacy"
CONVERT = LEGACY / "convert.py"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Converted:
    """`categorical` are the columns, from 1, that hold codes of categories."""

    model: bytes
    shape: Shape
    iterations: int
    categorical: tuple[int, ...]
    converted_with: str | None
    verified_rows: int


def convert(found: Found) -> Converted:
    (converted,) = convert_all([found])
    return converted


def convert_all(found: Sequence[Found]) -> list[Converted]:
    """One process reads all the old models and one all the new; a model that cannot be read fails them all."""
    with tempfile.TemporaryDirectory() as folder:
        places = {Path(folder, str(number)): one for number, one in enumerate(found)}
        for here, one in places.items():
            _order(here, one)
        for is_legacy in (True, False):
            share = {here: one for here, one in places.items() if _is_legacy(one) is is_legacy}
            if share:
                _read_all(share, python_environment(LEGACY / "requirements.txt") if is_legacy else Path(sys.executable))
        done = _run([sys.executable, "-P", "-m", "training.verification", *map(str, places)])
        return [_converted(here, one, done) for here, one in places.items()]


def _is_legacy(found: Found) -> bool:
    return needs_legacy(found.kind, found.content)


def _read_all(places: Mapping[Path, Found], python: Path) -> None:
    done = _run([str(python), "-I", str(CONVERT), *map(str, places)])
    if done.returncode != 0:
        failed = next(found for here, found in places.items() if not (here / "facts.json").exists())
        raise ModelImportError(f"XGBoost cannot read the model ({failed.format}): {_reason(done)}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a damaged model can crash the library that reads it."""
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)


def _order(here: Path, found: Found) -> None:
    here.mkdir()
    (here / "source").write_bytes(repaired(found.kind, found.content))
    order = {
        "is_snapshot": found.kind.is_snapshot,
        "best_iteration": found.best_iteration,
        "best_ntree_limit": found.best_ntree_limit,
        "missing": found.missing,
        "feature_names": found.feature_names,
        "trees_a_round": found.trees_a_round,
        "says_trees_a_round": written_by(found.kind, found.content) >= (1, 6),
    }
    (here / "order.json").write_text(json.dumps(order))


def _converted(here: Path, found: Found, verification: subprocess.CompletedProcess[str]) -> Converted:
    if not (here / "verified.json").exists():
        reason = _reason(verification)
        raise ModelImportError(
            f"today's XGBoost cannot serve the model ({found.format}): {reason}; nothing was written"
        )
    facts, verified = (json.loads((here / name).read_text()) for name in ("facts.json", "verified.json"))
    if verified["wrong"]:
        raise ModelImportError(
            f"old and new XGBoost disagree on {verified['wrong']} of {verified['rows']} random rows; nothing was "
            "written. Please report the model's XGBoost version and objective"
        )
    return Converted(
        model=(here / "model.ubj").read_bytes(),
        shape=Shape(**verified["shape"]),
        iterations=facts["iterations"],
        categorical=tuple(facts["categorical"]),
        converted_with=f"xgboost {facts['xgboost']}" if _is_legacy(found) else None,
        verified_rows=verified["rows"],
    )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"it crashed (signal {-done.returncode}) on a damaged or unknown form of model"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and "Stack trace" not in line]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or ["no reason given"])[-1][:500]
