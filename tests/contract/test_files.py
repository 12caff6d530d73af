"""The guarantees of reading and publishing, checked on every cloud of the tests."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from dropscore.aws import objects
from dropscore.aws.objects import Writer
from dropscore.aws.source import CHUNK_BYTES, Source
from dropscore.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "input/a b/ü+%.csv"


def _put(s3: S3Client, bucket: str, data: bytes, key: str = KEY) -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=data)["VersionId"]


def _source(s3: S3Client, bucket: str, version_id: str) -> Source:
    return Source(s3, bucket=bucket, key=KEY, version_id=version_id)


def _writer(s3: S3Client, bucket: str, key: str = "output/x.csv") -> Writer:
    return Writer(s3, bucket=bucket, key=key)


def _versions(s3: S3Client, bucket: str) -> int:
    return len(s3.list_object_versions(Bucket=bucket, Prefix="output/").get("Versions", []))


def _read(s3: S3Client, bucket: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key="output/x.csv")["Body"].read()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 17])
def test_a_version_is_read_whole(s3: S3Client, bucket: str, size: int) -> None:
    data = os.urandom(size)
    assert b"".join(_source(s3, bucket, _put(s3, bucket, data)).chunks()) == data


def test_only_the_named_version_is_read(s3: S3Client, bucket: str) -> None:
    first, _ = _put(s3, bucket, b"first"), _put(s3, bucket, b"second")
    assert b"".join(_source(s3, bucket, first).chunks()) == b"first"


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 4), (3, 8), (3, None), (8, 99), (9, 9), (10, None), (12, 20), (0, None)]
)
def test_a_range_of_a_version_is_returned(s3: S3Client, bucket: str, start: int, stop: int | None) -> None:
    first, _ = _put(s3, bucket, b"0123456789"), _put(s3, bucket, b"second")
    assert b"".join(_source(s3, bucket, first).chunks(start, stop)) == b"0123456789"[start:stop]


def test_a_purged_version_is_gone_though_a_newer_one_stands_there(s3: S3Client, bucket: str) -> None:
    first, _ = _put(s3, bucket, b"first"), _put(s3, bucket, b"second")
    s3.delete_object(Bucket=bucket, Key=KEY, VersionId=first)
    with pytest.raises(PermanentError, match="INPUT_NOT_FOUND"):
        list(_source(s3, bucket, first).chunks())


def _write(s3: S3Client, bucket: str, blocks: list[bytes], key: str = "output/x.csv") -> bool:
    with _writer(s3, bucket, key) as writer:
        for block in blocks:
            writer.write(block)
        assert writer.sha256 == sha256(b"".join(blocks)).hexdigest()
        return writer.commit()


@pytest.mark.parametrize("blocks", [[], [b"1\n", b"2\n"], [b"%06d\n" % row * 100_000 for row in range(16)]])
def test_an_object_is_written_once_and_the_first_one_stays(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch, blocks: list[bytes]
) -> None:
    monkeypatch.setattr(objects, "UPLOAD_BYTES", 5 << 20)
    assert _write(s3, bucket, blocks)
    assert not _write(s3, bucket, [*blocks, b"other\n"])
    assert (_read(s3, bucket), _versions(s3, bucket)) == (b"".join(blocks), 1)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("blocks_before", [0, 3])
def test_a_writer_that_is_left_leaves_nothing(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch, blocks_before: int
) -> None:
    monkeypatch.setattr(objects, "UPLOAD_BYTES", 5 << 20)
    with _writer(s3, bucket) as writer:
        for _ in range(blocks_before):
            writer.write(b"1\n" * (3 << 20))
    assert _versions(s3, bucket) == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


MIB = 1 << 20


@pytest.mark.parametrize(
    "sizes",
    [
        [0],
        [7],
        [3, 4],
        [6 * MIB],
        [6 * MIB, 7 * MIB],
        [1, 12 * MIB],
        [1, 5 * MIB, 3],
        [4 * MIB, 7 * MIB, 2, 6 * MIB, 1],
    ],
)
def test_parts_become_one_object_whatever_their_sizes(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    monkeypatch.setattr(objects, "UPLOAD_BYTES", 5 << 20)
    parts = [os.urandom(size) for size in sizes]
    for number, part in enumerate(parts):
        s3.put_object(Bucket=bucket, Key=f"parts/{number}", Body=part)
    with _writer(s3, bucket) as writer:
        writer.write(b"header\n")
        for number, part in enumerate(parts):
            writer.copy(f"parts/{number}", len(part))
        assert writer.bytes == 7 + sum(sizes)
        assert writer.commit()
    assert _read(s3, bucket) == b"header\n" + b"".join(parts)


def test_a_large_copy_goes_through_s3_and_not_through_this_process(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_COPY_BYTES", 6 << 20)
    part = os.urandom(17 << 20)
    s3.put_object(Bucket=bucket, Key="parts/0", Body=part)
    sent: list[int] = []
    s3.meta.events.register("before-call.s3.UploadPart", lambda **_: sent.append(1))
    with _writer(s3, bucket) as writer:
        writer.copy("parts/0", len(part))
        assert writer.commit()
    assert (_read(s3, bucket), sent) == (part, [])


def test_a_large_copy_in_the_middle_has_no_piece_that_s3_refuses(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_COPY_BYTES", 10 << 20)
    part = os.urandom(11 << 20)  # 10 + 1 MiB would leave a piece under 5 MiB before the last one
    s3.put_object(Bucket=bucket, Key="parts/0", Body=part)
    with _writer(s3, bucket) as writer:
        writer.copy("parts/0", len(part))
        writer.copy("parts/0", len(part))
        assert writer.commit()
    assert _read(s3, bucket) == part + part
