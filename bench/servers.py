"""The servers to compare, each a process: how to start it, send a request, and read the reply."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.models import Workload
from model_tools.environments import python_environment

ROOT = Path(__file__).resolve().parents[1]
RIVALS = ROOT / "bench" / "rivals"
START_SECONDS = 120
IMAGE_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "134217728",
}
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Scores = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Rival:
    """`start` returns command and environment for a workload, a port and a scratch folder."""

    name: str
    start: Callable[[Workload, int, Path], tuple[Sequence[str], dict[str, str]]]
    path: str = "/invocations"
    ready_path: str = "/ping"
    content_type: str = "text/csv"
    encode: Callable[[Workload], bytes] = lambda workload: workload.body
    decode: Callable[[bytes], Scores] = lambda text: np.array([float(line) for line in text.split()]).astype(np.float32)


@dataclass(frozen=True)
class Running:
    rival: Rival
    port: int
    body: bytes

    def ask(self, connection: HTTPConnection) -> bytes:
        connection.request("POST", self.rival.path, self.body, {"Content-Type": self.rival.content_type})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.rival.name} replied {answer.status}: {text[:500]!r}")
        return text

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=300)


@contextmanager
def running(rival: Rival, workload: Workload) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as scratch, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        command, environment = rival.start(workload, port, Path(scratch))
        probe.close()
        with Path(scratch, "log").open("wb") as log:
            process = subprocess.Popen(
                command, env=os.environ | environment, cwd=scratch, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            _wait_until_ready(rival, port, process, Path(scratch, "log"))
            yield Running(rival, port, rival.encode(workload))
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(rival: Rival, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not _is_ready(rival, port):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{rival.name} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _is_ready(rival: Rival, port: int) -> bool:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", rival.ready_path)
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False


def _ours(workload: Workload, port: int, _: Path) -> tuple[Sequence[str], dict[str, str]]:
    """Start our server as the image does."""
    environment = {"SM_MODEL_DIR": str(workload.folder), "SAGEMAKER_BIND_TO_PORT": str(port)}
    environment |= IMAGE_ENVIRONMENT
    python = python_environment(ROOT / "containers" / "model" / "requirements.txt")
    return [str(python), str(ROOT / "containers" / "model" / "serve.py"), "serve"], environment


def _flask(parser: str) -> Callable[[Workload, int, Path], tuple[Sequence[str], dict[str, str]]]:
    def start(workload: Workload, port: int, _: Path) -> tuple[Sequence[str], dict[str, str]]:
        python = python_environment(RIVALS / "flask" / "requirements.txt")
        command = [str(python), "-m", "gunicorn", "--workers", str(CORES), "--timeout", "300", "app:app"]
        environment = {"MODEL": str(workload.folder / "model.ubj"), "PARSER": parser}
        return [*command, "--chdir", str(RIVALS / "flask"), "--bind", f"127.0.0.1:{port}"], environment

    return start


def _mlserver(workers: int) -> Callable[[Workload, int, Path], tuple[Sequence[str], dict[str, str]]]:
    def start(workload: Workload, port: int, scratch: Path) -> tuple[Sequence[str], dict[str, str]]:
        parameters = {"uri": str(workload.folder / "model.ubj")}
        model = {"name": "model", "implementation": "mlserver_xgboost.XGBoostModel", "parameters": parameters}
        settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        Path(scratch, "model-settings.json").write_text(json.dumps(model))
        Path(scratch, "settings.json").write_text(json.dumps(settings | {"parallel_workers": workers}))
        python = python_environment(RIVALS / "mlserver" / "requirements.txt")
        return [str(python.parent / "mlserver"), "start", str(scratch)], {}

    return start


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _tensor(workload: Workload) -> bytes:
    """Encode rows as JSON of the Open Inference Protocol, each number in its shortest form."""
    rows = workload.rows
    cells = {"name": "rows", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [cells]}).encode()


def _rival_mlserver(name: str, workers: int) -> Rival:
    return Rival(
        name=name,
        start=_mlserver(workers),
        path="/v2/models/model/infer",
        ready_path="/v2/models/model/ready",
        content_type="application/json",
        encode=_tensor,
        decode=lambda text: np.array(json.loads(text)["outputs"][0]["data"]).astype(np.float32),
    )


RIVALS_IN_ORDER = (
    Rival(name="dropscore", start=_ours),
    Rival(name="Flask, gunicorn, numpy.genfromtxt", start=_flask("genfromtxt")),
    Rival(name="Flask, gunicorn, pandas", start=_flask("pandas")),
    _rival_mlserver("MLServer, in one process", 0),
    _rival_mlserver(f"MLServer, {CORES} parallel workers", CORES),
)
