"""The verification accepts what botocore signs and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from local.emulator.signature import RefusedError, Request, read_signature, verify

KEY, SECRET, TOKEN = "AKIAEXAMPLE", "sEcr/et+", "a token="
URL = "http://127.0.0.1:4566"
NOW = datetime.now(UTC)


def sent(signer: Any, method: str = "PUT", path: str = "/b/k", body: bytes = b"", **headers: str) -> Request:
    """The request as botocore signs it and as a server receives it."""
    signed = AWSRequest(method=method, url=URL + path, data=body, headers=headers)
    signer.add_auth(signed)
    parts = urlsplit(str(signed.url))
    wire: dict[str, Any] = {
        "host": parts.netloc,
        "user-agent": "x",
        **{name.lower(): value for name, value in signed.headers.items()},
    }
    return Request(
        method=method,
        path=parts.path,
        query=parts.query,
        headers=list(wire.items()),
        payload=hashlib.sha256(body).hexdigest(),
    )


def by(signer: Any = SigV4Auth, service: str = "sqs", secret: str = SECRET, token: str | None = None) -> Any:
    return signer(Credentials(KEY, secret, token), service, "us-east-1")


def check(request: Request, secret: str = SECRET, now: datetime | None = None) -> str:
    signature = read_signature(request)
    verify(signature, secret, request, now or datetime.now(UTC))
    return signature.access_key


def refusal(request: Request, **how: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        check(request, **how)
    return refused.value.code


SIGNERS = [by(), by(S3SigV4Auth, "s3"), by(SigV4QueryAuth), by(S3SigV4QueryAuth, "s3"), by(token=TOKEN)]


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: type(signer).__name__)
@pytest.mark.parametrize("path", ["/", "/b/a%20b", "/b/%C3%BC%2B%25.csv?versionId=a%2Fb&list-type=2&x", "/b//c/./d/"])
def test_a_signature_of_botocore_is_valid(signer: Any, path: str) -> None:
    body = b"" if isinstance(signer, SigV4QueryAuth) else b"Action=ListQueues"
    assert check(sent(signer, "POST", path, body, **{"x-amz-target": "T.Op", "Content-Type": "a  b"})) == KEY


TEXT = st.text(alphabet="ab%/.~-_\u00fc +&=", max_size=8)


@settings(max_examples=100)
@given(path=TEXT, query=st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=3))
def test_any_path_that_botocore_signs_is_valid(path: str, query: list[tuple[str, str]]) -> None:
    where = "/" + quote(path, safe="/~") + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
    assert check(sent(by(S3SigV4Auth, "s3"), path=where)) == KEY
    assert check(sent(by(), path=where)) == KEY


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: type(signer).__name__)
def test_another_secret_is_refused(signer: Any) -> None:
    assert refusal(sent(signer), secret="test") == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"path": "/b/other"},
        {"query": "acl"},
        {"payload": hashlib.sha256(b"other").hexdigest()},
    ],
    ids=str,
)
def test_a_changed_request_is_refused(change: dict[str, Any]) -> None:
    assert refusal(replace(sent(by(), body=b"body"), **change)) == "SignatureDoesNotMatch"


def test_a_body_that_is_not_the_declared_one_is_refused() -> None:
    request = sent(by(S3SigV4Auth, "s3"), body=b"body")
    assert refusal(replace(request, payload="0" * 64)) == "XAmzContentSHA256Mismatch"


def test_a_host_that_was_not_signed_is_refused() -> None:
    request = sent(by())
    changed = [(name, "evil:80" if name == "host" else value) for name, value in request.headers]
    assert refusal(replace(request, headers=changed)) == "SignatureDoesNotMatch"


def test_a_header_that_was_not_signed_is_refused() -> None:
    request = sent(by())
    assert refusal(replace(request, headers=[*request.headers, ("x-amz-target", "Op")])) == "AccessDenied"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_old_or_early_signature_is_refused(minutes: int) -> None:
    request = sent(by())
    assert refusal(request, now=datetime.now(UTC) + timedelta(minutes=minutes)) == "RequestTimeTooSkewed"
    assert check(request, now=datetime.now(UTC) + timedelta(minutes=minutes * 14 / 16)) == KEY


def test_a_presigned_url_lasts_as_long_as_it_says() -> None:
    request = sent(S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", "us-east-1", expires=7200), "GET")
    assert check(request, now=datetime.now(UTC) + timedelta(minutes=119)) == KEY
    assert refusal(request, now=datetime.now(UTC) + timedelta(minutes=121)) == "RequestTimeTooSkewed"


def test_the_token_of_a_session_is_read() -> None:
    assert read_signature(sent(by(token=TOKEN))).token == TOKEN
    assert read_signature(sent(by(S3SigV4QueryAuth, "s3", token=TOKEN), "GET")).token == TOKEN


def with_authorization(*values: str, query: str = "") -> Request:
    headers = [("host", "127.0.0.1:4566"), *(("authorization", value) for value in values)]
    return Request(method="GET", path="/", query=query, headers=headers, payload="")


SCOPE = "20261121/us-east-1/s3/aws4_request"
GOOD = f"AWS4-HMAC-SHA256 Credential=A/{SCOPE}, SignedHeaders=host, Signature={'0' * 64}"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (with_authorization(), "MissingAuthenticationToken"),
        (with_authorization("AWS AKIA:c2ln"), "IncompleteSignature"),
        (with_authorization("Bearer x"), "IncompleteSignature"),
        (with_authorization(GOOD.replace("HMAC", "ECDSA-P256")), "IncompleteSignature"),
        (with_authorization(GOOD, GOOD), "IncompleteSignature"),
        (with_authorization(GOOD + ", Credential=B/x"), "IncompleteSignature"),
        (with_authorization(GOOD.replace("SignedHeaders=host", "SignedHeaders=Credential=root/;host")), "Incompl"),
        (with_authorization(GOOD.replace("aws4_request", "aws4")), "IncompleteSignature"),
        (with_authorization(GOOD), "IncompleteSignature"),  # no date
        (with_authorization(GOOD, query="X-Amz-Credential=root/x"), "MissingAuthenticationToken"),
        (with_authorization(GOOD, query="AWSAccessKeyId=root"), "MissingAuthenticationToken"),
        (with_authorization(query="X-Amz-Credential=a&x-amz-credential=b"), "IncompleteSignature"),
        (with_authorization(query="AWSAccessKeyId=root&Signature=x&Expires=9"), "IncompleteSignature"),
        (with_authorization(query="X-Amz-Signature=ministack-local-presigned"), "IncompleteSignature"),
    ],
)
def test_incomplete_or_repeated_signatures_are_refused(request_: Request, code: str) -> None:
    with pytest.raises(RefusedError, match=code):
        read_signature(request_)
