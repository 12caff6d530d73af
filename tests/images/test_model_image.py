"""The built model image, run as SageMaker runs it, but without any privileges.

DROPSCORE_MODEL_IMAGE names the image; DROPSCORE_ENGINE is the engine's command, `docker` when unset.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import xgboost
from numpy.typing import NDArray
from pyarrow import parquet

from model_tools.artifact import load, unpack
from model_tools.importing.command import import_artifact
from training import data, demo

IMAGE = os.environ.get("DROPSCORE_MODEL_IMAGE", "")
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
BYO = Path(__file__).parents[3] / "shared" / "data" / "byo"
STRICT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")  # noqa: S108
START_SECONDS = 60

pytestmark = pytest.mark.skipif(not IMAGE, reason="DROPSCORE_MODEL_IMAGE names no built image to run")


def engine(*arguments: str) -> str:
    done = subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Container:
    def __init__(self, model: Path, *command: str, **environment: str) -> None:
        self.name = f"dropscore-test-{uuid4().hex[:8]}"
        mount = ("--volume", f"{model}:/opt/ml/model:ro", "--publish", "127.0.0.1::8080")
        given = [f"--env={name}={value}" for name, value in environment.items()]
        engine("run", "--detach", "--name", self.name, *STRICT, *mount, *given, IMAGE, *command)

    @cached_property
    def address(self) -> str:
        return engine("port", self.name, "8080").splitlines()[0]

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            assert time.monotonic() < end, engine("logs", self.name)
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/ping")[0] == 200
        except (OSError, HTTPException):  # not listening yet, or only the engine's proxy is
            return False

    def score(self, body: bytes) -> NDArray[np.float32]:
        status, text = self.ask("POST", "/invocations", body)
        assert status == 200, text
        return np.array([float(line) for line in text.splitlines()]).astype(np.float32)

    def ask(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "text/csv"
    ) -> tuple[int, bytes]:
        with closing(HTTPConnection(self.address, timeout=30)) as connection:
            connection.request(method, path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def exit_code(self) -> int:
        """Returns the exit code of a container that ends by itself. Raises TimeoutExpired if it does not."""
        waited = [*ENGINE, "wait", self.name]
        return int(subprocess.run(waited, capture_output=True, text=True, check=True, timeout=START_SECONDS).stdout)

    def python(self, code: str) -> str:
        return engine("exec", self.name, "python", "-c", code)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in engine("logs", self.name).splitlines()]

    def inspect(self, template: str) -> str:
        return engine("inspect", "--format", template, self.name)


@contextmanager
def started(model: Path, *command: str, **environment: str) -> Iterator[Container]:
    running = Container(model, *command, **environment)
    try:
        yield running
    finally:
        engine("rm", "--force", running.name)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.write(folder)
    return folder


def unpacked(artifact: Path, folder: Path) -> Path:
    """Makes the files readable for the image's user."""
    unpack(artifact, folder)
    for path in (folder, *folder.parents[:3]):  # up to pytest's own folder
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def container(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    model = unpacked(artifact / "model.tar.gz", tmp_path_factory.mktemp("container") / "model")
    with started(model, "serve") as running:
        running.wait_until_ready()
        yield running


def test_scores_are_those_of_booster_predict(container: Container, artifact: Path) -> None:
    sample = artifact / "sample.csv"
    _, model = load((artifact / "model.tar.gz").read_bytes())
    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    expected = booster.predict(xgboost.DMatrix(np.loadtxt(sample, delimiter=",")))
    assert container.score(sample.read_bytes()).tobytes() == expected.tobytes()


def test_it_runs_without_any_right(container: Container) -> None:
    status = container.python("print(open('/proc/1/status').read())")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert set(fields["Uid"].split()) == {"10001"}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def test_its_file_system_is_read_only(container: Container) -> None:
    code = "import pathlib as p\ntry: p.Path('/app/x').touch()\nexcept OSError as error: print(error.errno)"
    assert container.python(code) == "30"


def test_it_has_no_compiler_and_runs_by_number(container: Container) -> None:
    code = "import shutil; print([name for name in ('gcc', 'cc', 'make') if shutil.which(name)])"
    assert container.python(code) == "[]"
    assert container.inspect("{{.Config.User}}") == "10001:10001"
    labels = json.loads(container.inspect("{{json .Config.Labels}}"))
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"


def test_it_is_ready_within_2_seconds(artifact: Path, tmp_path: Path) -> None:
    """From the start of the process to the server's log entry; the best of three, as the machine may be busy."""
    model = unpacked(artifact / "model.tar.gz", tmp_path / "model")
    assert min(start_seconds(model) for _ in range(3)) < 2


def start_seconds(model: Path) -> float:
    with started(model, "serve") as running:
        running.wait_until_ready()
        begun = running.inspect('{{.State.StartedAt.Format "2006-01-02T15:04:05.000Z07:00"}}')
        ready = next(event for event in running.events() if event["event"] == "ready")
        return (datetime.fromisoformat(str(ready["time"])) - datetime.fromisoformat(begun)).total_seconds()


def test_four_bodies_of_5_mb_at_once_stay_below_320_mb(container: Container, tmp_path: Path) -> None:
    data.write(tmp_path / "rows.csv", 10_000)
    body = (tmp_path / "rows.csv").read_bytes()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(container.score, [body] * 16))
    assert len({answer.tobytes() for answer in answers}) == 1
    peak = re.search(r"VmHWM:\s+(\d+) kB", container.python("print(open('/proc/1/status').read())"))
    assert peak is not None
    assert int(peak[1]) < 320 * 1024


