from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import xgboost
from typer.testing import CliRunner

from model_tools.cli import app
from model_tools.errors import ModelImportError


@pytest.fixture
def served(booster: xgboost.Booster, tmp_path: Path) -> Path:
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(booster))
    done = CliRunner().invoke(app, ["import", str(tmp_path / "mine.pkl"), "-o", str(tmp_path / "model.tar.gz")])
    assert done.exit_code == 0, done.output
    assert "pickle of xgboost.core.Booster" in done.stdout
    assert "Wrote" not in done.stdout
    assert "Wrote" in done.stderr
    return tmp_path / "model.tar.gz"


def test_show_prints_the_manifest(served: Path) -> None:
    done = CliRunner().invoke(app, ["show", str(served)])
    assert done.exit_code == 0
    assert "binary:logistic" in done.stdout
    assert "6, predicts with 6 rounds" in done.stdout


def test_json_is_the_manifest_and_nothing_else(served: Path, tmp_path: Path) -> None:
    again = CliRunner().invoke(app, ["import", str(served), "-o", str(tmp_path / "again.tar.gz"), "--json"])
    shown = CliRunner().invoke(app, ["show", str(served), "--json"])
    assert json.loads(again.stdout) == json.loads(shown.stdout)
    assert json.loads(shown.stdout)["source"]["name"] == "mine.pkl"


def test_show_of_another_file_is_a_dropscore_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    done = CliRunner().invoke(app, ["show", str(tmp_path / "x")])
    assert isinstance(done.exception, ModelImportError)
    assert str(done.exception).startswith("NOT_A_MODEL: ")


def test_show_of_a_model_without_a_manifest_names_the_command(booster: xgboost.Booster, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(booster.save_raw("ubj"))
    done = CliRunner().invoke(app, ["show", str(tmp_path / "x")])
    assert "it is not an artifact. Make one with dropscore model import" in str(done.exception)


def test_absent_file_is_wrong_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["import", str(tmp_path / "none"), "-o", "x"]).exit_code == 2


def test_trees_a_round_reach_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def spy(*_: Path, trees_a_round: int | None) -> None:
        asked.append(trees_a_round)
        raise ModelImportError("seen")

    monkeypatch.setattr("model_tools.cli.import_artifact", spy)
    (tmp_path / "x").write_bytes(b"x")
    for options in ([], ["--trees-a-round", "3"]):
        CliRunner().invoke(app, ["import", str(tmp_path / "x"), "-o", "y", *options])
    assert asked == [None, 3]
    assert CliRunner().invoke(app, ["import", str(tmp_path / "x"), "-o", "y", "--trees-a-round", "0"]).exit_code == 2
