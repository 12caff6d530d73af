"""Whole jobs in this process: their output, their files, and how they fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import xgboost
from pyarrow import parquet

from model.serving.loading import load as load_served
from model.training import artifact
from model.training.folders import Folders
from model.training.hyperparameters.hyperparameters import cores
from model.training.progress import METRIC_DEFINITIONS, metric_definition
from model_tools.artifact import Manifest, digest
from tests.unit.containers.model.training.conftest import CONTAINER, Home, csv_of, table
from training import data


def predicted(home: Home, rows: Any) -> Any:
    return load_served(home.root / "model").predict(np.ascontiguousarray(rows, dtype=np.float32))


def test_the_artifact_serves_the_scores_of_the_trained_model(ready: Home) -> None:
    assert ready.train() == 0
    rows = table(50, seed=2)[:, 1:].astype(np.float32)
    booster = xgboost.Booster()
    booster.load_model(bytearray(ready.model))
    assert predicted(ready, rows).tobytes() == booster.predict(xgboost.DMatrix(rows)).tobytes()
    manifest = Manifest.from_json((ready.root / "model" / "manifest.json").read_bytes())
    assert manifest.sha256 == digest(ready.model)
    assert (manifest.features, manifest.iterations, manifest.trees, manifest.outputs) == (4, 8, 8, 1)


def test_it_learns_the_generated_fraud_data(home: Home) -> None:
    data.write(home.put("train", ""), 20_000, label=True)
    data.write(home.put("validation", ""), 10_000, seed=3, label=True)
    home.order(num_round="20", eval_metric="auc")
    assert home.train() == 0
    assert home.report["evaluation"]["metrics"]["auc"] > 0.9
    assert load_served(home.root / "model").predict(np.zeros((1, 30), dtype=np.float32)).shape == (1,)


def test_our_auc_is_xgboosts(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(eval_metric="auc")
    assert ready.train() == 0
    said = re.findall(r"^validation:auc=(\S+)$", capfd.readouterr().out, re.MULTILINE)
    assert float(said[0]) == pytest.approx(ready.report["evaluation"]["metrics"]["auc"], abs=1e-5)


def test_the_same_order_gives_the_same_bytes(ready: Home) -> None:
    ready.order(subsample="0.7", colsample_bytree="0.5", nthread="2", checkpoint_every="0")
    assert ready.train() == 0
    first = ready.model
    assert ready.train() == 0
    assert ready.model == first
    ready.order(subsample="0.7", colsample_bytree="0.5", nthread="2", checkpoint_every="0", seed="1")
    assert ready.train() == 0
    assert ready.model != first


@pytest.mark.parametrize("chunks", ["one", "many"])
def test_blocks_make_the_same_model_as_a_matrix(ready: Home, chunks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bins are those that XGBoost computes from an array in memory."""
    if chunks == "many":
        monkeypatch.setattr("model.training.data.csv_file.CHUNK_BYTES", 2000)
    assert ready.train() == 0
    rows = table().astype(np.float32)
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "tree_method": "hist"}
    whole = xgboost.QuantileDMatrix(rows[:, 1:], rows[:, 0], nthread=1)
    expected = xgboost.train(settings, whole, 8).predict(xgboost.DMatrix(rows[:, 1:]))
    np.testing.assert_allclose(predicted(ready, rows[:, 1:]), expected, rtol=1e-5)


@pytest.mark.parametrize("method", ["approx", "exact"])
def test_other_methods_train_in_memory(ready: Home, method: str) -> None:
    ready.order(tree_method=method, csv_weights="1", objective="reg:squarederror")
    rows = np.abs(table())
    keep = ~np.isnan(rows[:, 1])
    ready.put("train", csv_of(rows[keep]))
    ready.put("validation", csv_of(rows[keep]))
    assert ready.train() == 0, ready.failure
    assert ready.manifest["features"] == 3


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_classes_are_trained_reported_and_served(home: Home, objective: str) -> None:
    home.put("train", csv_of(table(classes=3)))
    home.order(objective=objective, num_class="3")
    assert home.train() == 0
    metrics = home.report["evaluation"]["metrics"]
    assert metrics["accuracy"] > 0.6
    assert np.sum(metrics["confusion"]) == 400
    outputs = 3 if objective == "multi:softprob" else 1
    assert home.manifest["outputs"] == outputs
    assert predicted(home, table(5)[:, 1:]).size == 5 * outputs


