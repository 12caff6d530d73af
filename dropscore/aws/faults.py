"""What AWS says went wrong, in our words: is it worth another try, and what should a person do?"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from dropscore.errors import BusyError, JobError, PermanentError, TransientError

_TRANSIENT = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
}
_BUSY = {
    "LimitExceededException",
    "ModelNotReadyException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "KMS.AccessDeniedException", "UnrecognizedClientException"}


def fault(error: BotoCoreError | ClientError, doing: str) -> JobError:
    """The JobError for an AWS error met while `doing` ("reading s3://…")."""
    if not isinstance(error, ClientError):
        return TransientError("AWS_UNREACHABLE", f"{doing}: {type(error).__name__}; it is tried again")
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
    if code in _TRANSIENT or status >= 500:
        return TransientError("AWS_BUSY", f"{doing}: {code} ({said}); it is tried again")
    return PermanentError("AWS_ERROR", f"{doing}: {code}: {said}")


def asked_for(error: ClientError) -> str:
    """The operation; where S3 refuses without a word of the permission, that too."""
    if error.operation_name == "HeadObject":
        return "HeadObject, which asks for s3:GetObject, of a named version for s3:GetObjectVersion"
    return error.operation_name
