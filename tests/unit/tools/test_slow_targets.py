"""Tests of the slow targets can be collected, so that `make test` finds a broken import early."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TARGETS = ("test-slow", "test-faults", "test-iam", "test-images")


def _commands(target: str) -> list[list[str]]:
    """The target's calls of pytest, as make would run them, without its variables."""
    printed = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = [shlex.split(line) for line in printed.replace("\\\n", "").splitlines() if ".venv/bin/pytest" in line]
    return [line[line.index(".venv/bin/pytest") + 1 :] for line in words]


def test_every_slow_target_is_known() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = [rule for rule in makefile.split("\n\n") if "$(RUN)/pytest" in rule]
    assert {rule.partition(":")[0].splitlines()[-1] for rule in rules} == {"test", *TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_tests_of_a_slow_target_can_be_collected(target: str) -> None:
    commands = _commands(target)
    assert commands
    for arguments in commands:
        collect = [sys.executable, "-m", "pytest", *arguments, "-n0", "-q", "-p", "no:cacheprovider", "--collect-only"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(collect, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
