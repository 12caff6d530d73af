"""Only a process without threads may fork, so each test runs in a separate process."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.unit.containers.model.serving.conftest import CONTAINER

TRY = """
import os, time
from model.serving.trial import InterruptedTrialError, TrialError, attempt, limited

def tried(work, seconds=5, memory_bytes=1 << 28, is_stopped=lambda: False):
    try:
        attempt(work, seconds=seconds, memory_bytes=memory_bytes, is_stopped=is_stopped)
    except TrialError as error:
        print(error)
    except InterruptedTrialError:
        print("interrupted")
    else:
        print("done")

def fail(error):
    raise error

"""


def outcome(call: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRY + call], cwd=CONTAINER.parent, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("tried(lambda: print('unheard'))", "done\n"),
        ("tried(lambda: fail(ValueError('no model')))", "no model\n"),
        ("tried(lambda: fail(KeyError()))", "KeyError\n"),
        ("tried(os.abort)", "loading the model ended with SIGABRT: the file is damaged, or is not a model\n"),
        (
            "tried(lambda: os._exit(3))",
            "loading the model ended with exit code 3: the file is damaged, or is not a model\n",
        ),
        ("tried(lambda: time.sleep(60), seconds=1)", "loading the model took more than 1 seconds\n"),
        ("tried(lambda: time.sleep(60), is_stopped=lambda: True)", "interrupted\n"),
    ],
)
def test_outcome_of_a_trial(call: str, said: str) -> None:
    begun = time.monotonic()
    assert outcome(call) == said
    assert time.monotonic() - begun < 15


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_memory_is_limited_in_a_trial_and_back_afterwards() -> None:
    assert outcome("tried(lambda: bytearray(1 << 30))") == "the model needs more than 256 MB of memory\n"
    assert outcome("with limited(1 << 28): pass\nprint(len(bytearray(1 << 29)) >> 20)") == "512\n"
