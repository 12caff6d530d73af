"""A server that is already running: only its replies are visible."""

from __future__ import annotations

from dataclasses import dataclass

from model_tools.conformance.client import Client
from model_tools.conformance.starting import NotStartedError


@dataclass
class Remote:
    client: Client
    start_seconds: float | None = None

    @classmethod
    def find(cls, url: str, timeout: float) -> Remote:
        """Raises NotStartedError if nothing replies at `url`."""
        client = Client(url)
        reply = client.ping(timeout)
        if reply.status == 0:
            raise NotStartedError(f"no reply from {url}: {reply.brief}; check that the server is running")
        return cls(client)

    def log(self) -> None:
        return None

    def pid(self) -> None:
        return None

    def another(self) -> None:
        return None

    def terminate(self, within_seconds: float) -> int | None:
        raise NotImplementedError("a server that was not started by this command is not stopped")

    def close(self) -> None:
        """The server keeps running: this command did not start it."""
