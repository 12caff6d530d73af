"""Shared by all tests: no test reaches the network or the user's own AWS credentials."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

# No deadline: examples are slow on a busy machine. `make test-faults` tries many more examples than a usual run.
settings.register_profile("any machine", deadline=None, max_examples=int(os.environ.get("DROPSCORE_EXAMPLES", "100")))
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
