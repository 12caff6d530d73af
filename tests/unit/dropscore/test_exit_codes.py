"""The worker's exit codes, which tell AWS Batch whether to start another attempt."""

from __future__ import annotations

import pytest

from containers.worker import main as doorway
from dropscore.errors import ConfigurationError, PermanentError, RejectedError, SupersededError, TransientError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (PermanentError("X", "x"), 10),
        (RejectedError("X", "x"), 10),
        (TransientError("X", "x"), 75),
        (ConfigurationError("x"), 10),
        (SupersededError("X", "x"), 10),
    ],
)
def test_an_attempt_ends_with_the_code_of_its_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, code: int
) -> None:
    def do(*_: object) -> None:
        if error:
            raise error

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(doorway, "_worker", lambda: None)
    monkeypatch.setattr(doorway, "_do", do)
    assert doorway.main(["score", "--job-id", "j"]) == code


def test_a_worker_that_is_told_to_stop_asks_for_another_attempt() -> None:
    with pytest.raises(SystemExit) as stop:
        doorway._terminated(15, None)
    assert stop.value.code == 75
