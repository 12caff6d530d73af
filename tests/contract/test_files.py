"""What reading and publishing promise, over every cloud that the tests have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dropscore import publish
from dropscore.aws.source import CHUNK_BYTES, Source
from dropscore.errors import PermanentError
from dropscore.publish import Output

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "input/a b/ü+%.csv"


def _put(s3: S3Client, bucket: str, data: bytes, key: str = KEY) -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=data)["VersionId"]


def _source(s3: S3Client, bucket: str, version_id: str) -> Source:
    return Source(s3, bucket=bucket, key=KEY, version_id=version_id)


def _output(s3: S3Client, bucket: str, job_id: str = "job") -> Output:
    return Output(s3, bucket=bucket, key="output/x.csv", job_id=job_id)


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


def test_a_purged_version_is_gone_though_a_newer_one_stands_there(s3: S3Client, bucket: str) -> None:
    first, _ = _put(s3, bucket, b"first"), _put(s3, bucket, b"second")
    s3.delete_object(Bucket=bucket, Key=KEY, VersionId=first)
    with pytest.raises(PermanentError, match="SOURCE_GONE"):
        list(_source(s3, bucket, first).chunks())


def test_an_output_is_published_once(s3: S3Client, bucket: str) -> None:
    output = _output(s3, bucket)
    assert not output.is_published()
    output.publish([b"1\n", b"2\n"])
    output.publish([b"1\n", b"2\n"])
    assert output.is_published()
    assert (_read(s3, bucket), _versions(s3, bucket), output.count_rows()) == (b"1\n2\n", 1, (2, 0))


def test_an_output_of_several_parts_is_published_once(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "PART_BYTES", 5 << 20)
    blocks = [b"%06d\n" % row * 100_000 for row in range(16)]
    for _ in range(2):
        _output(s3, bucket).publish(blocks)
    assert _read(s3, bucket) == b"".join(blocks)
    assert _versions(s3, bucket) == 1
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_strangers_output_is_left_alone(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="output/x.csv", Body=b"theirs")
    with pytest.raises(PermanentError, match="OUTPUT_EXISTS"):
        _output(s3, bucket).publish([b"ours\n"])
    with pytest.raises(PermanentError, match="OUTPUT_EXISTS"):
        _output(s3, bucket).is_published()
    assert _read(s3, bucket) == b"theirs"


@pytest.mark.parametrize("blocks_before", [0, 3])
def test_an_error_on_the_way_publishes_nothing(
    s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch, blocks_before: int
) -> None:
    monkeypatch.setattr(publish, "PART_BYTES", 5 << 20)

    def blocks() -> Iterator[bytes]:
        for _ in range(blocks_before):
            yield b"1\n" * (3 << 20)
        raise PermanentError("BAD_RESPONSE", "no")

    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        _output(s3, bucket).publish(blocks())
    assert _versions(s3, bucket) == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_rows_and_empty_lines_are_counted_across_chunks(s3: S3Client, bucket: str) -> None:
    lines = b"".join(b"\n" if row % 3 == 0 else b"0.%06d\n" % row for row in range(400_000))
    _output(s3, bucket).publish([lines])
    assert _output(s3, bucket).count_rows() == (400_000, 133_334)
