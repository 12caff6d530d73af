"""Writing an object where S3's replies are lost, or say that somebody else is writing."""

from __future__ import annotations

from typing import Any

import pytest

from dropscore.aws import objects
from dropscore.aws.objects import Writer
from dropscore.errors import BusyError
from tests.unit.dropscore.conftest import BUCKET, Account, aws_error

KEY = "output/a.csv"


class Odd:
    """The account's S3, but that a call of `operation` is done by `instead`, which gets the real one."""

    def __init__(self, s3: Any, operation: str, instead: Any) -> None:
        self._s3, self._operation, self._instead = s3, operation, instead

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._s3, name)
        return (lambda **request: self._instead(real, **request)) if name == self._operation else real


def _commit(account: Account, operation: str, instead: Any) -> bool:
    with Writer(Odd(account.s3, operation, instead), bucket=BUCKET, key=KEY) as writer:  # type: ignore[arg-type]
        writer.write(b"0.5\n" * 4)
        return writer.commit()


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "UPLOAD_BYTES", 16)


def _done_and_then(code: str) -> Any:
    def call(real: Any, **request: Any) -> Any:
        real(**request)
        raise aws_error(code)

    return call


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("code", ["NoSuchUpload", "404", "412"])  # numbers if the error's body was cut off
def test_a_joining_whose_reply_was_lost_counts(account: Account, code: str) -> None:
    assert _commit(account, "complete_multipart_upload", _done_and_then(code))
    assert account.outputs() == {KEY: b"0.5\n" * 4}


@pytest.mark.parametrize("code", ["PreconditionFailed", "412"])
def test_a_put_whose_reply_was_lost_counts(account: Account, code: str) -> None:
    assert _commit(account, "put_object", _done_and_then(code))
    assert account.outputs() == {KEY: b"0.5\n" * 4}


def test_what_another_has_written_does_not_count(account: Account) -> None:
    account.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"theirs", Metadata={"writer": "another"})
    with Writer(account.s3, bucket=BUCKET, key=KEY) as writer:
        assert not writer.commit()
    assert account.outputs() == {KEY: b"theirs"}


@pytest.mark.usefixtures("in_parts")
def test_an_upload_that_is_gone_with_nothing_written_is_tried_again(account: Account) -> None:
    def gone(_real: Any, **_: Any) -> Any:
        raise aws_error("NoSuchUpload", status=404)

    with pytest.raises(BusyError, match="the upload and its object do not exist"):
        _commit(account, "complete_multipart_upload", gone)
    assert account.outputs() == {}


@pytest.mark.parametrize(("conflicts", "code"), [(1, "ConditionalRequestConflict"), (4, "409")])
def test_a_conflict_is_no_answer_and_asked_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, conflicts: int, code: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    left = [conflicts]

    def conflict(real: Any, **request: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise aws_error(code, status=409)
        return real(**request)

    assert _commit(account, "put_object", conflict)
    assert account.outputs() == {KEY: b"0.5\n" * 4}


def test_a_conflict_that_stays_is_left_to_the_next_attempt(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)

    def conflict(_real: Any, **_: Any) -> Any:
        raise aws_error("ConditionalRequestConflict", status=409)

    with pytest.raises(BusyError, match="another write to the key"):
        _commit(account, "put_object", conflict)
