"""Read the uncompressed size of an Arrow stream's messages from their metadata. pyarrow knows it only after unpacking.

The metadata is a FlatBuffer: https://arrow.apache.org/docs/format/Columnar.html, `Message.fbs` for the field numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import ipc

_HEADER, _LENGTH, _BUFFERS, _COMPRESSION = 2, 0, 2, 3  # field numbers of Message, then of RecordBatch
_BUFFER = struct.Struct("<qq")


def batch_sizes(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield (rows, bytes of uncompressed buffers) of each batch. Raises ValueError if the metadata is invalid."""
    reader = ipc.MessageReader.open_stream(pa.BufferReader(body))
    try:
        while True:
            message = reader.read_next_message()
            if message.type == "record batch":
                yield _size(message.metadata.to_pybytes(), message.body)
    except StopIteration:
        return
    except (struct.error, IndexError):  # a negative offset raises the latter
        raise ValueError("an offset points outside the message") from None


def _size(head: bytes, body: pa.Buffer) -> tuple[int, int]:
    message = _offset(head, 0)
    batch = _field(head, message, _HEADER)
    batch += _offset(head, batch)
    rows = struct.unpack_from("<q", head, _field(head, batch, _LENGTH))[0] if _field(head, batch, _LENGTH) else 0
    if not _field(head, batch, _COMPRESSION):
        return rows, body.size
    return rows, sum(_unpacked(body, offset, size) for offset, size in _buffers(head, _field(head, batch, _BUFFERS)))


def _buffers(head: bytes, place: int) -> list[tuple[int, int]]:
    vector = place + _offset(head, place)
    count = _offset(head, vector)
    # `count` is untrusted: a message cannot have more buffers than bytes.
    return [_BUFFER.unpack_from(head, vector + 4 + 16 * number) for number in range(min(count, len(head)))]


def _unpacked(body: pa.Buffer, offset: int, size: int) -> int:
    """Return the size after decompression. A compressed buffer begins with it; -1 means that it is not compressed."""
    if size == 0:
        return 0

    declared: int = struct.unpack("<q", body.slice(offset, 8).to_pybytes())[0]
    return max(declared, size)


def _offset(head: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", head, place)[0])


def _field(head: bytes, table: int, number: int) -> int:
    """Return the position of a table's field; 0 if it is absent."""
    (back,) = struct.unpack_from("<i", head, table)
    (size,) = struct.unpack_from("<H", head, table - back)
    if 4 + 2 * number >= size:
        return 0
    (offset,) = struct.unpack_from("<H", head, table - back + 4 + 2 * number)
    return int(table + offset) if offset else 0
