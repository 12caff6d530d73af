"""Turns errors of AWS into JobErrors, which say whether a retry may help and what a person should do."""

from __future__ import annotations

from typing import TypeAlias

from botocore.exceptions import (
    BotoCoreError,
    CapacityNotAvailableError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name for it
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from dropscore.errors import BusyError, JobError, PermanentError, TransientError

AwsError: TypeAlias = ClientError | BotoCoreError | ResponseParserError | HTTPError
AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError, HTTPError)
"""All errors that a call of boto3 raises. The last two are not botocore's own: a response that does not come from AWS,
and urllib3's errors while the body of a response is read."""

_UNREACHABLE = (
    ConnectionError,  # no connection, no TLS
    HTTPClientError,  # time-outs, connections that break
    IncompleteReadError,
    ChecksumError,
    FlexibleChecksumError,
    ResponseParserError,
    HTTPError,
    CredentialRetrievalError,  # the container's credential endpoint did not answer
    MetadataRetrievalError,
    NoCredentialsError,
    CapacityNotAvailableError,  # botocore's own brake after too many throttled calls
)
"""Errors that a retry may solve. All other botocore errors are about the configuration or the call itself."""
_TRANSIENT = {
    "400",  # botocore's code for an error response whose body was cut off: it may be any of those below
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestExpired",
    "RequestTimeout",
    "RequestTimeoutException",
}
_BUSY = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "ModelNotReadyException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "KMS.AccessDeniedException", "UnrecognizedClientException"}


def fault(error: AwsError, doing: str) -> JobError:
    """The JobError for an AWS error that occurred while `doing`, such as "reading s3://…"."""
    if not isinstance(error, ClientError):
        return _fault_of_botocore(error, doing)
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # A 403 is not always a missing permission: expired credentials have this status too, and a retry gets new ones.
    if code in _DENIED or (status == 403 and code not in _TRANSIENT | _BUSY):
        return PermanentError(
            "ACCESS_DENIED",
            f"{doing}: not allowed ({permission_of(error)}: {message or code}); "
            "grant the role this permission, then start the job again",
        )
    if code in _BUSY or status in (429, 503):
        return BusyError("THROTTLED", f"{doing}: {code} ({message}); it is retried")
    if code in _TRANSIENT or status == 408 or status >= 500:
        return TransientError("THROTTLED", f"{doing}: {code} ({message}); it is retried")
    return PermanentError("AWS_ERROR", f"{doing}: {code}: {message}")


def _fault_of_botocore(error: AwsError, doing: str) -> JobError:
    """The message has only the error's name, because botocore's text may quote the parameters of the call."""
    name = type(error).__name__
    if isinstance(error, _UNREACHABLE):
        return TransientError("AWS_UNREACHABLE", f"{doing}: {name}; it is retried")
    return PermanentError(
        "AWS_ERROR", f"{doing}: {name}; the deployment's configuration is wrong: deploy again, then start the job again"
    )


def permission_of(error: ClientError) -> str:
    """The operation that was refused; for HeadObject also its permissions, because S3 does not name them."""
    if error.operation_name == "HeadObject":
        return "HeadObject, which needs s3:GetObject, or s3:GetObjectVersion for a version"
    return error.operation_name
