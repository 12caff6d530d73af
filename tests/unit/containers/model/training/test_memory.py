"""Memory grows by one or two bytes per cell, independent of the size of the text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.containers.model.training.conftest import CONTAINER, Home
from training import data

MEASURE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from model.training import main
code = main.main()
print("peak_kib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def peak_mib(home: Home, rows: int, monkeypatch: pytest.MonkeyPatch) -> float:
    data.write(home.put("train", ""), rows, label=True)
    home.order(num_round="2")
    monkeypatch.setenv("DROPSCORE_ML_ROOT", str(home.root))
    command = [sys.executable, "-c", MEASURE, str(CONTAINER.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.slow
def test_memory_grows_by_a_fraction_of_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 more rows are 50 MB of text, 12 MB as float32 and 3 MB as bins; the rest is gradients and scores."""
    small = peak_mib(Home(tmp_path / "small"), 100_000, monkeypatch)
    large = peak_mib(Home(tmp_path / "large"), 500_000, monkeypatch)
    assert (large - small) / 4 < 12, (small, large)
