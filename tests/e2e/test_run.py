"""`dropscore local run`, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

DROPSCORE = Path(sys.executable).with_name("dropscore")
BYO = ROOT.parent / "shared" / "data" / "byo"
SCORES = [0.000260044, 0.000412545, 0.001004696, 0.0000873892495292, 0.977230012, 0.970581293, 0.445608526]


def dropscore(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [DROPSCORE, "local", "run", *map(str, arguments)], env=environment, cwd=folder, capture_output=True, text=True
    )


def test_seven_rows_are_scored_by_the_users_own_model(tmp_path: Path) -> None:
    if not BYO.exists():
        pytest.skip(f"needs a third-party model: {BYO} is not here")

    done = dropscore(BYO / "sample.csv", "--model", BYO / "model.tar.gz", "--out", "scores.csv", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert [float(line) for line in (tmp_path / "scores.csv").read_text().splitlines()] == pytest.approx(
        SCORES, rel=1e-5
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.csv"]


def test_every_file_gets_its_row_and_one_failure_shows(tmp_path: Path, sample: list[bytes]) -> None:
    (tmp_path / "good.csv").write_bytes(b"\n".join(sample[:4]) + b"\n")
    (tmp_path / "bad.csv").write_bytes(b"5,2,3\n")

    done = dropscore("good.csv", "bad.csv", "--json", folder=tmp_path)

    assert done.returncode == 1, done.stderr
    good, bad = json.loads(done.stdout)
    assert (good["status"], good["rows"]) == ("SUCCEEDED", 4)
    assert len((tmp_path / "good.scores.csv").read_bytes().splitlines()) == 4
    assert bad["status"] in {"REJECTED", "FAILED"}
    assert bad["message"] in done.stderr
    assert not (tmp_path / "bad.scores.csv").exists()
    assert "not emulated:" in done.stderr
    assert "time: " in done.stderr
