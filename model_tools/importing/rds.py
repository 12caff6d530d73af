"""Read the raw vectors of a file that R's `saveRDS` wrote: an `xgb.Booster` has its model in one.

Follows "Serialization Formats" of R Internals as far as needed to reach the model's bytes: big-endian XDR, versions 2
and 3. Creates only bytes; R's functions and environments are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from model_tools.errors import Code, ModelImportError
from model_tools.sandbox.budget import Budget

# `rdata` from PyPI reads all of R, but brings xarray and pandas.
MAGIC = (b"X\n\x00\x00\x00\x02", b"X\n\x00\x00\x00\x03")
HAS_ATTRIBUTES, HAS_TAG = 0x200, 0x400
SYMBOL, PAIRLIST, CALL, STRING, POINTER, LIST, EXPRESSION, RAW = 1, 2, 6, 9, 22, 19, 20, 24
ALTERNATIVE, REFERENCE = 238, 255
SINGLETONS = {241, 242, 251, 252, 253, 254}  # empty, base and global environment, NULL, a missing argument
ITEM_BYTES = {10: 4, 13: 4, 14: 8, 15: 16}  # logical, integer, real, complex
TEXTS = 16


def raw_vectors(content: bytes, budget: Budget) -> Iterator[bytes]:
    """Yield raw vectors in the order of the file, which is read lazily. Raises ModelImportError."""
    try:
        reader = _Reader(content, budget)
        yield from reader.items()
    except (struct.error, RecursionError) as error:
        raise ModelImportError(f"the RDS file is damaged: {type(error).__name__}") from error


class _Reader:
    def __init__(self, content: bytes, budget: Budget) -> None:
        self.content = content
        self.budget = budget
        self.at = 14  # magic, version, and the versions of R that wrote it and that can read it
        if content[5] == 3:
            self.take(self.integer())  # the name of the encoding of texts

    def integer(self) -> int:
        (value,) = struct.unpack_from(">i", self.content, self.at)
        self.at += 4
        return int(value)

    def length(self) -> int:
        short = self.integer()
        return short if short != -1 else (self.integer() << 32) | (self.integer() & 0xFFFFFFFF)

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.content) - self.at:
            raise struct.error("a length beyond the end")
        self.at += count
        return self.content[self.at - count : self.at]

    def items(self, count: int = 1) -> Iterator[bytes]:
        for _ in range(count):
            yield from self.item()

    def item(self) -> Iterator[bytes]:
        self.budget.step()
        flags = self.integer()
        item_type, has_attributes = flags & 0xFF, bool(flags & HAS_ATTRIBUTES)
        if item_type in {PAIRLIST, CALL}:
            yield from self.items(has_attributes + bool(flags & HAS_TAG) + 2)
        elif item_type == ALTERNATIVE:
            yield from self.items(3)
        elif item_type not in SINGLETONS:
            yield from self.value(item_type, flags)
            yield from self.items(has_attributes and item_type != STRING)

    def value(self, item_type: int, flags: int) -> Iterator[bytes]:
        if item_type == RAW:
            vector = self.take(self.length())
            self.budget.spend(len(vector))
            yield vector
        elif item_type in ITEM_BYTES:
            self.take(self.length() * ITEM_BYTES[item_type])
        elif item_type in {TEXTS, LIST, EXPRESSION}:
            yield from self.items(self.length())
        elif item_type == STRING:
            self.take(max(self.integer(), 0))
        elif item_type == SYMBOL:
            yield from self.items()
        elif item_type == POINTER:
            yield from self.items(2)
        elif item_type == REFERENCE:
            self.take(0 if flags >> 8 else 4)
        else:
            raise ModelImportError(
                f"the RDS file has an R object of type {item_type} before a model. In R: xgb.save(model, 'model.ubj')",
                code=Code.UNSUPPORTED,
            )
