from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from dropscore.jobs.plan import MAX_SHARDS, Plan

TB = 10**12
MIB = 1 << 20


@given(st.integers(0, 10 * TB), st.integers(MIB, 1 << 36))
def test_shards_cover_every_byte_once(size: int, shard_bytes: int) -> None:
    plan = Plan.of(size, shard_bytes, is_one_shard=False)
    assert 1 <= plan.shards <= MAX_SHARDS < 10_000
    bounds = [plan.bounds(index) for index in (0, 1, plan.shards // 2, plan.shards - 2, plan.shards - 1)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == size
    assert all(0 <= start < stop for start, stop in bounds if 0 <= start < size and plan.shards > 2)


@given(st.integers(1, 2000), st.integers(1, 300))
def test_each_shard_begins_where_the_one_before_it_ends(size: int, shard_bytes: int) -> None:
    plan = Plan.of(size, shard_bytes, is_one_shard=False)
    bounds = [plan.bounds(index) for index in range(plan.shards)]
    assert [start for start, _ in bounds] == [0, *[stop for _, stop in bounds[:-1]]]
    assert all(start < stop for start, stop in bounds)


def test_a_small_or_packed_file_is_one_shard() -> None:
    assert Plan.of(256 * MIB, 256 * MIB, is_one_shard=False).shards == 1
    assert Plan.of(256 * MIB + 1, 256 * MIB, is_one_shard=False).shards == 2
    assert Plan.of(900 * MIB, 256 * MIB, is_one_shard=True).shards == 1
    assert Plan.of(0, 256 * MIB, is_one_shard=False).shards == 1


def test_five_terabytes_are_planned_in_next_to_no_memory() -> None:
    tracemalloc.start()
    try:
        plan = Plan.of(5 * TB, 256 * MIB, is_one_shard=False)
        assert sum(stop - start for start, stop in map(plan.bounds, range(plan.shards))) == 5 * TB
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert plan.shards == MAX_SHARDS
