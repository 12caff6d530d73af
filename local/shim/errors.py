"""The shim's error replies, with the codes and messages of the AWS services."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error reply that botocore turns into a ClientError with this code."""

    def __init__(self, status: int, code: str, message: str, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.fields = status, code, message, fields


def access_denied(caller_arn: str, action: str, resource: str, decision: str) -> AwsError:
    why = "with an explicit deny in an identity-based policy"
    if decision != "explicitDeny":
        why = f"because no identity-based policy allows the {action} action"
    message = f"User: {caller_arn} is not authorized to perform: {action} on resource: {resource} {why}"
    return AwsError(403, "AccessDeniedException", message)


def client_error(message: str) -> AwsError:
    """Batch's reply to an invalid request."""
    return AwsError(400, "ClientException", message)


def validation_error(message: str) -> AwsError:
    """The SageMaker runtime's reply to an invalid request."""
    return AwsError(400, "ValidationError", message)
