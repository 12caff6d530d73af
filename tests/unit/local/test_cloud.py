"""The files in a cloud's folder and their permissions."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import local.cloud
from local.cli import app
from local.cloud import Clock, Cloud, bring_up, find
from local.deployment.account import new_root
from local.processes import start

CLI = CliRunner()


def running(home: Path) -> Cloud:
    """A cloud with idle processes."""
    daemons = [
        start(
            name,
            [sys.executable, "-c", "import time; time.sleep(60)", f"{home}/{name}"],
            environment={},
            directory=home,
            log=home / "log",
            mark=f"{home}/{name}",
        )
        for name in ("emulator", "shim")
    ]
    return Cloud(home, "http://127.0.0.1:1", "http://127.0.0.1:2", new_root(), {"BucketName": "b"}, (), "d", *daemons)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setattr(local.cloud, "HOME", tmp_path)
    made = running(tmp_path)
    made.save()
    return made


def test_only_the_owner_can_read_credentials(cloud: Cloud) -> None:
    for name in ("cloud.json", "processes.json"):
        (cloud.home / name).chmod(0o644)  # as an earlier release may have left it
    cloud.save()
    assert {(cloud.home / name).stat().st_mode & 0o777 for name in ("cloud.json", "processes.json")} == {0o600}
    cloud.stop()


def test_root_credentials_are_kept_with_the_folder(tmp_path: Path) -> None:
    root = local.cloud._root(tmp_path)
    assert local.cloud._root(tmp_path) == root
    assert (tmp_path / "root.json").stat().st_mode & 0o777 == 0o600
    assert new_root() != new_root()


def test_a_shell_can_evaluate_printed_credentials(cloud: Cloud) -> None:
    done = CLI.invoke(app, ["credentials"])
    assert done.exit_code == 0
    exported = [line for line in shlex.split(done.stdout) if "=" in line]
    assert dict(line.split("=", 1) for line in exported) == cloud.environment()
    as_json = json.loads(CLI.invoke(app, ["credentials", "--json"]).stdout)
    assert (as_json["Version"], as_json["AccessKeyId"]) == (1, cloud.root["aws_access_key_id"])
    assert as_json["SecretAccessKey"] == cloud.root["aws_secret_access_key"]
    cloud.stop()
    assert CLI.invoke(app, ["credentials"]).exit_code != 0


def test_a_cloud_of_an_earlier_release_is_replaced(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = json.loads((cloud.home / "processes.json").read_text())
    del kept["root"]
    (cloud.home / "processes.json").write_text(json.dumps(kept))
    old = find(cloud.home)
    assert old is not None
    assert old.is_running
    monkeypatch.setattr(local.cloud, "synthesize", lambda _environ: cloud)  # unchanged sources
    monkeypatch.setattr(local.cloud, "launch", lambda *_: cloud)
    bring_up(cloud.home, os.environ, lambda _: None, Clock())
    assert not old.is_running


def test_a_running_cloud_is_not_restarted(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.cloud, "synthesize", lambda _environ: cloud)
    assert bring_up(cloud.home, os.environ, lambda _: None, Clock()) == cloud
    cloud.stop()


def test_a_half_running_cloud_is_stopped_before_a_restart(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.emulator.stop()
    assert cloud.shim.is_running
    monkeypatch.setattr(local.cloud, "launch", lambda *_: cloud)
    bring_up(cloud.home, os.environ, lambda _: None, Clock())
    assert not cloud.shim.is_running


def test_a_saved_cloud_is_found(cloud: Cloud) -> None:
    assert find(cloud.home) == cloud
    cloud.stop()
    assert find(cloud.home) is None
