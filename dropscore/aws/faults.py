"""What AWS says went wrong, in our words: is it worth another try, and what should a person do?"""

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
"""All that a call of boto3 raises. The last two are not botocore's own: an answer that is not AWS's, and urllib3's
errors while the body of an answer is read."""

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
"""What may pass. Every other error of botocore's is about its configuration or about the call itself, and stays."""
_TRANSIENT = {
    "400",  # botocore's code for an error whose body was cut off: it may be any of those below
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
    """The JobError for an AWS error met while `doing` ("reading s3://…")."""
    if not isinstance(error, ClientError):
        return _fault_of_botocore(error, doing)
    code, said = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DENIED or (status == 403 and code not in _TRANSIENT | _BUSY):
        return PermanentError(
            "ACCESS_DENIED",
            f"{doing}: not allowed ({asked_for(error)}: {said or code}); "
            "give the role this permission, then start the job again",
        )
    if code in _BUSY or status in (429, 503):
        return BusyError("AWS_BUSY", f"{doing}: {code} ({said}); it is tried again")
    if code in _TRANSIENT or status == 408 or status >= 500:
        return TransientError("AWS_BUSY", f"{doing}: {code} ({said}); it is tried again")
    return PermanentError("AWS_ERROR", f"{doing}: {code}: {said}")


def _fault_of_botocore(error: AwsError, doing: str) -> JobError:
    """By its name alone: botocore's own words may quote the parameters of the call."""
    name = type(error).__name__
    if isinstance(error, _UNREACHABLE):
        return TransientError("AWS_UNREACHABLE", f"{doing}: {name}; it is tried again")
    return PermanentError(
        "AWS_ERROR", f"{doing}: {name}; the deployment's configuration is wrong: deploy again, then start the job again"
    )


def asked_for(error: ClientError) -> str:
    """The operation; where S3 refuses without a word of the permission, that too."""
    if error.operation_name == "HeadObject":
        return "HeadObject, which asks for s3:GetObject, of a named version for s3:GetObjectVersion"
    return error.operation_name
