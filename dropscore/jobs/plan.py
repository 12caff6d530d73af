"""How a file is divided among the children of an AWS Batch array job: by bytes, in constant time and memory."""

from __future__ import annotations

from dataclasses import dataclass

# AWS Batch allows 10,000 children, and S3 as many parts to an upload; the output's header may need one of these.
MOST_SHARDS = 9_999


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`shards` ranges of `shard_bytes`, the last one shorter. Shard i owns the rows that start in the i-th range."""

    size_bytes: int
    shard_bytes: int
    shards: int

    @classmethod
    def of(cls, size_bytes: int, shard_bytes: int, *, is_packed: bool) -> Plan:
        """Shards of `shard_bytes`, of more where that would be too many; one where no way leads into the middle.

        `is_packed`: there is none, as the file is packed or has escapes (dropscore/files/shard_bounds.py).
        """
        if is_packed or size_bytes <= shard_bytes:
            return cls(size_bytes=size_bytes, shard_bytes=size_bytes, shards=1)
        shard_bytes = max(shard_bytes, -(-size_bytes // MOST_SHARDS))
        return cls(size_bytes=size_bytes, shard_bytes=shard_bytes, shards=-(-size_bytes // shard_bytes))

    def bounds(self, index: int) -> tuple[int, int]:
        """The first byte of shard `index`'s range, and the one after its last."""
        start = index * self.shard_bytes
        return start, min(start + self.shard_bytes, self.size_bytes)

    def __str__(self) -> str:
        return f"{self.shards}x{self.shard_bytes}"