def test_parquet_and_csv_give_the_same_model(ready: Home) -> None:
    assert ready.train() == 0
    from_csv = ready.model
    (ready.root / "input" / "data" / "train" / "rows.csv").unlink()
    rows = table()
    names = ["y", "f0", "f1", "f2", "f3"]
    path = ready.put("train", "", "rows.parquet")
    parquet.write_table(pa.table({name: rows[:, at] for at, name in enumerate(names)}), path)
    for file in (ready.root / "checkpoints").iterdir():
        file.unlink()
    assert ready.train() == 0
    booster = xgboost.Booster()
    booster.load_model(bytearray(ready.model))
    assert booster.feature_names == names[1:]
    assert ready.manifest["feature_names"] == names[1:]
    booster.feature_names = None
    assert bytes(booster.save_raw("ubj")) == from_csv


def test_a_missing_number_reaches_the_server(ready: Home) -> None:
    text = csv_of(table()).replace(",,", ",-999,")
    ready.put("train", text)
    ready.order(missing="-999")
    assert ready.train() == 0
    assert ready.manifest["missing"] == -999
    rows = np.array([[np.nan, 1, 1, 1], [-999, 1, 1, 1]])
    scores = predicted(ready, rows)
    assert scores[0] == scores[1]


def test_early_stopping_keeps_the_best_rounds(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(num_round="300", eta="0.9", max_depth="6", early_stopping_rounds="4", eval_metric="auc,logloss")
    assert ready.train() == 0
    rounds = ready.report["rounds"]
    best = int(np.argmin([scores["validation-logloss"] for scores in rounds])) + 1
    assert ready.manifest["iterations"] == best
    assert len(rounds) == best + 4 < 300
    best_auc = rounds[best - 1]["validation-auc"]
    assert f"validation:auc={best_auc:.6g}\n" in capfd.readouterr().out


def test_early_stopping_looks_for_the_highest_auc(ready: Home) -> None:
    ready.order(num_round="300", eta="0.9", max_depth="6", early_stopping_rounds="4", eval_metric="logloss,auc")
    assert ready.train() == 0
    values = [scores["validation-auc"] for scores in ready.report["rounds"]]
    assert ready.manifest["iterations"] == int(np.argmax(values)) + 1


def test_every_metric_definition_finds_its_metric(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(kfold="3", eval_metric="auc")
    assert ready.train() == 0
    lines = capfd.readouterr().out.splitlines()
    assert re.fullmatch(r"\[7\]#011train-auc:0\.\d+#011validation-auc:0\.\d+", lines[10])
    for name in METRIC_DEFINITIONS:
        definition = metric_definition(name, metric="auc")
        found = [match for line in lines if (match := re.search(definition["Regex"], line))]
        assert len(found) == (8 if name.startswith("round") else 1), name
        assert 0 <= float(found[-1][1]) <= 1
    builtin = r".*\[[0-9]+\].*#011validation-auc:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"
    assert metric_definition("round:{channel}-{metric}", metric="auc")["Name"] == "round:validation-auc"
    assert len([line for line in lines if re.match(builtin, line)]) == 8


THREADS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from model.training import boosting, main
seen = []
boosting.print_round = lambda *_: seen.append(len(os.listdir("/proc/self/task")))
assert main.main() == 0
print(seen[-1])
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in Linux' /proc")
@pytest.mark.skipif(cores() < 2, reason="OpenMP has no second thread on one core")
def test_it_trains_with_all_threads_although_the_image_allows_openmp_one(ready: Home) -> None:
    counts = []
    for threads in ("1", "2"):
        ready.order(nthread=threads, checkpoint_every="0")
        command = [sys.executable, "-c", THREADS, str(CONTAINER.parent)]
        here = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=here, capture_output=True, text=True, check=True)
        counts.append(int(done.stdout.split()[-1]))
    assert counts[1] - counts[0] == 1


def test_the_documented_definitions_are_ours() -> None:
    text = (Path(__file__).parents[5] / "docs" / "training.md").read_text()
    documented = json.loads(text.partition("```json\n")[2].partition("```")[0])
    names = ("{channel}:{metric}", "round:{channel}-{metric}")
    assert documented == [metric_definition(name, metric="auc") for name in names]


def test_hyperparameters_are_refused_with_exit_1_and_the_reason(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.order(num_rounds="7")
    assert ready.train() == 1
    assert ready.failure == "hyperparameters: num_rounds is unknown; did you mean num_round?"
    assert ready.failure in capfd.readouterr().err
    assert not (ready.root / "model" / "model.ubj").exists()


def test_a_later_success_takes_the_failure_away(ready: Home) -> None:
    ready.order(eta="7")
    assert ready.train() == 1
    ready.order()
    assert ready.train() == 0
    assert not (ready.root / "output" / "failure").exists()


def test_the_reason_is_truncated_to_sagemakers_limit(ready: Home) -> None:
    ready.config("hyperparameters", {f"unknown_{number}": "1" for number in range(100)})
    assert ready.train() == 1
    assert len(ready.failure) == 1024


def test_bad_rows_fail_without_their_content(ready: Home, capfd: pytest.CaptureFixture[str]) -> None:
    ready.put("train", csv_of(table()) + "1,secret,1,1,1\n")
    assert ready.train() == 1
    assert ready.failure.startswith("train/rows.csv: row 401, column 2 is not a number")
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err + ready.failure


def test_an_error_of_xgboost_is_one_line(ready: Home) -> None:
    ready.order(monotone_constraints="(1,1,1,1,1,1,1)")
    assert ready.train() == 1
    assert ready.failure.startswith("XGBoost failed: ")
    assert "monotone" in ready.failure
    assert "\n" not in ready.failure
    assert "Stack trace" not in ready.failure


def test_an_unforeseen_error_tells_its_place_and_not_its_message(
    ready: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("model.training.job.write_artifact", fail)
    assert ready.train() == 1
    said = capfd.readouterr()
    assert "ValueError at main:" in ready.failure
    assert "secret" not in said.out + said.err + ready.failure


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"early_stopping_rounds": "3"}, "early_stopping_rounds needs a channel validation, or kfold"),
        ({"num_class": "3"}, "binary:logistic has no classes"),
    ],
)
def test_orders_that_contradict_themselves_are_refused(home: Home, change: dict[str, str], reason: str) -> None:
    home.put("train", csv_of(table()))
    home.order(**change)
    assert home.train() == 1
    assert reason in home.failure


def test_a_job_without_data_says_where_to_put_it(home: Home) -> None:
    home.order()
    assert home.train() == 1
    assert home.failure == "the channel train is missing: put its files under input/data/train"


def test_a_folder_that_cannot_be_written_is_found_before_training(ready: Home) -> None:
    ready.root.joinpath("model").write_text("a file in the way")
    assert ready.train() == 1
    assert "model cannot be written by user" in ready.failure


def test_configuration_that_is_not_json_is_refused(ready: Home) -> None:
    (ready.root / "input" / "config" / "hyperparameters.json").write_text("{")
    assert ready.train() == 1
    assert "hyperparameters.json is not JSON" in ready.failure


def test_the_manifest_is_written_last(ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(artifact, "write_atomically", lambda path, _: written.append(path.name))
    assert ready.train() == 0
    assert written == ["model.ubj", "manifest.json"]
    assert Folders.from_env({}).root == Path("/opt/ml")
