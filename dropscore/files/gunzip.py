"""Decompresses a gzip file as a stream, in bounded memory, and limits the decompressed size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from dropscore.errors import RejectedError

OUTPUT_BYTES = 1 << 20
INPUT_BYTES = 1 << 16  # zlib does not say where an error is, so messages are only as exact as this
MAX_RATIO = 200  # gzip makes CSV ten to twenty times smaller
ALWAYS_ALLOWED_BYTES = 1 << 30
_GZIP = 16 + zlib.MAX_WBITS  # 16 makes zlib expect a gzip header and verify the checksum


def max_decompressed_bytes(compressed_bytes: int) -> int:
    """The most bytes that so many compressed bytes may decompress to."""
    return max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * compressed_bytes)


def decompressed(
    chunks: Iterable[bytes],
    *,
    max_decompressed_bytes: Callable[[int], int] = max_decompressed_bytes,
    output_bytes: int = OUTPUT_BYTES,
) -> Iterator[bytes]:
    """The decompressed bytes, at most `output_bytes` at a time. Reads all members, ignores zeros after them.

    Raises RejectedError GZIP_BROKEN with the position in the compressed file, or GZIP_TOO_LARGE.
    """
    decompressor = _Decompressor(max_decompressed_bytes, output_bytes)
    for chunk in chunks:
        for start in range(0, len(chunk), INPUT_BYTES):
            yield from decompressor.feed(chunk[start : start + INPUT_BYTES])
    decompressor.end()


class _Decompressor:
    def __init__(self, max_decompressed_bytes: Callable[[int], int], output_bytes: int) -> None:
        self._max_decompressed_bytes = max_decompressed_bytes
        self._output_bytes = output_bytes
        self._compressed = self._decompressed = 0
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompresses the next bytes."""
        self._compressed += len(data)
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                self._member = zlib.decompressobj(_GZIP)
            out = self._decompress(data)
            if out:
                yield out
            # Either the next member, or input that waits because the output has reached its limit.
            data = self._member.unused_data or self._member.unconsumed_tail

    def end(self) -> None:
        if not self._member.eof:
            raise _broken(f"it ends at byte {self._compressed} in the middle of its data; the upload may be incomplete")

    def _decompress(self, data: bytes) -> bytes:
        try:
            out = self._member.decompress(data, self._output_bytes)
        except zlib.error:
            raise self._wrong_at(self._compressed - len(data)) from None
        self._decompressed += len(out)
        if self._decompressed > self._max_decompressed_bytes(self._compressed):
            raise RejectedError(
                "GZIP_TOO_LARGE",
                f"the first {self._compressed} compressed bytes give over {self._decompressed} bytes, "
                f"more than {MAX_RATIO} times as many; if the file is right, upload it without compression",
            )
        return out

    def _wrong_at(self, position: int) -> RejectedError:
        if position == 0:
            return _broken(f"it is not a gzip file, or its first {INPUT_BYTES} bytes are damaged")
        return _broken(f"its data is damaged at or after byte {position} of the compressed file")


def _broken(problem: str) -> RejectedError:
    return RejectedError("GZIP_BROKEN", f"the file cannot be decompressed: {problem}; compress it and upload it again")
