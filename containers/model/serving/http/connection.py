"""One client's bytes, in and out, each within a deadline."""

from __future__ import annotations

import contextlib
import socket
import time

from model.serving.http.head import END, check_part

PIECE_BYTES = 1 << 17
LINGER_SECONDS = 2
LINGER_BYTES = 64 * 1024 * 1024


class Connection:
    """Deadlines are times of `time.monotonic`. TimeoutError when one passes, ConnectionError when the client leaves."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._arrived = bytearray()  # and not asked for yet
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def is_asked(self, silence_seconds: float) -> bool:
        """Wait for a request's first byte; False when none comes."""
        try:
            if not self._arrived:
                self._receive(time.monotonic() + silence_seconds)
        except (TimeoutError, ConnectionError):
            return False
        return True

    def head(self, deadline: float) -> bytes:
        """What comes before the blank line. A RefusalError for one that is too long or has bad line ends."""
        while (end := self._arrived.find(END)) < 0:
            check_part(self._arrived)
            self._receive(deadline)
        head = bytes(self._arrived[:end])
        del self._arrived[: end + len(END)]
        return head

    def piece(self, most: int, deadline: float) -> bytes:
        """Some of what comes next, `most` bytes at most."""
        if not self._arrived:
            return self._next(min(most, PIECE_BYTES), deadline)
        piece = bytes(self._arrived[:most])
        del self._arrived[:most]
        return piece

    def _receive(self, deadline: float) -> None:
        self._arrived += self._next(PIECE_BYTES, deadline)

    def _next(self, most: int, deadline: float) -> bytes:
        self._limit(deadline)
        piece = self._client.recv(most)
        if not piece:
            raise ConnectionError("the client left")
        return piece

    def send(self, data: bytes, deadline: float) -> None:
        self._limit(deadline)
        self._client.sendall(data)  # its timeout is for all of it

    def _limit(self, deadline: float) -> None:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time is up")
        self._client.settimeout(seconds)

    def linger(self) -> None:
        """Say that no more answers come, and read on for a while: to close on unread bytes would lose our answer."""
        deadline, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
            while left > 0:
                left -= len(self.piece(PIECE_BYTES, deadline))
