"""Start a server from an image, with as few permissions as it can run with."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from model_tools.conformance.client import CSV, Client
from model_tools.conformance.engine import Engine, EngineError
from model_tools.conformance.outcomes import SkippedError
from model_tools.conformance.starting import POLL_SECONDS, NeverReadyError, NotStartedError, ended, wait_until_ready

PORT = 8080
MODEL_DIRECTORY = "/opt/ml/model"
READ_ONLY = ("--read-only", "--tmpfs", "/tmp")  # noqa: S108  a folder of the container
NO_CAPABILITIES = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
SYSTEM_FOLDERS = ("/tmp", "/run", "/dev", "/proc", "/sys", "/etc", "/var/tmp")  # noqa: S108
# Runs in the container, whose environment may name a proxy: it must not get the request.
ASK = """import sys, urllib.request as r
url, content_type, body = "http://127.0.0.1:%d" + sys.argv[1], "%s", sys.stdin.buffer.read() or None
request = r.Request(url, body, {"Content-Type": content_type, "Accept": content_type})
sys.stdout.buffer.write(r.build_opener(r.ProxyHandler({})).open(request, timeout=60).read())"""


@dataclass(frozen=True)
class Restrictions:
    """How strictly the container runs."""

    argument: bool = True
    read_only: bool = True
    no_capabilities: bool = True

    def options(self) -> tuple[str, ...]:
        return (*(READ_ONLY if self.read_only else ()), *(NO_CAPABILITIES if self.no_capabilities else ()))


@dataclass(frozen=True)
class Recipe:
    engine: Engine
    image: str
    model: Path | None
    """The folder that is mounted at /opt/ml/model."""
    start_timeout_seconds: float
    restrictions: Restrictions = Restrictions()


class Container:
    def __init__(self, recipe: Recipe, *, port: int = PORT, is_online: bool = True) -> None:
        """Start it and, if online, wait until /ping replies 200. Raises NotStartedError."""
        self._recipe, self._engine = recipe, recipe.engine
        self.restrictions = recipe.restrictions
        self.name = f"dropscore-check-{uuid4().hex[:12]}"
        self.start_seconds: float | None = None
        try:
            self._start(port, is_online)
            if is_online:
                self.client = Client(f"http://{self._address(port)}")
                waited = wait_until_ready(self.client, self._is_running, self.log, recipe.start_timeout_seconds)
                self.start_seconds = self._run_seconds + waited
        except BaseException:
            self.close()
            raise

    def _start(self, port: int, is_online: bool) -> None:
        recipe, began = self._recipe, time.monotonic()
        network = ("--publish", f"127.0.0.1::{port}") if is_online else ("--network", "none")
        mount = ("--volume", f"{recipe.model}:{MODEL_DIRECTORY}:ro") if recipe.model else ()
        environment = () if port == PORT else ("--env", f"SAGEMAKER_BIND_TO_PORT={port}")
        options = ("--detach", "--pull=never", "--name", self.name, *network, *mount, *environment)
        arguments = ("serve",) if recipe.restrictions.argument else ()
        done = self._engine.run("run", *options, *recipe.restrictions.options(), recipe.image, *arguments)
        self._run_seconds = time.monotonic() - began
        if done.returncode != 0:
            raise NotStartedError(f"the engine did not start it: {done.stderr.decode(errors='replace').strip()}")

    def _address(self, port: int) -> str:
        addresses = self._engine("port", self.name, str(port)).splitlines()
        if not addresses:  # the engine drops the ports of a container that has ended
            raise ended(self.log())
        return addresses[0]

    def log(self) -> str:
        done = self._engine.run("logs", self.name)
        return (done.stdout + done.stderr).decode(errors="replace")

    def pid(self) -> int | None:
        """Return the process id on this machine; None if the engine runs in a virtual machine."""
        pid = self._field("{{.State.Pid}}")
        # In a virtual machine, the number is that of another process here.
        groups = Path(f"/proc/{pid}/cgroup")
        is_local = groups.exists() and self._field("{{.Id}}") in groups.read_text()
        return int(pid) if is_local else None

    def another(self) -> Container:
        return Container(self._recipe)

    def terminate(self, within_seconds: float) -> int | None:
        self._engine("kill", "--signal", "TERM", self.name)
        deadline = time.monotonic() + within_seconds
        while self._is_running():
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_SECONDS)
        return int(self._field("{{.State.ExitCode}}"))

    def close(self) -> None:
        self._engine.run("kill", self.name)  # first, because some engines stop gracefully in `rm`, and wait
        self._engine.run("rm", "--force", "--volumes", self.name)

    def image_field(self, template: str) -> str:
        return self._engine("image", "inspect", "--format", template, self._recipe.image)

    def listens_on(self, port: int) -> bool:
        """Return whether another container, with SAGEMAKER_BIND_TO_PORT set, listens on `port`."""
        seconds = min(self._recipe.start_timeout_seconds, 2 + 5 * (self.start_seconds or 0))
        try:
            Container(replace(self._recipe, start_timeout_seconds=seconds), port=port).close()
        except NotStartedError:
            return False
        return True

    def answer_offline(self, content: bytes) -> bytes:
        """Return the reply of another container, without a network. Raises NotStartedError or SkippedError."""
        other = Container(self._recipe, is_online=False)
        try:
            return other.ask_inside(content)
        finally:
            other.close()

    def ask_inside(self, content: bytes) -> bytes:
        """POST from inside the container, after /ping replies 200 there."""
        deadline = time.monotonic() + self._recipe.start_timeout_seconds
        while self._engine.run("exec", self.name, *self._asking, "/ping").returncode != 0:
            if not self._is_running() or time.monotonic() > deadline:
                raise NotStartedError(f"its log ends: {' | '.join(self.log().strip().splitlines()[-3:])}")
            time.sleep(POLL_SECONDS)
        return self._engine.run("exec", "-i", self.name, *self._asking, "/invocations", stdin=content).stdout

    @cached_property
    def _asking(self) -> tuple[str, ...]:
        for python in ("python", "python3"):
            if self._engine.run("exec", self.name, python, "-c", "").returncode == 0:
                return (python, "-c", ASK % (PORT, CSV))
        if not self._is_running():
            raise NotStartedError(f"its log ends: {' | '.join(self.log().strip().splitlines()[-3:])}")
        raise SkippedError("the image has no Python, which is needed to call the server from inside")

    def written_files(self) -> list[str]:
        """Return the files that the container has added to the image's, outside system folders."""
        with contextlib.suppress(EngineError):
            lines = self._engine("diff", self.name).splitlines()
            return [
                path for change, _, path in (line.partition(" ") for line in lines) if change == "A" and _is_own(path)
            ]
        return []

    def _is_running(self) -> bool:
        return self._field("{{.State.Running}}") == "true"

    def _field(self, template: str) -> str:
        return self._engine("inspect", "--type", "container", "--format", template, self.name)


def _is_own(path: str) -> bool:
    return not path.startswith(SYSTEM_FOLDERS)


def start_as_strictly_as_possible(recipe: Recipe) -> Container:
    """Start with all restrictions, or with as many as work. Raises NotStartedError if it does not start without any."""
    try:
        return Container(recipe)
    except NeverReadyError:
        # It runs, so no restriction stopped it, and each further try would take the whole timeout.
        raise
    except NotStartedError as error:
        restrictions = Restrictions(argument=False, read_only=False, no_capabilities=False)
        if not _starts(recipe, restrictions):
            raise error from None
    for rule in fields(Restrictions):
        stricter = replace(restrictions, **{rule.name: True})
        restrictions = stricter if _starts(recipe, stricter) else restrictions
    return Container(replace(recipe, restrictions=restrictions))


def _starts(recipe: Recipe, restrictions: Restrictions) -> bool:
    try:
        Container(replace(recipe, restrictions=restrictions)).close()
    except NotStartedError:
        return False
    return True
