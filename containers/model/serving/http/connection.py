"""Receive and send the bytes of one client, each within a deadline."""

from __future__ import annotations

import contextlib
import socket
import time

from model.serving.http.head import END, check_part

CHUNK_BYTES = 1 << 17
LINGER_SECONDS = 2
LINGER_BYTES = 64 * 1024 * 1024


class Connection:
    """Deadlines are `time.monotonic` times.

    Methods raise TimeoutError after the deadline, and ConnectionError if the client disconnects.
    """

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._arrived = bytearray()  # and not read by a caller yet
        # Nagle's algorithm would hold back the end of a reply until the client acknowledges the rest.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def has_request(self, silence_seconds: float) -> bool:
        """Wait for a request's first byte; False if none arrives."""
        try:
            if not self._arrived:
                self._receive(time.monotonic() + silence_seconds)
        except (TimeoutError, ConnectionError):
            return False
        return True

    def head(self, deadline: float) -> bytes:
        """Return the bytes before the blank line. Raises a RefusalError for a head too long or with bad line ends."""
        while (end := self._arrived.find(END)) < 0:
            check_part(self._arrived)
            self._receive(deadline)
        head = bytes(self._arrived[:end])
        del self._arrived[: end + len(END)]
        return head

    def receive(self, most: int, deadline: float) -> bytes:
        """Return the next bytes, at least one and at most `most`."""
        if not self._arrived:
            return self._next(min(most, CHUNK_BYTES), deadline)
        chunk = bytes(self._arrived[:most])
        del self._arrived[:most]
        return chunk

    def _receive(self, deadline: float) -> None:
        self._arrived += self._next(CHUNK_BYTES, deadline)

    def _next(self, most: int, deadline: float) -> bytes:
        self._limit(deadline)
        chunk = self._client.recv(most)
        if not chunk:
            raise ConnectionError("the client disconnected")
        return chunk

    def send(self, data: bytes, deadline: float) -> None:
        self._limit(deadline)
        self._client.sendall(data)  # the timeout covers all of `data`

    def _limit(self, deadline: float) -> None:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        self._client.settimeout(seconds)

    def linger(self) -> None:
        """End our side of the connection and read on for a while: closing with unread bytes would discard our reply."""
        deadline, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
            while left > 0:
                left -= len(self.receive(CHUNK_BYTES, deadline))
