"""A server that runs already, somewhere: only what it answers can be seen."""

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
        client = Client(url)
        reply = client.ping(timeout)
        if reply.status == 0:
            raise NotStartedError(f"nothing answers at {url}: {reply.brief}; is the server up?")
        return cls(client)

    def log(self) -> None:
        return None

    def pid(self) -> None:
        return None

    def another(self) -> None:
        return None

    def terminate(self, within_seconds: float) -> int | None:
        raise NotImplementedError("nobody ends a server that was not started here")

    def close(self) -> None:
        """It is not ours to end."""
