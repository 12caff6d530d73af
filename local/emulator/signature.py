"""Checks AWS Signature Version 4. Uses only the standard library, because the emulator's interpreter runs it.

Only AWS4-HMAC-SHA256 is accepted, in the Authorization header or in the query string of a presigned URL. Other ways to
name a caller (Signature Version 2, SigV4a, form policies) and unsigned requests are refused.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW = timedelta(minutes=15)  # how far a signer's clock may be from ours
LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600
# As strict as possible: the emulator parses the same header differently, and must find the same caller.
FIELDS = re.compile(r"(Credential)=([\w/-]+)|(SignedHeaders)=([a-z0-9;._-]+)|(Signature)=([0-9a-f]{64})")
CALLER = {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "x-amz-security-token", "awsaccesskeyid"}
"""Query parameters that name a caller. They must not repeat: the emulator might read the other one."""


class RefusedError(Exception):
    """A refused request, with the code and message of AWS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it was sent. `payload` is the hexadecimal SHA-256 of its body."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]  # names in lower case
    payload: str

    def header(self, name: str) -> str:
        """The header's value; empty if it is absent."""
        return ",".join(" ".join(value.split()) for key, value in self.headers if key == name)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The fields of a signature, not yet verified."""

    access_key: str
    scope: str  # date/region/service/aws4_request
    signed_headers: str
    value: str
    date: str
    token: str  # the session token of temporary credentials
    expires_seconds: int | None  # for a presigned URL

    @property
    def service(self) -> str:
        return self.scope.split("/")[2]


def read_signature(request: Request) -> Signature:
    """The request's signature. Raises RefusedError unless there is exactly one."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    in_query = [name.lower() for name, _ in pairs if name.lower() in CALLER]
    authorization = request.header("authorization")
    # With both, the emulator might take the caller from the other one.
    if bool(authorization) == bool(in_query):
        raise RefusedError("MissingAuthenticationToken", "The request must carry one signature.")
    if len(in_query) > len(set(in_query)):
        raise _incomplete()
    fields = _presigned_fields(dict(pairs)) if in_query else _header_fields(authorization, request)
    access_key, _, scope = fields["Credential"].partition("/")
    if not re.fullmatch(r"\d{8}/[^/]+/[^/]+/aws4_request", scope) or not fields["Date"].startswith(scope[:8]):
        raise _incomplete()
    return Signature(
        access_key=access_key,
        scope=scope,
        signed_headers=fields["SignedHeaders"],
        value=fields["Signature"],
        date=fields["Date"],
        token=fields["Token"],
        expires_seconds=_seconds(fields["Expires"]) if in_query else None,
    )


def verify(signature: Signature, secret: str, request: Request, now: datetime) -> None:
    """Raise RefusedError unless `secret` recently made this signature for this request."""
    _check_time(signature, now)
    _check_signed_headers(signature, request)
    canonical = canonical_request(signature, request)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    expected = _sign(secret, signature, f"{ALGORITHM}\n{signature.date}\n{signature.scope}\n{digest}")
    if not hmac.compare_digest(expected.encode(), signature.value.encode()):
        raise RefusedError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )


def canonical_request(signature: Signature, request: Request) -> str:
    names = signature.signed_headers.split(";")
    headers = "".join(f"{name}:{request.header(name)}\n" for name in names)
    lines = [request.method, _canonical_path(signature, request.path), _canonical_query(request.query)]
    return "\n".join([*lines, headers, signature.signed_headers, _payload(signature, request)])


def _header_fields(authorization: str, request: Request) -> dict[str, str]:
    algorithm, _, rest = authorization.partition(" ")
    fields = [FIELDS.fullmatch(part.strip()) for part in rest.split(",")]
    found = dict(list(filter(None, field.groups())) for field in fields if field)
    if algorithm != ALGORITHM or len(fields) != 3 or len(found) != 3:
        raise _incomplete()
    return {**found, "Date": request.header("x-amz-date"), "Token": request.header("x-amz-security-token")}


def _presigned_fields(query: Mapping[str, str]) -> dict[str, str]:
    names = {"Credential", "SignedHeaders", "Signature", "Date", "Expires"}
    if query.get("X-Amz-Algorithm") != ALGORITHM or not all(f"X-Amz-{name}" in query for name in names):
        raise _incomplete()
    return {name: query[f"X-Amz-{name}"] for name in names} | {"Token": query.get("X-Amz-Security-Token", "")}


def _incomplete() -> RefusedError:
    return RefusedError("IncompleteSignature", f"The signature is not a complete {ALGORITHM} one.")


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 0 < int(text) <= LONGEST_PRESIGNED_SECONDS:
        raise RefusedError("AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800.")
    return int(text)


def _check_time(signature: Signature, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete() from None
    lasts = SKEW if signature.expires_seconds is None else timedelta(seconds=signature.expires_seconds)
    if not signed_at - SKEW <= now <= signed_at + lasts:
        raise RefusedError("RequestTimeTooSkewed", "The request was not signed at this time, or has expired.")


def _check_signed_headers(signature: Signature, request: Request) -> None:
    """Require signatures of all headers that affect the request: the host and every AWS header."""
    present = {name for name, _ in request.headers if name.startswith("x-amz-")} | {"host"}
    if not present <= set(signature.signed_headers.split(";")):
        raise RefusedError("AccessDenied", "There were headers present in the request which were not signed.")


def _canonical_path(signature: Signature, path: str) -> str:
    """S3 signs the path as sent; other services sign it normalized and encoded a second time."""
    if signature.service == "s3":
        return path
    # `normpath` keeps two slashes at the start, as POSIX allows.
    normal = posixpath.normpath(path).replace("//", "/")
    return quote(normal + ("/" if path.endswith("/") and normal != "/" else ""), safe="/-_.~")


def _canonical_query(query: str) -> str:
    pairs = [(_encoded(name), _encoded(value)) for name, value in parse_qsl(query, keep_blank_values=True)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature")


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _payload(signature: Signature, request: Request) -> str:
    """The body's digest for the signature. Raises RefusedError if the declared digest is not the body's."""
    if signature.expires_seconds is not None and signature.service == "s3":
        return UNSIGNED
    declared = request.header("x-amz-content-sha256")
    if declared == UNSIGNED or declared.startswith("STREAMING-"):
        return declared
    if declared and declared != request.payload:
        raise RefusedError("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' is not the body's.")
    return request.payload


def _sign(secret: str, signature: Signature, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()
