from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dropscore.errors import ConfigurationError
from model.serving.loading import load as load_served
from model_tools.artifact import load, unpack
from training import data
from training.local_job import LocalJob, TrainingFailedError
from training.train_cli import chosen, train

app = typer.Typer()
app.command("train")(train)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    data.write(folder / "1.csv", 4000, label=True)
    data.write(folder / "2.csv", 2000, seed=1, label=True)
    return folder


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("hosts", ["1", "2"])
def test_it_leaves_an_artifact_that_serves_and_a_report(rows: Path, tmp_path: Path, hosts: str) -> None:
    out = tmp_path / "out" / "model.tar.gz"
    order = tmp_path / "order.json"
    order.write_text(json.dumps({"num_round": 50, "max_depth": "3", "one_drop": True}))
    run("--data", rows, "--hyperparameters", order, "-p", "num_round=4", "--out", out, "--hosts", hosts)
    manifest, _ = load(out.read_bytes())
    assert (manifest.iterations, manifest.features) == (4, 30)
    unpack(out, tmp_path / "served")
    assert load_served(tmp_path / "served").schema.features == 30
    report = json.loads((out.parent / "report" / "report.json").read_bytes())
    assert report["model"]["rows"] == {"train": 6000}
    assert report["model"]["hosts"] == int(hosts)


def test_checkpoints_are_kept_and_used(rows: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    order = ("--data", rows, "-p", "checkpoint_every=2", "--checkpoints", kept, "--out", tmp_path / "model.tar.gz")
    run(*order, "-p", "num_round=4")
    assert (kept / "checkpoint-000004.ubj").exists()
    assert "resuming from checkpoint-000004.ubj" in run(*order, "-p", "num_round=5")


def test_a_failed_job_tells_its_own_reason_and_writes_nothing(rows: Path, tmp_path: Path) -> None:
    job = LocalJob(train=rows, validation=None, hyperparameters={"eta": "7"}, hosts=2)
    with pytest.raises(TrainingFailedError, match="eta must be a number"):
        job.run(tmp_path / "home")
    assert TrainingFailedError.exit_code == 1


def test_a_host_that_fails_stops_the_others(rows: Path, tmp_path: Path) -> None:
    """With one row for two hosts, the second fails without rows, and the first waits until it is stopped."""
    one = tmp_path / "one.csv"
    one.write_text("1,2\n")
    job = LocalJob(train=one, validation=None, hyperparameters={}, hosts=2)
    with pytest.raises(TrainingFailedError, match="no rows for this host"):
        job.run(tmp_path / "home")


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    job = LocalJob(train=tmp_path / "empty", validation=None, hyperparameters={})
    with pytest.raises(ConfigurationError, match=r"has no file that ends in \.csv"):
        job.run(tmp_path / "home")


def test_pairs_win_over_the_file_and_all_is_text(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"eta": 0.1, "one_drop": true, "max_depth": "4"}')
    assert chosen(file, ["max_depth=5", "base_score=0.5"]) == {
        "eta": "0.1",
        "one_drop": "true",
        "max_depth": "5",
        "base_score": "0.5",
    }


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_file_that_is_not_a_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "order.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"order\.json"):
        chosen(tmp_path / "order.json", [])


@pytest.mark.parametrize("pair", ["eta", "=1"])
def test_a_pair_without_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(ConfigurationError, match="key=value"):
        chosen(None, [pair])
