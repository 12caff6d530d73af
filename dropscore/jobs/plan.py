"""How a file is divided among the children of an AWS Batch array job: by bytes, in constant time and memory."""

from __future__ import annotations

from dataclasses import dataclass

# AWS Batch allows 10,000 children, and S3 as many parts of an upload, one of which may be the output's header.
MAX_SHARDS = 9_999


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`shards` ranges of `shard_bytes`, the last one shorter. Shard i owns the rows that start in the i-th range."""

    size_bytes: int
    shard_bytes: int
    shards: int

    @classmethod
    def of(cls, size_bytes: int, shard_bytes: int, *, is_one_shard: bool) -> Plan:
        """Shards of `shard_bytes`, or of more if there would be too many.

        `is_one_shard` is for files that cannot be read from the middle: compressed files, and files with escapes
        (dropscore/files/shard_bounds.py).
        """
        if is_one_shard or size_bytes <= shard_bytes:
            return cls(size_bytes=size_bytes, shard_bytes=size_bytes, shards=1)
        shard_bytes = max(shard_bytes, -(-size_bytes // MAX_SHARDS))
        return cls(size_bytes=size_bytes, shard_bytes=shard_bytes, shards=-(-size_bytes // shard_bytes))

    def bounds(self, index: int) -> tuple[int, int]:
        """The first byte of shard `index`'s range, and the byte after its last."""
        start = index * self.shard_bytes
        return start, min(start + self.shard_bytes, self.size_bytes)

    def __str__(self) -> str:
        return f"{self.shards}x{self.shard_bytes}"
