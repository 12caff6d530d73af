from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.gunzip import (
    ALWAYS_ALLOWED_BYTES,
    INPUT_BYTES,
    MAX_RATIO,
    OUTPUT_BYTES,
    decompressed,
    max_decompressed_bytes,
)

ROWS = b"".join(b"%d,%d\n" % (row, row * row) for row in range(50_000))


def _chunks(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _all(data: bytes, size: int = 1000) -> bytes:
    return b"".join(decompressed(_chunks(data, size)))


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    st.integers(1, 50),
    st.integers(0, 3),
    st.integers(1, 16),
)
def test_members_follow_one_another_whatever_the_chunks_are(
    members: list[bytes], size: int, zeros: int, most: int
) -> None:
    packed = b"".join(map(gzip.compress, members)) + bytes(zeros)
    parts = list(decompressed(_chunks(packed, size), output_bytes=most))
    assert b"".join(parts) == b"".join(members)
    assert all(0 < len(part) <= most for part in parts)


def test_no_part_is_over_a_mebibyte() -> None:
    parts = list(decompressed([gzip.compress(bytes(10 * OUTPUT_BYTES + 5))]))
    assert [len(part) for part in parts] == [OUTPUT_BYTES] * 10 + [5]


def test_a_large_file_is_unpacked() -> None:
    assert _all(gzip.compress(ROWS), 100_000) == ROWS
    assert _all(gzip.compress(ROWS, 0), 3 * INPUT_BYTES + 1) == ROWS


def test_zeros_after_the_last_member_pass() -> None:
    assert _all(gzip.compress(b"1\n") + bytes(2 * INPUT_BYTES)) == b"1\n"


def _broken(packed: bytes) -> str:
    with pytest.raises(RejectedError) as caught:
        _all(packed)
    assert caught.value.code == "GZIP_BROKEN"
    return caught.value.message


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 500, -1, -8, -9])
def test_a_file_that_was_cut_off_is_rejected(cut: int) -> None:
    packed = gzip.compress(ROWS)[:cut]
    assert f"it ends at byte {len(packed)} in the middle of its data; the upload may be incomplete" in _broken(packed)


def test_a_second_member_that_was_cut_off_is_rejected() -> None:
    packed = gzip.compress(b"1\n") + gzip.compress(b"2\n")[:-1]
    assert f"it ends at byte {len(packed)}" in _broken(packed)


def test_what_follows_the_last_member_is_named_by_its_byte() -> None:
    packed = gzip.compress(b"1\n")
    assert f"at or after byte {len(packed)} of the compressed file" in _broken(packed + b"secret\n")
    assert f"at or after byte {len(packed) + 3} of" in _broken(packed + bytes(3) + b"secret\n")


def test_a_wrong_checksum_is_named_by_its_neighbourhood() -> None:
    packed = bytearray(gzip.compress(ROWS))
    packed[-5] ^= 1
    assert f"its data is damaged at or after byte {len(packed) // 1000 * 1000} of the compressed file" in _broken(
        bytes(packed)
    )


def test_a_wrong_length_is_told() -> None:
    packed = bytearray(gzip.compress(ROWS))
    packed[-1] ^= 1
    assert "its data is damaged at or after byte" in _broken(bytes(packed))


def test_a_file_that_is_not_packed_is_told_so() -> None:
    message = _broken(b"secret,1\n2,3\n")
    assert "it is not a gzip file" in message
    assert "secret" not in message
    assert "it is not a gzip file" in _broken(zlib.compress(b"1\n"))


def test_a_bomb_is_left_before_it_bursts() -> None:
    packed = gzip.compress(bytes(1 << 20))
    with pytest.raises(RejectedError, match=f"GZIP_TOO_LARGE: the first {len(packed)} compressed bytes") as caught:
        list(decompressed([packed], max_decompressed_bytes=lambda packed: 100 * packed, output_bytes=1 << 10))
    assert int(caught.value.message.split("over ")[1].split(" ")[0]) <= 100 * len(packed) + (1 << 10)


def test_as_much_as_is_allowed_passes() -> None:
    packed = gzip.compress(bytes(1 << 20))
    assert len(b"".join(decompressed([packed], max_decompressed_bytes=lambda _: 1 << 20))) == 1 << 20
    with pytest.raises(RejectedError, match="GZIP_TOO_LARGE"):
        list(decompressed([packed], max_decompressed_bytes=lambda _: (1 << 20) - 1))


def test_what_is_allowed() -> None:
    assert max_decompressed_bytes(1) == ALWAYS_ALLOWED_BYTES == 1 << 30
    assert max_decompressed_bytes(1 << 30) == MAX_RATIO << 30 == 200 << 30


def test_nothing_is_read_before_it_is_wanted() -> None:
    packed = gzip.compress(ROWS, 0)
    endless = chain([packed[:1000]], repeat(b"", 3), iter(lambda: pytest.fail("read too far"), None))
    assert next(decompressed(endless)).startswith(b"0,0\n")
