from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from dropscore.aws.source import Source
from dropscore.errors import PermanentError, TransientError
from tests.unit.dropscore.conftest import aws_error

DATA = bytes(range(256)) * 10


class Broken:
    """An S3 whose connections break after `gives` bytes, some with an error and some with a silent end."""

    def __init__(self, gives: int) -> None:
        self.gives = gives
        self.ranges: list[str] = []

    def get_object(self, *, VersionId: str, Range: str = "bytes=0-", **_: str) -> dict[str, Any]:  # noqa: N803
        assert VersionId == "v"
        self.ranges.append(Range)
        start = int(Range.removeprefix("bytes=").removesuffix("-"))
        place = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        body = Stream(DATA[start : start + self.gives], len(self.ranges))
        return {"Body": body, "ContentLength": len(DATA) - start, "ContentRange": place, "ETag": "e"}


class Stream:
    def __init__(self, data: bytes, number: int) -> None:
        self.data, self.number = data, number

    def read(self, _size: int) -> bytes:
        if not self.data and self.number % 2:
            raise ReadTimeoutError(endpoint_url="s3")
        data, self.data = self.data, b""
        return data


def _source(s3: object) -> Source:
    return Source(s3, bucket="b", key="k", version_id="v")  # type: ignore[arg-type]


def test_a_connection_that_breaks_is_opened_again_where_it_broke() -> None:
    s3 = Broken(1000)
    assert b"".join(_source(s3).chunks()) == DATA
    assert s3.ranges == ["bytes=0-", "bytes=1000-", "bytes=2000-"]


def test_a_connection_that_gives_nothing_is_given_up() -> None:
    s3 = Broken(0)
    with pytest.raises(TransientError, match=r"READ_BROKEN.*byte 0"):
        list(_source(s3).chunks(reopenings=3))
    assert len(s3.ranges) == 4


def test_a_range_that_was_ignored_is_never_taken_for_it() -> None:
    class Ignoring(Broken):
        def get_object(self, *, VersionId: str, Range: str = "", **_: str) -> dict[str, Any]:  # noqa: ARG002, N803
            return super().get_object(VersionId=VersionId)

    with pytest.raises(PermanentError, match="RANGE_IGNORED"):
        list(_source(Ignoring(len(DATA))).chunks(5))


@pytest.mark.parametrize(
    ("code", "status", "kind", "said"),
    [
        ("NoSuchVersion", 404, PermanentError, "INPUT_NOT_FOUND"),
        ("AccessDenied", 403, PermanentError, "ACCESS_DENIED.*reading s3://b/k"),
        ("SlowDown", 503, TransientError, "THROTTLED"),
        ("PreconditionFailed", 412, PermanentError, "INPUT_CHANGED"),
        ("412", 412, PermanentError, "INPUT_CHANGED"),  # the error's body was cut off
        ("400", 400, TransientError, "THROTTLED"),
    ],
)
def test_a_refusal_is_told_in_our_words(code: str, status: int, kind: type[Exception], said: str) -> None:
    class Refusing:
        def get_object(self, **_: str) -> None:
            raise aws_error(code, status=status)

    with pytest.raises(kind, match=said):
        list(_source(Refusing()).chunks())


def test_an_object_that_changes_between_two_ranges_is_never_mixed() -> None:
    class Replaced(Broken):
        def get_object(self, *, VersionId: str, Range: str = "", IfMatch: str = "", **_: str) -> dict[str, Any]:  # noqa: N803
            if IfMatch == "e":
                raise aws_error("PreconditionFailed", status=412)
            return super().get_object(VersionId=VersionId, Range=Range)

    with pytest.raises(PermanentError, match="INPUT_CHANGED"):
        list(_source(Replaced(1000)).chunks())
