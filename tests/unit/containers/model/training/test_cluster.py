"""Several hosts, each a process with its own /opt/ml, over the loopback interface."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import xgboost

from model.training.cluster import Hosts
from model.training.errors import TrainingError
from tests.unit.containers.model.training.conftest import Home, Table, csv_of, table

TWO = {"hosts": ["127.0.0.1", "127.0.0.2"], "current_host": "127.0.0.1"}
Done = list[tuple[Home, int, str]]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def together(tmp_path: Path, parts: list[Table], config: dict[str, str], **order: str) -> Done:
    names = [f"127.0.0.{number}" for number in range(1, len(parts) + 1)]
    homes = [Home(tmp_path / name) for name in names]
    for number, (home, name, part) in enumerate(zip(homes, names, parts, strict=True), 1):
        home.put("train", csv_of(part))
        for piece, rows in enumerate(np.array_split(table(200, seed=9), number)):  # not equally many blocks
            home.put("validation", csv_of(rows), f"{piece}.csv")
        home.config("inputdataconfig", {"train": config, "validation": {}})
        home.config("resourceconfig", {"hosts": names[::-1], "current_host": name})
        home.order(**order)
    port = free_port()
    # The last first: who comes before the tracker must wait for it.
    running = [(home, home.start(DROPSCORE_TRACKER_PORT=port)) for home in reversed(homes)]
    said = {home.root: process.communicate(timeout=60)[0] for home, process in running}
    codes = {home.root: process.returncode for home, process in running}
    return [(home, codes[home.root], said[home.root]) for home in homes]


def scores_of(home: Home, rows: Table) -> Table:
    booster = xgboost.Booster()
    booster.load_model(bytearray(home.model))
    scores: Table = booster.predict(xgboost.DMatrix(rows))
    return scores


@pytest.mark.parametrize("hosts", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_hosts_with_their_own_files_train_one_model_on_all_rows(tmp_path: Path, hosts: int) -> None:
    """The hosts have uneven shares of one class each, so no host could train alone."""
    rows = table(900)
    halves = [rows[rows[:, 0] == 0], *np.array_split(rows[rows[:, 0] == 1], hosts - 1)]
    done = together(tmp_path, halves, {"S3DistributionType": "ShardedByS3Key"}, eval_metric="logloss")
    assert [code for _, code, _ in done] == [0] * hosts, done
    first = done[0][0]
    assert first.report["model"]["rows"] == {"train": 900, "validation": 200}
    alone = Home(tmp_path / "alone")
    alone.put("train", csv_of(rows))
    alone.put("validation", csv_of(table(200, seed=9)))
    alone.order(eval_metric="logloss")
    with alone.start() as process:
        process.communicate(timeout=60)
    ours, theirs = (home.report["evaluation"]["metrics"]["auc"] for home in (first, alone))
    assert ours == pytest.approx(theirs, abs=0.01)  # the quantiles are merged, hence not the same to the bit
    np.testing.assert_allclose(scores_of(first, rows[:, 1:]), scores_of(alone, rows[:, 1:]), atol=0.15)


def test_only_the_first_host_saves_and_all_go_on_from_its_checkpoint(tmp_path: Path) -> None:
    rows = table(400)
    order = {"checkpoint_every": "3", "subsample": "0.7", "colsample_bytree": "0.7"}
    first, second = together(tmp_path, [rows, rows], {}, **order)
    assert first[1] == second[1] == 0
    assert sorted(path.name for path in (first[0].root / "model").iterdir()) == ["manifest.json", "model.ubj"]
    for folder in ("model", "checkpoints", "output/data"):
        assert list((second[0].root / folder).iterdir()) == []
    assert ("[0]#011train-" in first[2], "[0]#011train-" in second[2]) == (True, False)
    assert first[0].report["model"]["rows"] == {"train": 400, "validation": 200}  # the same files are shared out
    whole = first[0].model
    (first[0].root / "checkpoints" / "checkpoint-000006.ubj").unlink()
    done = together(tmp_path, [rows, rows], {}, **order)
    assert "resuming from checkpoint-000003.ubj" in done[0][2]
    assert done[0][0].model == whole


def test_bad_rows_on_one_host_end_it_before_the_others_wait(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.put("train", csv_of(table()) + "1,x,1,1,1\n")
    ready.config("resourceconfig", TWO)
    assert ready.train() == 1
    assert "row 401, column 2" in ready.failure
    assert "joins" not in capfd.readouterr().out


def test_kfold_on_several_hosts_is_refused(ready: Home) -> None:
    ready.order(kfold="3")
    ready.config("resourceconfig", TWO)
    assert ready.train() == 1
    assert "kfold needs one host" in ready.failure


def test_a_host_without_rows_fails_with_the_reason(ready: Home) -> None:
    ready.put("train", "1,2,3,4,5\n")
    ready.config("resourceconfig", TWO | {"current_host": "127.0.0.2"})
    assert ready.train() == 1
    assert ready.failure.startswith("channel train has no rows for this host")


@pytest.mark.parametrize("late", ["tracker", "name"])
def test_a_first_host_that_never_comes_is_given_up(late: str, ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.cluster.START_SECONDS", 0.1)
    monkeypatch.setenv("DROPSCORE_TRACKER_PORT", free_port())
    first = {"tracker": "127.0.0.1", "name": "host-1.invalid"}[late]
    ready.config("resourceconfig", {"hosts": [first, "zz"], "current_host": "zz"})
    assert ready.train() == 1
    assert {"tracker": "the first host did not answer", "name": "host-1.invalid of resource"}[late] in ready.failure


def test_all_hosts_agree_who_is_first() -> None:
    one = Hosts.from_config({"hosts": ["algo-2", "algo-1"], "current_host": "algo-2"})
    assert (one.names, one.index, one.is_first) == (("algo-1", "algo-2"), 1, False)
    assert Hosts.from_config({}).is_alone


@pytest.mark.parametrize("config", [{"hosts": []}, {"hosts": ["a", "a"]}, {"hosts": ["a"], "current_host": "b"}])
def test_hosts_that_make_no_sense_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match="resourceconfig"):
        Hosts.from_config(config)
