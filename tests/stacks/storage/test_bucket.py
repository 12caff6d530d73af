"""Evaluates the bucket's policy as S3 would: which requests it denies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.stacks.building import Json, Templates, only, rendered

ALGORITHM = "s3:x-amz-server-side-encryption"
KEY_ID = "s3:x-amz-server-side-encryption-aws-kms-key-id"
OWN_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
OURS = "sample-Key961B73FD-Arn"
FOREIGN = "arn:aws:kms:eu-central-1:111111111111:key/other"


def _policy(templates: Templates) -> list[Json]:
    policy: list[Json] = only(templates.storage, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    return policy


def _holds(operator: str, found: str | None, expected: Any) -> bool:
    """Evaluates one condition as IAM does: a negated one is true for a key that is missing in the request."""
    value = expected if isinstance(expected, str | float) else rendered(expected)
    match operator:
        case "Null":
            return (found is None) == (value == "true")
        case "StringNotEquals":
            return found != value
        case "StringEquals" | "Bool":
            return found == value
        case "NumericLessThan":
            return found is not None and float(found) < float(value)
    raise AssertionError(operator)


def _is_denied(templates: Templates, action: str, request: Mapping[str, str]) -> bool:
    request = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", **request}
    return any(
        statement["Action"] in ("s3:*", action)
        and all(
            _holds(operator, request.get(key), expected)
            for operator, conditions in statement["Condition"].items()
            for key, expected in conditions.items()
        )
        for statement in _policy(templates)
        if statement["Effect"] == "Deny"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},  # the bucket's default is our key; also for every part of a multipart upload
        {ALGORITHM: "aws:kms", KEY_ID: OURS},
        {KEY_ID: OURS},  # in case S3 fills in the default's key but not its algorithm
    ],
)
def test_a_put_that_asks_for_our_key_or_for_none_comes_in(templates: Templates, headers: dict[str, str]) -> None:
    assert not _is_denied(templates, "s3:PutObject", headers)


@pytest.mark.parametrize(
    "headers",
    [
        {ALGORITHM: "AES256"},
        {ALGORITHM: "aws:kms:dsse", KEY_ID: OURS},
        {ALGORITHM: "aws:kms", KEY_ID: FOREIGN},
        {KEY_ID: FOREIGN},
        {ALGORITHM: "aws:kms"},  # S3 would use the account's own key `aws/s3`
        {OWN_KEY: "AES256"},
    ],
)
def test_a_put_that_asks_for_another_encryption_is_turned_away(templates: Templates, headers: dict[str, str]) -> None:
    assert _is_denied(templates, "s3:PutObject", headers)
    assert not _is_denied(templates, "s3:GetObject", headers)


@pytest.mark.parametrize(
    ("connection", "is_denied"),
    [
        ({"aws:SecureTransport": "false"}, True),
        ({"s3:TlsVersion": "1.0"}, True),
        ({"s3:TlsVersion": "1.1"}, True),
        ({"s3:TlsVersion": "1.2"}, False),
    ],
)
def test_a_connection_is_tls_of_today(templates: Templates, connection: dict[str, str], is_denied: bool) -> None:
    assert _is_denied(templates, "s3:GetObject", connection) is is_denied


def test_nobody_is_let_in_by_the_bucket_itself(templates: Templates) -> None:
    assert {statement["Effect"] for statement in _policy(templates)} == {"Deny"}
    assert {str(statement["Principal"]) for statement in _policy(templates)} == {str({"AWS": "*"})}
