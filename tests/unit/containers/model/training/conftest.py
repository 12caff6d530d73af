"""A small /opt/ml to train in. The container's modules are imported as in the container."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.training import main as program

CONTAINER = Path(__file__).parents[5] / "containers" / "model"


Table = NDArray[np.float64]
QUICK = {"num_round": "8", "max_depth": "3", "nthread": "1"}


def table(rows: int = 400, *, seed: int = 0, features: int = 4, classes: int = 2) -> Table:
    """Return rows with the label first, some missing cells, and a label that mostly follows from the cells."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(rows, features))
    score = cells[:, 0] - cells[:, 1] + rng.normal(size=rows)
    labels = np.digitize(score, np.linspace(-1, 1, classes - 1)) if classes > 2 else score > 0
    cells[rng.random(cells.shape) < 0.05] = np.nan
    return np.column_stack([labels.astype(float), cells])


def csv_of(rows: Table, header: str = "") -> str:
    lines = (",".join("" if np.isnan(cell) else repr(float(cell)) for cell in row) for row in rows)
    return "".join(f"{line}\n" for line in ([header] if header else [])) + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Home:
    """One host's /opt/ml."""

    root: Path

    def put(self, channel: str, text: str | bytes, name: str = "rows.csv") -> Path:
        path = self.root / "input" / "data" / channel / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def config(self, name: str, content: Any) -> None:
        path = self.root / "input" / "config" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def order(self, **changes: str) -> None:
        self.config("hyperparameters", QUICK | changes)

    def train(self) -> int:
        return program.main()

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start it as the container does, in a separate process."""
        here = {**os.environ, "DROPSCORE_ML_ROOT": str(self.root), **environment}
        command = [sys.executable, str(CONTAINER / "serve.py"), "train"]
        return subprocess.Popen(command, env=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @property
    def failure(self) -> str:
        return (self.root / "output" / "failure").read_text()

    @property
    def model(self) -> bytes:
        return (self.root / "model" / "model.ubj").read_bytes()

    @property
    def manifest(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.root / "model" / "manifest.json").read_bytes())
        return found

    @property
    def report(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.root / "output" / "data" / "report.json").read_bytes())
        return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("DROPSCORE_ML_ROOT", str(tmp_path / "ml"))
    before = signal.getsignal(signal.SIGTERM)
    yield Home(tmp_path / "ml")
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def ready(home: Home) -> Home:
    """Return a home with data and a configuration, ready to train."""
    home.put("train", csv_of(table()))
    home.put("validation", csv_of(table(200, seed=1)))
    home.order()
    return home
