"""The decompressed text of an input, and its layout, which its first bytes decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dropscore.aws.source import Source
from dropscore.files.gunzip import decompressed
from dropscore.files.layout import HEAD_BYTES, Layout
from dropscore.jobs.options import Options


@dataclass(frozen=True, kw_only=True)
class Input:
    """The text of the file, decompressed if necessary."""

    source: Source
    is_compressed: bool

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` on; `stop` has an effect only on files that are not compressed."""
        return (
            _from(start, decompressed(self.source.chunks())) if self.is_compressed else self.source.chunks(start, stop)
        )

    def head(self) -> bytes:
        """The first HEAD_BYTES, or the whole file if it is shorter."""
        head = b""
        for chunk in self.read(0, HEAD_BYTES):
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        return head[:HEAD_BYTES]


def layout_of(input_text: Input, options: Options, features: int | None, names: Sequence[str] = ()) -> Layout:
    """How the rows of the input are read and sent.

    `features` is how many features the model has, None if that is unknown; `names` are their names, empty if unknown.
    Raises RejectedError if the first bytes show that the file cannot be scored.
    """
    head = input_text.head()
    return Layout.of(head, options, features=features, is_whole=len(head) < HEAD_BYTES, names=names)


def _from(start: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[start:]
        start = max(0, start - len(chunk))
