"""The worker's exit codes, which tell AWS Batch whether to start another attempt."""

from __future__ import annotations

import socket

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoRegionError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProtocolError

from dropscore.errors import ConfigurationError, PermanentError, RejectedError, SupersededError, TransientError
from worker import main as doorway


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (PermanentError("X", "x"), 10),
        (RejectedError("X", "x"), 10),
        (TransientError("X", "x"), 75),
        (ConfigurationError("x"), 10),
        (SupersededError("X", "x"), 10),
        (EndpointConnectionError(endpoint_url="u"), 75),
        (ReadTimeoutError(endpoint_url="u"), 75),
        (CredentialRetrievalError(provider="p", error_msg="m"), 75),
        (ProtocolError("broken"), 75),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem"), 75),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem"), 10),
        (NoRegionError(), 10),
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


def _env(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Batch and the job definition give a worker; its credentials come from an endpoint."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("JOBS_TABLE", "BUCKET", "ENVIRONMENT", "WORKER_IMAGE", "AWS_BATCH_JOB_ID"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MODELS", "{}")
    monkeypatch.setenv("MAX_CONCURRENT_REQUESTS", "1")
    monkeypatch.setenv("AWS_BATCH_JOB_ATTEMPT", "1")
    monkeypatch.setattr("signal.signal", lambda *_: None)


def test_a_credential_endpoint_that_does_not_answer_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    _env(monkeypatch)
    monkeypatch.setattr(doorway, "START_WAITS_SECONDS", (0.0,))
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and says nothing
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert doorway.main(["score", "--job-id", "j"]) == 75


def test_a_start_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def worker() -> str:
        tries.append("try")
        if len(tries) < 3:
            raise CredentialRetrievalError(provider="p", error_msg="m")
        return "a worker"

    monkeypatch.setattr(doorway, "_worker", worker)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert str(doorway._start()) == "a worker"


def test_a_start_that_cannot_work_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def worker() -> None:
        tries.append("try")
        raise NoRegionError

    monkeypatch.setattr(doorway, "_worker", worker)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert doorway.main(["score", "--job-id", "j"]) == 10
    assert len(tries) == 1


def test_a_wrong_command_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert doorway.main(["scorch"]) == 10
    assert "invalid choice" in capsys.readouterr().err


def test_a_worker_that_is_told_to_stop_asks_for_another_attempt() -> None:
    with pytest.raises(SystemExit) as stop:
        doorway._terminated(15, None)
    assert stop.value.code == 75
