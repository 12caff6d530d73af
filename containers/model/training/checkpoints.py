"""Checkpoints: one file a round that is kept, holding the model so far and how its metrics went.

Training goes on from one exactly as it would have without a break: the same bytes come out in the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import xgboost

from model.training.errors import TrainingError
from model.training.folders import write_atomically
from model.training.progress import Scores, say

ATTRIBUTE = "dropscore_checkpoint"
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """`history` has the metrics of each round that `model` (UBJSON) holds."""

    model: bytes
    history: list[Scores]


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """`run` is a digest of what must not change within one run; `every` 0 keeps only what SIGTERM asks for."""

    folder: Path
    run: str
    every: int

    def is_due(self, rounds: int) -> bool:
        return self.every > 0 and rounds % self.every == 0

    def save(self, booster: xgboost.Booster, history: list[Scores]) -> None:
        booster.set_attr(**{ATTRIBUTE: json.dumps({"run": self.run, "history": history})})
        write_atomically(self.folder / f"checkpoint-{len(history):06d}.ubj", bytes(booster.save_raw("ubj")))
        booster.set_attr(**{ATTRIBUTE: None})
        for old in self._files()[:-KEPT]:
            old.unlink()

    def newest(self) -> Checkpoint | None:
        """A newest file that was cut off on its way to or from S3 is passed over for the one before."""
        for path in reversed(self._files()):
            found = self._read(path)
            if found is not None:
                say(f"resuming from {path.name}")
                return found
            say(f"{path.name} is damaged and not used")
        return None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.ubj"))

    def _read(self, path: Path) -> Checkpoint | None:
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(path.read_bytes()))
            state = json.loads(booster.attr(ATTRIBUTE) or "")
        except (xgboost.core.XGBoostError, ValueError):
            return None
        if state["run"] != self.run:
            raise TrainingError(
                f"checkpoints/{path.name} is of another job (other hyperparameters, data or hosts); "
                "give this job an empty checkpoint folder"
            )
        booster.set_attr(**{ATTRIBUTE: None})
        return Checkpoint(bytes(booster.save_raw("ubj")), state["history"])
