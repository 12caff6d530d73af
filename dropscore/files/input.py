"""The text of a dropped file, unpacked where it is packed, and what its first bytes say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dropscore.aws.source import Source
from dropscore.files.gunzip import unzipped
from dropscore.files.layout import HEAD_BYTES, Layout
from dropscore.jobs.options import Options


@dataclass(frozen=True, kw_only=True)
class Input:
    """The text of the file, unpacked where it is packed."""

    source: Source
    is_compressed: bool

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` on; `stop` is for files that are not packed."""
        return _from(start, unzipped(self.source.chunks())) if self.is_compressed else self.source.chunks(start, stop)

    def head(self) -> bytes:
        """The first HEAD_BYTES, or the whole file where it has fewer."""
        head = b""
        for chunk in self.read(0, HEAD_BYTES):
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        return head[:HEAD_BYTES]


def layout_of(text: Input, options: Options, features: int | None, names: Sequence[str] = ()) -> Layout:
    """`features` and `names` are how many features the model has and their names, as far as they are known.

    Raises RejectedError for a file that cannot be scored whatever else is in it.
    """
    head = text.head()
    return Layout.of(head, options, features=features, is_whole=len(head) < HEAD_BYTES, names=names)


def _from(start: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[start:]
        start = max(0, start - len(chunk))
