"""Containers without an engine: a stand-in for its command line, whose containers are processes.

A process cannot be held to a rule, so it ends where the rule that it is given would hurt. Real images: tests/images.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import pytest

from model_tools.conformance.checks import EVERY
from model_tools.conformance.container import Container, Recipe, Restrictions, start_as_strictly_as_possible
from model_tools.conformance.engine import Engine
from model_tools.conformance.examination import examine
from model_tools.conformance.outcomes import Outcome
from model_tools.conformance.starting import NeverReadyError, NotStartedError
from model_tools.conformance.subject import Subject
from tests.unit.model_tools.conformance.conftest import BAD_SERVER, BOUNDS, SAMPLE

HURTS = {"writes": "--read-only", "owns": "--cap-drop", "argues": "serve", "downloads": "none"}
EXPECTED = {
    "none": set[str](),
    "root": {"non-root"},
    "writes": {"read-only"},
    "owns": {"capabilities"},
    "argues": {"serve"},
    "downloads": {"offline"},
    "deaf": {"port"},
    "ends-late": {"sigterm"},
}
SECONDS_LONG = {"deaf", "ends-late"}
OF_IMAGES = [check for check in EVERY if not check.needs_scores or check.name in ("offline", "sigterm")]
SIGNALS = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]


@dataclass(frozen=True)
class StandIn(Engine):
    folder: Path = Path()
    fault: str = "none"
    running: dict[str, Running] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        self.asked.append(arguments)
        verb, *rest = arguments
        if verb in ("kill", "rm") and rest[-1] not in self.running:
            return subprocess.CompletedProcess(arguments, 1, b"", b"no such container")
        code, said = getattr(self, f"on_{verb}")(rest, stdin)
        return subprocess.CompletedProcess(arguments, code, said, b"")

    def on_run(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        name, port = words[words.index("--name") + 1], free_port()
        command = [sys.executable, "-S", str(BAD_SERVER), "serve"]
        if self.fault == "broken" or HURTS.get(self.fault, "-") in words:
            command = [sys.executable, "-S", "-c", f"raise SystemExit('{self.fault} hurts')"]
        environment = {"SAGEMAKER_BIND_TO_PORT": str(port), "DROPSCORE_BIND_HOST": "127.0.0.1"}
        environment["FAULT"] = self.fault if self.fault in ("ends-late", "never-healthy") else "none"
        log = (self.folder / name).open("wb")
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        is_deaf = self.fault == "deaf" and "--env" in words
        self.running[name] = Running(process, free_port() if is_deaf else port, log)
        return 0, b""

    def on_port(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        return 0, f"127.0.0.1:{self.running[words[0]].port}\n".encode()

    def on_inspect(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        process = self.running[words[-1]].process
        code = process.poll()
        fields = {"Running": str(code is None).lower(), "ExitCode": str(code), "Pid": str(process.pid)}
        return 0, fields.get(words[-2].strip("{}").rpartition(".")[2], "").encode()

    def on_image(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        user = "root:root" if self.fault == "root" else "10001"
        return 0, (user if "User" in words[-2] else "true").encode()

    def on_exec(self, words: list[str], stdin: bytes) -> tuple[int, bytes]:
        name, _python, _c, code, *path = words[1:] if words[0] == "-i" else words
        running = self.running[name]
        code = code.replace(":8080", f":{running.port}")
        done = subprocess.run([sys.executable, "-S", "-c", code, *path], input=stdin, capture_output=True, check=False)
        return (done.returncode, done.stdout) if running.process.poll() is None else (1, b"")

    def on_logs(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        return 0, (self.folder / words[0]).read_bytes()

    def on_diff(self, _words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        return 0, b"C /app\nA /app/written\nA /tmp/fine\n"

    def on_kill(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        process = self.running[words[-1]].process
        process.send_signal(SIGNALS[words[1] if len(words) > 1 else "KILL"])
        return (0 if process.poll() is None else 1), b""  # an engine refuses to kill what has ended

    def on_rm(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
        gone = self.running.pop(words[-1])
        gone.process.kill()
        gone.process.wait()
        gone.log.close()
        return 0, b""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Recipe]:
    engine = StandIn(("stand-in",), folder=tmp_path)
    yield Recipe(engine, "image", tmp_path, BOUNDS.start_timeout_seconds)
    assert engine.running == {}


def with_fault(recipe: Recipe, fault: str) -> Recipe:
    assert isinstance(recipe.engine, StandIn)
    return replace(recipe, engine=replace(recipe.engine, fault=fault))


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[pytest.mark.slow] if name in SECONDS_LONG else []) for name in EXPECTED]
)
def test_each_fault_of_an_image_fails_its_own_check(recipe: Recipe, fault: str) -> None:
    with closing(start_as_strictly_as_possible(with_fault(recipe, fault))) as container:
        found = {one.check: one for one in examine(Subject(container, SAMPLE, BOUNDS), OF_IMAGES)}
    assert {name for name, one in found.items() if one.outcome is Outcome.FAIL} == EXPECTED[fault], found
    assert Outcome.SKIP not in {one.outcome for one in found.values()}
    if fault == "writes":
        assert found["read-only"].what.endswith("it writes /app/written")


def test_every_right_is_taken_away_at_first(recipe: Recipe) -> None:
    with closing(Container(recipe)):
        assert isinstance(recipe.engine, StandIn)
        (asked,) = [words for words in recipe.engine.asked if words[0] == "run"]
    assert {"--read-only", "--cap-drop", "no-new-privileges", "--pull=never", f"{recipe.model}:/opt/ml/model:ro"} < set(
        asked
    )
    assert asked[-2:] == ("image", "serve")
    assert "127.0.0.1::8080" in asked


def test_only_the_rule_that_hurts_is_left_out(recipe: Recipe) -> None:
    with closing(start_as_strictly_as_possible(with_fault(recipe, "writes"))) as container:
        assert container.restrictions == Restrictions(read_only=False)


def test_an_image_that_no_rule_keeps_from_starting_is_not_checked(recipe: Recipe) -> None:
    with pytest.raises(NotStartedError, match="ended during its start; the last lines of its log: broken hurts"):
        start_as_strictly_as_possible(with_fault(recipe, "broken"))


def test_an_image_whose_server_ends_before_its_port_is_known_is_named(recipe: Recipe) -> None:
    """The engine lists no port of a container that has ended."""

    class Late(StandIn):
        def on_port(self, words: list[str], _stdin: bytes) -> tuple[int, bytes]:
            self.running[words[0]].process.wait()
            return 0, b""

    assert isinstance(recipe.engine, StandIn)
    late = replace(recipe, engine=Late(recipe.engine.command, recipe.engine.folder, "broken"))
    with pytest.raises(NotStartedError, match="ended during its start; the last lines of its log: broken hurts"):
        Container(late)


def test_an_image_that_is_never_healthy_is_tried_once(recipe: Recipe) -> None:
    impatient = replace(with_fault(recipe, "never-healthy"), start_timeout_seconds=0.5)
    with pytest.raises(NeverReadyError):
        start_as_strictly_as_possible(impatient)
    assert isinstance(impatient.engine, StandIn)
    assert len([words for words in impatient.engine.asked if words[0] == "run"]) == 1
