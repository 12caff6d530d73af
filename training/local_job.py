"""Run a training job on this machine: the container's program in the container's folder layout, without a container.

`docker run -v FOLDER:/opt/ml IMAGE train` does the same with the same files.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dropscore.cli.output import printable, say, write
from dropscore.errors import ConfigurationError, DropscoreError
from model_tools.artifact import MANIFEST, Manifest, pack
from model_tools.environments import python_environment

CONTAINER = Path(__file__).resolve().parents[1] / "containers" / "model"
SUFFIXES = (".csv", ".parquet", ".pq")
PAUSE_SECONDS = 0.05
STOP_SECONDS = 10


class TrainingFailedError(DropscoreError):
    """The job failed; the message is the reason that SageMaker would show."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class LocalJob:
    """A job with `checkpoints` resumes after an interruption. Several hosts share the rows of the same files."""

    train: Path
    validation: Path | None
    hyperparameters: Mapping[str, str]
    hosts: int = 1
    checkpoints: Path | None = None

    def run(self, home: Path) -> Path:
        """Train in the folder `home`, and return the first host's /opt/ml. Raises TrainingFailedError."""
        # Addresses serve as the hosts' names, because they resolve without DNS.
        names = [f"127.0.0.{number}" for number in range(1, self.hosts + 1)]
        roots = [self._lay_out(home / name, name, names) for name in names]
        python = python_environment(CONTAINER / "requirements.txt")
        port = str(_free_port())
        processes = [_start(python, root, port, self.hosts) for root in roots]
        # Pass the output on while the hosts run: a full pipe would block them.
        relays = [relay for process in processes for relay in _relays(process)]
        failed = _wait_for(processes)
        for relay in relays:
            relay.join()
        if failed is not None:
            raise TrainingFailedError(_reason(roots[failed]))
        return roots[0]

    def _lay_out(self, root: Path, name: str, names: Sequence[str]) -> Path:
        channels = {"train": self.train} | ({"validation": self.validation} if self.validation else {})
        for channel, data in channels.items():
            link_data(data, root / "input" / "data" / channel)
        configs = {
            "hyperparameters": dict(self.hyperparameters),
            "inputdataconfig": {channel: {"TrainingInputMode": "File"} for channel in channels},
            "resourceconfig": {"current_host": name, "hosts": list(names)},
        }
        (root / "input" / "config").mkdir(parents=True)
        for file, content in configs.items():
            (root / "input" / "config" / f"{file}.json").write_text(json.dumps(content))
        # Only the first host reads and writes checkpoints.
        if self.checkpoints and name == names[0]:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            (root / "checkpoints").symlink_to(self.checkpoints.resolve())
        return root


def link_data(data: Path, channel: Path) -> None:
    """Link the data files into a channel's folder. Raises ConfigurationError if there is none."""
    channel.mkdir(parents=True)
    files = sorted(path for path in data.rglob("*") if path.suffix in SUFFIXES) if data.is_dir() else [data]
    if not files:
        raise ConfigurationError(f"{data} has no file that ends in {', '.join(SUFFIXES)}")
    for file in files:
        place = channel / (file.relative_to(data) if data.is_dir() else file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file.resolve())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(python: Path, root: Path, port: str, hosts: int) -> subprocess.Popen[str]:
    """Start one host's process. The hosts share this machine's cores equally."""
    cores = max(1, (os.cpu_count() or 1) // hosts)
    environment = {"DROPSCORE_ML_ROOT": str(root), "DROPSCORE_TRACKER_PORT": port, "DROPSCORE_CORES": str(cores)}
    return subprocess.Popen(
        [str(python), str(CONTAINER / "serve.py"), "train"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )


def _relays(process: subprocess.Popen[str]) -> Iterator[threading.Thread]:
    """Print the container's output with control characters escaped, because it may quote names of columns and files."""
    for lines, print_line in ((process.stdout, write), (process.stderr, say)):
        if lines is not None:
            relay = threading.Thread(target=_pass_on, args=(lines, print_line))
            relay.start()
            yield relay


def _pass_on(lines: IO[str], print_line: Callable[[str], None]) -> None:
    with lines:
        for line in lines:
            print_line(printable(line.rstrip("\n")))


def _wait_for(processes: Sequence[subprocess.Popen[str]]) -> int | None:
    """Return which process failed first, or None. The others would wait for it, so they are stopped."""
    try:
        while True:
            codes = [process.poll() for process in processes]
            if any(codes) or None not in codes:
                return next((number for number, code in enumerate(codes) if code), None)
            time.sleep(PAUSE_SECONDS)
    finally:
        for process in processes:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(root: Path) -> str:
    failure = root / "output" / "failure"
    return failure.read_text() if failure.exists() else "training stopped before it saved a model; see the output above"


def keep(root: Path, out: Path, report: Path) -> Manifest:
    """Save the artifact as `out` and the report in the folder `report`. Return the artifact's manifest."""
    manifest = Manifest.from_json((root / "model" / MANIFEST).read_bytes())
    pack(out, manifest, (root / "model" / manifest.model).read_bytes())
    shutil.copytree(root / "output" / "data", report, dirs_exist_ok=True)
    return manifest