def test_it_reads_every_content_type_with_the_libraries_it_has(container: Container, artifact: Path) -> None:
    rows = np.loadtxt(artifact / "sample.csv", delimiter=",")
    packed, streamed = BytesIO(), BytesIO()
    table = pa.table({f"c{number}": column for number, column in enumerate(rows.T)})
    parquet.write_table(table, packed)
    with pa.ipc.new_stream(streamed, table.schema) as writer:
        writer.write_table(table)
    expected = container.score((artifact / "sample.csv").read_bytes())
    bodies = {
        "application/json": json.dumps({"instances": rows.tolist()}).encode(),
        "application/jsonlines": "\n".join(map(json.dumps, rows.tolist())).encode(),
        "application/x-parquet": packed.getvalue(),
        "application/vnd.apache.arrow.stream": streamed.getvalue(),
    }
    for content_type, body in bodies.items():
        status, text = container.ask("POST", "/invocations", body, content_type)
        assert status == 200, text
        found = np.array(json.loads(text)["predictions"] if content_type == "application/json" else text.split(), float)
        assert found.astype(np.float32).tobytes() == expected.tobytes(), content_type


def test_imported_python_2_model_scores_as_it_did(tmp_path: Path) -> None:
    if not BYO.exists():
        pytest.skip(f"{BYO} is absent: the sample artifact is not part of the repository")
    import_artifact(BYO / "model.tar.gz", tmp_path / "model.tar.gz")
    # the image also serves without the argument `serve`
    with started(unpacked(tmp_path / "model.tar.gz", tmp_path / "model")) as running:
        running.wait_until_ready()
        expected = [0.000260044, 0.000412545, 0.001004696, 0.0000873892495292, 0.977230012, 0.970581293, 0.445608526]
        assert running.score((BYO / "sample.csv").read_bytes()) == pytest.approx(expected, rel=1e-5)


def test_the_model_that_the_deployment_pinned_is_served(artifact: Path, tmp_path: Path) -> None:
    _, model = load((artifact / "model.tar.gz").read_bytes())
    pin = sha256(model).hexdigest()
    folder = unpacked(artifact / "model.tar.gz", tmp_path / "model")
    with started(folder, "serve", DROPSCORE_MODEL_SHA256=pin) as running:
        running.wait_until_ready()
        assert running.events()[0]["model"] == pin
        sample = (artifact / "sample.csv").read_bytes()
        assert len(running.score(sample)) == len(sample.splitlines())


def test_model_that_is_not_pinned_is_refused_with_reason(artifact: Path, tmp_path: Path) -> None:
    pin = sha256(b"the model that was deployed").hexdigest()
    folder = unpacked(artifact / "model.tar.gz", tmp_path / "model")
    with started(folder, "serve", DROPSCORE_MODEL_SHA256=pin) as running:
        assert running.exit_code() == 1
        (refused,) = running.events()
    assert refused["event"] == "refused_to_start"
    assert f"the deployment pinned {pin}: this is not the model that was deployed" in str(refused["message"])


def test_sigterm_ends_it_with_zero_within_seconds(artifact: Path, tmp_path: Path) -> None:
    with started(unpacked(artifact / "model.tar.gz", tmp_path / "model"), "serve") as running:
        running.wait_until_ready()
        stopped_at = time.monotonic()
        engine("stop", "--time", "20", running.name)
        assert time.monotonic() - stopped_at < 10
        assert running.inspect("{{.State.ExitCode}}") == "0"
