"""Limit the open connections. If there are too many, the one that has been idle longest is closed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Connections:
    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[socket.socket] = set()
        self._idle: dict[socket.socket, None] = {}  # the longest idle first
        self._changed = threading.Condition()

    def admit(self, client: socket.socket, timeout_seconds: float) -> bool:
        """Return False if all connections are busy until the timeout."""
        with self._changed:
            if len(self._open) >= self._most and self._idle:
                self._hang_up(next(iter(self._idle)))
            if not self._changed.wait_for(lambda: len(self._open) < self._most, timeout_seconds):
                return False
            self._open.add(client)
            return True

    def _hang_up(self, client: socket.socket) -> None:
        del self._idle[client]
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)  # wakes its thread, which then calls `leave`

    def leave(self, client: socket.socket) -> None:
        with self._changed:
            self._open.discard(client)
            self._changed.notify_all()

    @contextlib.contextmanager
    def resting(self, client: socket.socket) -> Iterator[None]:
        """Mark a connection as idle while it waits for its next request."""
        with self._changed:
            self._idle[client] = None
        try:
            yield
        finally:
            with self._changed:
                self._idle.pop(client, None)
