"""A job that is killed and resumed ends with the same bytes as one that ran without interruption."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from model.training.checkpoints import Checkpoints
from model.training.errors import TrainingError
from tests.unit.containers.model.training.conftest import Home, csv_of, table

KINDS = {
    "plain": {},
    "sampled": {"subsample": "0.6", "colsample_bytree": "0.7", "colsample_bynode": "0.7"},
    "dart": {"booster": "dart", "rate_drop": "0.2", "subsample": "0.8"},
    "approx": {"tree_method": "approx", "subsample": "0.6", "colsample_bytree": "0.7"},
}
LONG = {"num_round": "200", "max_depth": "4", "checkpoint_every": "7"}


def wait_for_checkpoint(home: Home, number: int) -> None:
    end = time.monotonic() + 60
    while not any(int(path.stem[-6:]) >= number for path in (home.root / "checkpoints").glob("checkpoint-*.ubj")):
        assert time.monotonic() < end, "no checkpoint came"
        time.sleep(0.005)


def killed(home: Home) -> int:
    with home.start() as process:
        wait_for_checkpoint(home, 14)
        process.kill()
        process.communicate(timeout=60)
        return process.returncode


def restarted(home: Home) -> str:
    with home.start() as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def undisturbed(home: Home, folder: Path) -> Home:
    other = Home(folder)
    shutil.copytree(home.root / "input", folder / "input")
    restarted(other)
    return other


@pytest.fixture
def long(home: Home) -> Home:
    home.put("train", csv_of(table(2000)))
    home.put("validation", csv_of(table(500, seed=1)))
    return home


@pytest.mark.parametrize("kind", ["sampled", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS)])
def test_sigkill_in_mid_training_changes_no_byte_of_the_model(long: Home, kind: str, tmp_path: Path) -> None:
    long.order(**LONG, **KINDS[kind])
    assert killed(long) == -signal.SIGKILL
    assert not (long.root / "model" / "model.ubj").exists()
    said = restarted(long)
    assert "resuming from checkpoint-" in said
    assert "[0]#011" not in said
    whole = undisturbed(long, tmp_path / "whole")
    assert long.model == whole.model
    assert long.report == whole.report


def test_sigterm_keeps_a_checkpoint_of_that_very_round(long: Home, tmp_path: Path) -> None:
    long.order(**LONG | {"checkpoint_every": "0"}, **KINDS["sampled"])
    with long.start() as process:
        assert process.stdout
        next(line for line in process.stdout if line.startswith("[20]#011"))
        process.terminate()
        said = process.stdout.read()
    assert process.returncode == 143
    rounds = 21 + said.count("#011train")
    assert [path.name for path in (long.root / "checkpoints").iterdir()] == [f"checkpoint-{rounds:06d}.ubj"]
    assert not (long.root / "output" / "failure").exists()
    assert not (long.root / "model" / "model.ubj").exists()
    restarted(long)
    assert long.model == undisturbed(long, tmp_path / "whole").model


def test_early_stopping_keeps_its_count_after_a_resume(long: Home) -> None:
    long.order(num_round="400", eta="0.3", early_stopping_rounds="20", checkpoint_every="3")
    assert long.train() == 0
    whole = long.model
    newest = sorted((long.root / "checkpoints").iterdir())
    assert len(newest) == 2
    newest[-1].unlink()
    assert long.train() == 0
    assert long.model == whole
    assert long.manifest["iterations"] < 400


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(checkpoint_every="2")
    assert ready.train() == 0
    whole = ready.model
    newest = ready.root / "checkpoints" / "checkpoint-000008.ubj"
    newest.write_bytes(newest.read_bytes()[:500])
    capfd.readouterr()
    assert ready.train() == 0
    said = capfd.readouterr().out
    assert "checkpoint-000008.ubj is damaged" in said
    assert "resuming from checkpoint-000006.ubj" in said
    assert ready.model == whole


@pytest.mark.parametrize("change", ["eta", "data"])
def test_a_checkpoint_of_another_job_is_refused(ready: Home, change: str) -> None:
    ready.order(checkpoint_every="2")
    assert ready.train() == 0
    if change == "data":
        ready.put("train", csv_of(table(401)))
    else:
        ready.order(checkpoint_every="2", eta="0.1")
    assert ready.train() == 1
    assert "belongs to another job" in ready.failure


def test_more_rounds_go_on_where_the_last_job_ended(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(checkpoint_every="4")
    assert ready.train() == 0
    ready.order(checkpoint_every="4", num_round="12")
    capfd.readouterr()
    assert ready.train() == 0
    assert "[8]#011" in capfd.readouterr().out
    more = ready.model
    shutil.rmtree(ready.root / "checkpoints")
    assert ready.train() == 0
    assert ready.model == more


def test_a_write_that_is_cut_off_leaves_no_checkpoint(ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", cut_off)
    ready.order(checkpoint_every="2")
    assert ready.train() == 1
    assert list((ready.root / "checkpoints").glob("checkpoint-*")) == []


def test_an_unfinished_checkpoint_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-checkpoint-000002.ubj").write_bytes(b"half")
    assert Checkpoints(folder=tmp_path, run="x", every=1).newest() is None


def test_the_error_of_a_foreign_checkpoint_names_the_file(ready: Home) -> None:
    ready.order(checkpoint_every="8")
    assert ready.train() == 0
    foreign = Checkpoints(folder=ready.root / "checkpoints", run="other", every=1)
    with pytest.raises(TrainingError, match=r"checkpoints/checkpoint-000008\.ubj belongs to another job"):
        foreign.newest()
