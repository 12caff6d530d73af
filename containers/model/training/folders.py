"""The folders of a training container, below /opt/ml or DROPSCORE_ML_ROOT."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.training.errors import TrainingError

# No pattern for finished files matches this prefix.
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Folders:
    root: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Folders:
        return cls(Path(env.get("DROPSCORE_ML_ROOT", "/opt/ml")))

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def report(self) -> Path:
        return self.root / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.root / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def config(self, name: str) -> dict[str, Any]:
        """Read input/config/<name>.json; empty if it is missing, as with a plain `docker run`. Raises TrainingError."""
        path = self.root / "input" / "config" / f"{name}.json"
        try:
            found = json.loads(path.read_bytes()) if path.exists() else {}
        except ValueError as error:
            raise TrainingError(f"{path} is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise TrainingError(f"{path} must hold a JSON object")
        return found

    def check_writable(self) -> None:
        """Fail now, not after hours of training. Also removes the failure message of an earlier run.

        Raises TrainingError.
        """
        self.failure.unlink(missing_ok=True)
        for folder in (self.model, self.report, self.checkpoints):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
            except OSError as error:
                raise TrainingError(
                    f"{folder} cannot be written by user {os.getuid()}: {error.strerror}. Make it writable, "
                    "or run the container as the folder's owner: docker run --user $(id -u) …"
                ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, even if the host is lost in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(UNFINISHED + path.name)
    with unfinished.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(path)
