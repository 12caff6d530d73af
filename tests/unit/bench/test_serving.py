"""The benchmark's own arithmetic, and a short run of it against our server alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import serving
from bench.models import Workload, workload
from bench.servers import IMAGE_ENVIRONMENT, RIVALS_IN_ORDER, ROOT, Rival, running
from training import demo


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    folder = tmp_path_factory.mktemp("model")
    demo.train(rows=2_000, rounds=5).save_model(folder / "model.ubj")
    return workload("small", folder, rows=200)


def _here(workload: Workload, port: int, scratch: Path) -> tuple[Sequence[str], dict[str, str]]:
    """Run our server in this environment instead of its own."""
    command, environment = RIVALS_IN_ORDER[0].start(workload, port, scratch)
    return [sys.executable, *command[1:]], environment


@pytest.fixture(autouse=True)
def _no_installing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.servers.python_environment", lambda _: Path(sys.executable))


def test_server_is_measured_and_its_scores_are_compared(small: Workload) -> None:
    with running(Rival(name="ours", start=_here), small) as server:
        assert serving.verdict(server, small) == "bit-equal"
        worse = replace(small, scores=small.scores + np.float32(0.25))
        assert serving.verdict(server, worse) == "off by up to 0.2"
        assert "instead of" in serving.verdict(server, replace(small, scores=small.scores[1:]))
        found = serving.measure(server, len(small.rows), clients=2, seconds=0.2)
    assert found.rows_per_second > len(small.rows)
    assert found.milliseconds > 0
    assert serving.ceiling(small, times=3) > 0


def test_server_that_does_not_start_is_named_with_its_log(small: Workload) -> None:
    broken = Rival(name="broken", start=lambda *_: ([sys.executable, "-c", "raise SystemExit('no such model')"], {}))
    with pytest.raises(RuntimeError, match="broken did not start: no such model"), running(broken, small):
        pass


def test_line_gives_medians_and_the_median_of_the_rounds_ratios() -> None:
    ours = [serving.Round(speed, 10) for speed in (800, 100, 900)]
    theirs = [serving.Round(speed, 20) for speed in (100, 50, 90)]
    line = serving._line("theirs", 4, ours, theirs, "bit-equal")
    assert line == "| theirs | 4 | 90 | 8.0 × | 20 | bit-equal |"
    assert serving._line("ours", 4, ours, ours, "bit-equal") == "| ours | 4 | 800 |  | 10 | bit-equal |"


def test_rivals_are_pinned_by_hash() -> None:
    for requirements in (ROOT / "bench" / "rivals").glob("*/requirements.txt"):
        text = requirements.read_text()
        assert text.count("==") <= text.count("--hash=sha256:")
        assert "://" not in text


def test_our_server_is_started_as_its_image_starts_it() -> None:
    dockerfile = (ROOT / "containers" / "model" / "Dockerfile").read_text()
    set_there = {word for line in dockerfile.splitlines() if line.startswith("ENV ") for word in line.split()[1:]}
    assert {f"{name}={value}" for name, value in IMAGE_ENVIRONMENT.items()} <= set_there
