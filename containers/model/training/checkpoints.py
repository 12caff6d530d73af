"""Checkpoints: files with the model so far and the metrics of its rounds.

Training that resumes from a checkpoint produces the same bytes as training without an interruption.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import xgboost

from model.training.errors import TrainingError
from model.training.folders import write_atomically
from model.training.progress import Scores, print_line

ATTRIBUTE = "dropscore_checkpoint"
# The newest file may be truncated on its way to or from S3.
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """`history` has the metrics of each round of `model` (UBJSON)."""

    model: bytes
    history: list[Scores]


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """`run` is a digest of what must not change within one job; `every` counts rounds, 0 to save only on SIGTERM."""

    folder: Path
    run: str
    every: int

    def is_due(self, rounds: int) -> bool:
        return self.every > 0 and rounds % self.every == 0

    def save(self, booster: xgboost.Booster, history: list[Scores]) -> None:
        booster.set_attr(**{ATTRIBUTE: json.dumps({"run": self.run, "history": history})})
        write_atomically(self.folder / f"checkpoint-{len(history):06d}.ubj", bytes(booster.save_raw("ubj")))
        # Only a checkpoint has the attribute: the model's bytes must not depend on interruptions.
        booster.set_attr(**{ATTRIBUTE: None})
        for old in self._files()[:-KEPT]:
            old.unlink()

    def newest(self) -> Checkpoint | None:
        """Return the newest readable checkpoint. A file that was truncated on its way to or from S3 is skipped.

        Raises TrainingError if the checkpoint belongs to another job.
        """
        for path in reversed(self._files()):
            found = self._read(path)
            if found is not None:
                print_line(f"resuming from {path.name}")
                return found
            print_line(f"{path.name} is damaged; ignoring it")
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
                f"checkpoints/{path.name} belongs to another job (other hyperparameters, data or hosts); "
                "give this job an empty checkpoint folder"
            )
        booster.set_attr(**{ATTRIBUTE: None})
        return Checkpoint(bytes(booster.save_raw("ubj")), state["history"])
