"""The server as a process: start, refusal to start, and stop."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import xgboost

from tests.unit.containers.model.serving.conftest import CONTAINER, write

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(model: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        env = {**os.environ, "SM_MODEL_DIR": str(model), "DROPSCORE_BIND_HOST": "127.0.0.1"}
        env |= {"SAGEMAKER_BIND_TO_PORT": "0", "PYTHONUNBUFFERED": "1", **environment}
        command = [sys.executable, str(CONTAINER / "serve.py"), *arguments]
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def next_event(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    found: dict[str, object] = json.loads(process.stdout.readline())
    return found


@contextmanager
def connected(process: subprocess.Popen[str]) -> Iterator[http.client.HTTPConnection]:
    ready = next_event(process)
    assert ready["event"] == "ready"
    connection = http.client.HTTPConnection("127.0.0.1", int(str(ready["port"])), timeout=10)
    with closing(connection):
        yield connection


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_server_replies_until_sigterm_stops_it(
    start: Start, arguments: list[str], booster: xgboost.Booster, tmp_path: Path
) -> None:
    process = start(write(tmp_path / "m", booster), *arguments)
    with connected(process) as connection:
        connection.request("POST", "/invocations", b"1,2,3\n", {"Content-Type": "text/csv"})
        assert connection.getresponse().status == 200
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert time.monotonic() - asked < 3  # the idle connection above does not hold it up


def test_sigterm_lets_a_running_request_finish(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    process = start(write(tmp_path / "m", booster))
    with connected(process) as connection:
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", "12")
        connection.endheaders(b"1,2,3\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", connection.port), timeout=2)
        connection.send(b"4,5,6\n")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().count(b"\n") == 2
    assert process.wait(10) == 0


def test_requests_are_served_when_the_log_is_closed(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    process = start(write(tmp_path / "m", booster))
    assert process.stdout is not None
    with connected(process) as connection:
        process.stdout.close()
        connection.request("POST", "/invocations", b"1,2,3\n", {"Content-Type": "text/csv"})
        assert connection.getresponse().status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_model_that_is_not_its_manifests_stops_the_start(
    start: Start, booster: xgboost.Booster, tmp_path: Path
) -> None:
    process = start(write(tmp_path / "m", booster, sha256="0" * 64))
    event = next_event(process)
    assert event["event"] == "refused_to_start"
    assert "manifest.json says 0000" in str(event["message"])
    assert process.wait(10) == 1


def test_the_model_that_was_deployed_is_served(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", booster)
    process = start(folder, DROPSCORE_MODEL_SHA256=sha256((folder / "model.ubj").read_bytes()).hexdigest())
    assert next_event(process)["event"] == "ready"


def test_a_model_of_which_one_byte_was_replaced_after_deployment_stops_the_start(
    start: Start, booster: xgboost.Booster, tmp_path: Path
) -> None:
    """An attacker who replaces the model can replace its manifest too, so only the pinned digest detects it."""
    folder = write(tmp_path / "m", booster)
    deployed = (folder / "model.ubj").read_bytes()
    replaced = _with_another_split(deployed)
    (folder / "model.ubj").write_bytes(replaced)
    said = json.loads((folder / "manifest.json").read_text()) | {"sha256": sha256(replaced).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(said))
    assert next_event(start(folder))["event"] == "ready"  # on its own it is whole

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pinned = {"DROPSCORE_MODEL_SHA256": sha256(deployed).hexdigest(), "SAGEMAKER_BIND_TO_PORT": str(port)}
    process = start(folder, **pinned)
    event = next_event(process)
    assert event["event"] == "refused_to_start"
    assert f"the deployment pinned {pinned['DROPSCORE_MODEL_SHA256']}" in str(event["message"])
    assert process.wait(10) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def _with_another_split(model: bytes) -> bytes:
    """Return the model with the last bit of one number in its trees flipped."""
    place = model.index(b"split_conditions")
    place = model.index(b"$d#", place) + 16
    return model[:place] + bytes([model[place] ^ 1]) + model[place + 1 :]


def test_train_is_the_other_room(start: Start, tmp_path: Path) -> None:
    """Serving does not import training; the argument `train` does."""
    code = "import sys; from model import serve, serving; import model.serving.main; "
    code += "assert 'model.training' not in sys.modules; import model.training.main as train; "
    code += "train.main = lambda: 7; sys.exit(serve.main(['train']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CONTAINER.parent, check=False)
    assert done.returncode == 7


def test_four_bodies_of_5_mb_at_once_stay_below_320_mb(start: Start, tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of another process's memory is read from /proc, which this system lacks")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_000, 30)).astype(np.float32)
    labels = (rows[:, 0] > rows[:, 1]).astype(int)
    trained = {"objective": "binary:logistic", "max_depth": 6, "nthread": 2}
    booster = xgboost.train(trained, xgboost.DMatrix(rows, labels), 100)
    body = "\n".join(",".join(f"{cell:.14f}" for cell in row) for row in rows.tolist()).encode()
    assert len(body) > 5_000_000
    process = start(write(tmp_path / "m", booster), **of_the_image())
    port = int(str(next_event(process)["port"]))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(port, body), range(16)))
    assert len(set(answers)) == 1
    expected = booster.predict(xgboost.DMatrix(rows, nthread=1))  # 14 places tell float32 values apart
    found = np.array([float(line) for line in answers[0].splitlines()]).astype(np.float32)
    assert np.abs(found - expected).max() < 1e-6
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert peak is not None
    assert int(peak[1]) < 320 * 1024


def of_the_image() -> dict[str, str]:
    """The memory and thread settings that the image gives its server."""
    text = (CONTAINER / "Dockerfile").read_text()
    return dict(re.findall(r"\b((?:MALLOC|OMP|OPENBLAS)\w+)=(\w+)", text))


def post(port: int, body: bytes) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()


def test_other_arguments_are_wrong_usage(start: Start, tmp_path: Path) -> None:
    assert start(tmp_path, "bake").wait(10) == 2


def test_nothing_of_dropscore_is_imported(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    """The container has only this folder, so it must not import anything else."""
    lines = (path.read_text() for path in CONTAINER.rglob("*.py"))
    imports = {line.split()[1].split(".")[0] for text in lines for line in text.splitlines() if _is_import(line)}
    allowed = {*sys.stdlib_module_names, "model", "numpy", "pyarrow", "xgboost"}
    assert imports - allowed == set()


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))
