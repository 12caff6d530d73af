from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dropscore.cli.uploads import Drop
from dropscore.errors import CloudError, ConfigurationError
from dropscore.jobs.job import State
from local import cloud as clouds
from local import one_shot
from local.cli import app, targets
from local.deployment.synthesis import input_names

CLI = CliRunner()


def _targets(files: list[str], out: str | None) -> list[Path]:
    return targets([Drop(Path(file), Path(file).name) for file in files], Path(out) if out else None)


@pytest.mark.parametrize(
    ("files", "out", "expected"),
    [
        (["a/x.csv"], None, ["x.scores.csv"]),
        (["a/x.csv"], "there/y.csv", ["there/y.csv"]),
        (["a/x.csv"], ".", ["x.scores.csv"]),
        (["a/x.csv", "b/Y.CSV"], "new", ["new/x.scores.csv", "new/Y.scores.csv"]),
        (["a/x.csv.gz", "b/Y.Csv.GZ"], None, ["x.scores.csv", "Y.scores.csv"]),
        (["a/x.csv.csv"], None, ["x.csv.scores.csv"]),
        (["0000_part_00", "000.gz", "a.tsv"], None, ["0000_part_00.scores.csv", "000.scores.csv", "a.tsv.scores.csv"]),
    ],
)
def test_scores_are_written_to_the_expected_paths(files: list[str], out: str | None, expected: list[str]) -> None:
    assert _targets(files, out) == [Path(path) for path in expected]


@pytest.mark.parametrize(
    ("files", "out", "message"),
    [
        (["a/x.csv", "b/x.csv"], None, "would collide"),
        (["x.csv", "b/x.csv.gz"], None, "would collide"),
        (["x.csv", "b/x.CSV"], None, "would collide"),
        (["x.csv", "x"], None, "would collide"),
        (["x.csv", "y.csv"], __file__, "must be a folder"),
        (["x.csv"], "x.csv", "overwrite the input x.csv"),
        (["x.csv", "x.scores.csv"], None, "overwrite the input x.scores.csv"),
    ],
)
def test_usage_error_when_scores_would_collide(files: list[str], out: str | None, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        _targets(files, out)


def test_scores_of_a_folder_keep_their_paths(tmp_path: Path) -> None:
    files = [Drop(tmp_path / name, name) for name in ("x/a.csv", "y/a.csv")]
    assert targets(files, tmp_path / "out") == [tmp_path / "out" / f"{name}/a.scores.csv" for name in "xy"]
    assert targets(files[:1], tmp_path / "out", is_folder=True) == [tmp_path / "out/x/a.scores.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in"], "pass --out to say where to write the scores"),
        (["in", "--out", "in/scores"], "--out must be outside in"),
        (["in/a.txt"], "would not be scored"),
        (["in/x/a.csv", "in/a.csv"], "would both be uploaded as input/a.csv"),
    ],
)
def test_usage_error_when_files_cannot_be_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in/x").mkdir(parents=True)
    for name in ("a.csv", "a.txt", "x/a.csv"):
        (tmp_path / "in" / name).touch()
    done = CLI.invoke(app, ["run", *arguments], env={"COLUMNS": "500"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_usage_error_when_settings_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "dropscore.toml").write_text("[inputs]\nnames = []\n")
    with pytest.raises(ConfigurationError, match=r"inputs\.names"):
        input_names({"DROPSCORE_SETTINGS": str(tmp_path / "dropscore.toml")})


def test_status_prints_down_and_exits_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clouds, "HOME", tmp_path)
    done = CLI.invoke(app, ["status"])
    assert (done.exit_code, done.stdout) == (1, "down\n")
    assert json.loads(CLI.invoke(app, ["status", "--json"]).stdout) == {"running": False}


def test_down_succeeds_when_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clouds, "HOME", tmp_path)
    done = CLI.invoke(app, ["down"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no embedded cloud is running" in done.stderr


class World:
    """The parts of a cloud and a deployment that Watch uses."""

    def __init__(self, tmp_path: Path, *, dead: int = 0, is_running: bool = True, status: State | None = None) -> None:
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "emulator.log").write_text(
            "fine\nClientError: not authorized to perform: batch:SubmitJob\n"
        )
        attributes = {"Attributes": {"ApproximateNumberOfMessages": str(dead)}}
        self.sqs: Any = SimpleNamespace(get_queue_attributes=lambda **_: attributes)
        self.cloud: Any = SimpleNamespace(
            home=tmp_path, is_running=is_running, client=lambda _service: self.sqs, outputs={"DeadLetterQueueUrl": "q"}
        )
        find: Callable[[str], Any] = lambda _id: status and SimpleNamespace(status=status)  # noqa: E731
        self.deployed: Any = SimpleNamespace(table=SimpleNamespace(find=find))

    def watch(self, monkeypatch: pytest.MonkeyPatch, pickup_seconds: float = 60) -> one_shot.Watch:
        monkeypatch.setattr(one_shot, "PICKUP_SECONDS", pickup_seconds)
        return one_shot.Watch(self.cloud, self.deployed, ("id",))


def test_waiting_continues_while_the_cloud_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    World(tmp_path).watch(monkeypatch).sleep(0)


def test_waiting_ends_when_the_cloud_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match="ended unexpectedly"):
        World(tmp_path, is_running=False).watch(monkeypatch).sleep(0)


def test_waiting_ends_with_the_log_after_a_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match=r"(?s)failed three times.*not authorized to perform: batch:SubmitJob"):
        World(tmp_path, dead=1).watch(monkeypatch).sleep(0)


@pytest.mark.parametrize("status", [None, State.CLAIMED])
def test_waiting_ends_when_no_job_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: State | None) -> None:
    with pytest.raises(CloudError, match="no job started for a file within"):
        World(tmp_path, status=status).watch(monkeypatch, pickup_seconds=-1).sleep(0)


def test_waiting_continues_for_a_long_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    World(tmp_path, status=State.SUBMITTED).watch(monkeypatch, pickup_seconds=-1).sleep(0)


class Bucket:
    """Records the uploaded keys in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: list[str] = []
        self.bucket, self.s3 = "b", self
        monkeypatch.setattr(one_shot, "upload", self.upload)

    def upload(self, _deployed: Any, file: Path, key: str) -> str:
        self.upload_file(str(file), "b", key)
        return "id"

    def upload_file(self, file: str, bucket: str, key: str) -> None:
        assert Path(file).exists()
        assert bucket == "b"
        self.keys.append(key)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_job_options_are_uploaded_before_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"{name}.job.json").write_text("{}")
    bucket: Any = Bucket(monkeypatch)
    messages: list[str] = []
    assert (
        one_shot._upload(bucket, one_shot.Order(Drop(tmp_path / name, name), tmp_path / "out"), messages.append) == "id"
    )
    assert bucket.keys == [f"input/{name}.job.json", f"input/{name}"]
    assert messages == [f"{name}: uses the options in {tmp_path / name}.job.json"]


def test_a_file_without_job_options_is_uploaded_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv.gz").touch()
    (tmp_path / "x.csv.job.json").write_text("{}")  # another file's
    bucket: Any = Bucket(monkeypatch)
    assert (
        one_shot._upload(bucket, one_shot.Order(Drop(tmp_path / "x.csv.gz", "x.csv.gz"), tmp_path / "out"), pytest.fail)
        == "id"
    )
    assert bucket.keys == ["input/x.csv.gz"]
