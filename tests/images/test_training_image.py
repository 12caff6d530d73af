"""The built model image, run with `train` as SageMaker runs it, but without any privileges.

DROPSCORE_MODEL_IMAGE names the image; DROPSCORE_ENGINE is the engine's command, `docker` when unset.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import xgboost

from model_tools.artifact import Manifest
from training import data

IMAGE = os.environ.get("DROPSCORE_MODEL_IMAGE", "")
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
STRICT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")  # noqa: S108
OWNER = ("--user", f"{os.getuid()}:{os.getgid()}")
WAIT_SECONDS = 120
ROWS = 6000
ORDER = {"num_round": "10", "max_depth": "4", "eval_metric": "auc", "subsample": "0.7", "colsample_bytree": "0.7"}

pytestmark = pytest.mark.skipif(not IMAGE, reason="DROPSCORE_MODEL_IMAGE names no built image to run")


def engine(*arguments: str) -> str:
    done = subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Job:
    """A container that trains in `home`. It exists until `remove`, even after its end."""

    def __init__(self, home: Path, *options: str, name: str = "") -> None:
        self.home = home
        self.name = name or f"dropscore-test-{uuid4().hex[:8]}"
        mount = ("--volume", f"{home}:/opt/ml")
        engine("run", "--detach", "--name", self.name, *STRICT, *(options or OWNER), *mount, IMAGE, "train")

    def wait(self) -> int:
        return int(engine("wait", self.name))

    def output(self) -> str:
        done = subprocess.run([*ENGINE, "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def remove(self) -> None:
        engine("rm", "--force", self.name)

    def finished(self) -> str:
        """Waits for exit code 0. Returns the output."""
        code, output = self.wait(), self.output()
        self.remove()
        assert code == 0, output
        return output

    def wait_for_checkpoint(self) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not list((self.home / "checkpoints").glob("checkpoint-*")):
            assert time.monotonic() < end, self.output()
            time.sleep(0.02)


def lay_out(home: Path, **order: str) -> Path:
    for channel, seed in (("train", 0), ("validation", 1)):
        folder = home / "input" / "data" / channel
        folder.mkdir(parents=True)
        data.write(folder / "rows.csv", ROWS, seed, label=True)
    (home / "input" / "config").mkdir()
    (home / "input" / "config" / "hyperparameters.json").write_text(json.dumps(ORDER | order))
    return home


def model_of(home: Path) -> bytes:
    return (home / "model" / "model.ubj").read_bytes()


def test_docker_run_trains_a_model_and_a_report(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "ml")
    output = Job(home).finished()
    assert "[9]#011train-auc:" in output
    assert "validation:auc=" in output
    manifest = Manifest.from_json((home / "model" / "manifest.json").read_bytes())
    booster = xgboost.Booster()
    booster.load_model(bytearray(model_of(home)))
    assert (manifest.features, manifest.iterations) == (booster.num_features(), 10) == (30, 10)
    report = json.loads((home / "output" / "data" / "report.json").read_bytes())
    assert report["evaluation"]["metrics"]["auc"] > 0.8
    assert (home / "output" / "data" / "roc.svg").stat().st_size > 500


def test_the_image_serves_the_model_it_trained(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "ml")
    Job(home).finished()
    ask = (
        "import sys; from pathlib import Path; import numpy as np; sys.path.insert(0, '/app'); "
        "from model.serving.loading import load; "
        "rows = np.linspace(-2, 2, 300, dtype=np.float32).reshape(10, 30); "
        "print(load(Path('/opt/ml/model')).predict(rows).tobytes().hex())"
    )
    served = engine(
        "run", "--rm", *STRICT, "--volume", f"{home}:/opt/ml:ro", "--entrypoint", "python", IMAGE, "-c", ask
    )
    booster = xgboost.Booster()
    booster.load_model(bytearray(model_of(home)))
    rows = np.linspace(-2, 2, 300, dtype=np.float32).reshape(10, 30)
    assert served == booster.predict(xgboost.DMatrix(rows)).tobytes().hex()


@pytest.fixture
def two_hosts() -> Iterator[str]:
    network = f"dropscore-test-{uuid4().hex[:8]}"
    engine("network", "create", network)
    yield network
    engine("network", "rm", "--force", network)


def test_two_containers_train_one_model(tmp_path: Path, two_hosts: str) -> None:
    jobs = []
    for name in ("algo-2", "algo-1"):  # the second host starts first: it must wait
        home = lay_out(tmp_path / name)
        config = {"current_host": name, "hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}
        (home / "input" / "config" / "resourceconfig.json").write_text(json.dumps(config))
        jobs.append(Job(home, *OWNER, "--network", two_hosts, "--network-alias", name, "--hostname", name))
    second, first = (job.finished() for job in jobs)
    assert "saved a model of 10 rounds" in first
    assert "the first host saves the model" in second
    report = json.loads((tmp_path / "algo-1" / "output" / "data" / "report.json").read_bytes())
    assert report["model"]["rows"] == {"train": ROWS, "validation": ROWS}
    assert list((tmp_path / "algo-2" / "model").iterdir()) == []


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("TERM", 143)])
def test_a_resumed_job_gives_the_same_bytes(tmp_path: Path, signal: str, code: int) -> None:
    order = {"num_round": "150", "checkpoint_every": "5"}
    home = lay_out(tmp_path / "ml", **order)
    job = Job(home)
    job.wait_for_checkpoint()
    engine("kill", "--signal", signal, job.name)
    assert job.wait() == code, job.output()
    job.remove()
    assert not (home / "model" / "model.ubj").exists()
    assert "resuming from checkpoint-" in Job(home).finished()
    whole = lay_out(tmp_path / "whole", **order)
    Job(whole).finished()
    assert model_of(home) == model_of(whole)


def test_a_failed_job_writes_its_reason(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "ml", num_rounds="3")
    job = Job(home)
    assert job.wait() == 1
    job.remove()
    assert (home / "output" / "failure").read_text().endswith("num_rounds is unknown; did you mean num_round?")


def test_the_images_own_user_trains_where_it_may_write(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "ml")
    for folder in ("model", "checkpoints", "output"):
        (home / folder).mkdir()
        (home / folder).chmod(0o777)
    for path in (home, *home.parents[:3]):  # up to pytest's own folder
        path.chmod(0o755)
    Job(home, "--env", "TRAINING_JOB_NAME=fraud-7").finished()
    assert json.loads((home / "model" / "manifest.json").read_bytes())["source"]["name"] == "fraud-7"
    shutil.rmtree(home, ignore_errors=True)  # files of another user
