"""A gzip file unpacked as it comes, in bounded memory, with a limit to what it may unpack to."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from dropscore.errors import RejectedError

OUTPUT_BYTES = 1 << 20
INPUT_BYTES = 1 << 16
MOST_RATIO = 200  # CSV packs ten- to twentyfold
ALWAYS_ALLOWED_BYTES = 1 << 30
_GZIP = 16 + zlib.MAX_WBITS


def most_bytes(packed_bytes: int) -> int:
    """What so many packed bytes may unpack to."""
    return max(ALWAYS_ALLOWED_BYTES, MOST_RATIO * packed_bytes)


def unzipped(
    chunks: Iterable[bytes], *, most_bytes: Callable[[int], int] = most_bytes, output_bytes: int = OUTPUT_BYTES
) -> Iterator[bytes]:
    """The unpacked bytes, at most `output_bytes` at a time. Several members follow one another; zeros after them pass.

    Raises RejectedError GZIP_BROKEN with the place in the packed file, or GZIP_TOO_LARGE.
    """
    unzip = _Unzip(most_bytes, output_bytes)
    for chunk in chunks:
        for start in range(0, len(chunk), INPUT_BYTES):
            yield from unzip.feed(chunk[start : start + INPUT_BYTES])
    unzip.end()


class _Unzip:
    def __init__(self, most_bytes: Callable[[int], int], output_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._output_bytes = output_bytes
        self._packed = self._unpacked = 0
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What the next packed bytes unpack to."""
        self._packed += len(piece)
        while piece:
            if self._member.eof:
                piece = piece.lstrip(b"\0")
                if not piece:
                    break
                self._member = zlib.decompressobj(_GZIP)
            out = self._unpack(piece)
            if out:
                yield out
            piece = self._member.unused_data or self._member.unconsumed_tail

    def end(self) -> None:
        if not self._member.eof:
            raise _broken(f"it ends at byte {self._packed} in the middle of its data; was the upload cut off?")

    def _unpack(self, piece: bytes) -> bytes:
        try:
            out = self._member.decompress(piece, self._output_bytes)
        except zlib.error:
            raise self._wrong_at(self._packed - len(piece)) from None
        self._unpacked += len(out)
        if self._unpacked > self._most_bytes(self._packed):
            raise RejectedError(
                "GZIP_TOO_LARGE",
                f"the first {self._packed} bytes of the packed file hold over {self._unpacked} bytes, more than "
                f"{MOST_RATIO} times as many; upload it unpacked if that is right",
            )
        return out

    def _wrong_at(self, position: int) -> RejectedError:
        if position == 0:
            return _broken(f"it is no gzip file or its first {INPUT_BYTES} bytes are damaged")
        return _broken(f"its data is wrong at or after byte {position} of the packed file")


def _broken(what: str) -> RejectedError:
    return RejectedError("GZIP_BROKEN", f"the file cannot be unpacked: {what}; pack it again and upload it again")
