"""Every error that boto3 can raise: worth another try, or not."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from dropscore.aws.faults import AWS_ERRORS, fault
from dropscore.errors import BusyError, JobError, PermanentError, TransientError

THROTTLED = vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
TRANSIENT = vars(TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"]
MAY_PASS = {
    "CapacityNotAvailableError",
    "ChecksumError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "CredentialRetrievalError",
    "EndpointConnectionError",
    "FlexibleChecksumError",
    "HTTPClientError",
    "IncompleteReadError",
    "MetadataRetrievalError",
    "NoCredentialsError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "SSLError",
}


def _below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _refused(code: str, status: int = 400) -> JobError:
    answer = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return fault(ClientError(answer, "PutItem"), "writing")  # type: ignore[arg-type]


def test_every_error_of_botocore_is_sorted() -> None:
    kinds = [kind for kind in _below(BotoCoreError) if kind.__module__ == botocore.exceptions.__name__]
    assert len(kinds) > 70
    faults = {kind.__name__: fault(kind.__new__(kind), "starting") for kind in kinds}  # type: ignore[arg-type]
    assert {name for name, error in faults.items() if isinstance(error, TransientError)} == MAY_PASS
    assert {error.code for name, error in faults.items() if name not in MAY_PASS} == {"AWS_ERROR"}


@pytest.mark.parametrize("kind", [ResponseParserError, *_below(urllib3.exceptions.HTTPError)])
def test_a_broken_answer_is_tried_again(kind: type[Exception]) -> None:
    assert issubclass(kind, AWS_ERRORS)
    assert isinstance(fault(kind.__new__(kind), "reading"), TransientError)


@pytest.mark.parametrize("code", THROTTLED)
def test_throttling_is_waited_for(code: str) -> None:
    assert isinstance(_refused(code), BusyError)
    assert isinstance(_refused(code, 403), BusyError)


@pytest.mark.parametrize("code", TRANSIENT)
def test_what_botocore_tries_again_so_do_we(code: str) -> None:
    assert isinstance(_refused(code), TransientError)


@pytest.mark.parametrize(
    ("status", "is_transient"), [(400, False), (404, False), (408, True), (429, True), (500, True)]
)
def test_an_unknown_code_is_judged_by_its_status(status: int, is_transient: bool) -> None:
    assert isinstance(_refused("Unheard", status), TransientError) == is_transient


def test_an_error_whose_body_was_cut_is_tried_again() -> None:
    assert isinstance(_refused("400"), TransientError)


def test_what_is_not_allowed_stays_so() -> None:
    assert _refused("AccessDeniedException").code == "ACCESS_DENIED"
    assert isinstance(_refused("Whatever", 403), PermanentError)


def test_the_parameters_of_a_call_are_not_repeated() -> None:
    error = fault(ParamValidationError(report="invalid value: b'4111,secret'"), "asking")
    assert isinstance(error, PermanentError)
    assert "secret" not in error.message
