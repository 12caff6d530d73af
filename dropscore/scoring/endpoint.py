"""Sends requests to a SageMaker endpoint and turns its errors into JobErrors."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from dropscore.aws.faults import AWS_ERRORS, fault
from dropscore.errors import (
    BusyError,
    JobError,
    ModelChangedError,
    PermanentError,
    RequestTooLargeError,
    RowFault,
    RowsRefusedError,
    TransientError,
)
from dropscore.files.requests import Request
from dropscore.scoring.refusal import RefusedRow, parse

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


_VERSION = re.compile(r"model-version=([\w.-]+)")
_NAMES = re.compile(r"feature-names=([0-9a-f]+)")
_MISSING = re.compile(r"not found|could not find", re.IGNORECASE)
_NO_CAPACITY = "Inference Component has no capacity"  # the runtime has no code of its own for it
_WAKING = (
    "has no running instance; this request starts one, which takes some minutes. Waiting for the model; if this takes "
    "longer, see the scaling activities of its inference component"
)


def runtime_config(max_concurrent_requests: int) -> Config:
    """One connection for each request in flight. Without botocore's retries, because the scorer retries."""
    # SageMaker gives a container 60 seconds to reply. AWS's reference of InvokeEndpoint advises a socket timeout of 70.
    return Config(
        connect_timeout=5,
        read_timeout=70,
        max_pool_connections=max_concurrent_requests,
        retries={"total_max_attempts": 1},
    )


class Endpoint:
    """Thread-safe. `version` is the model's, as its container reports it; None if it reports none.

    `names` is a digest of the feature names by which the columns were ordered; None if the columns go by position. A
    model with other names would read cells as the wrong features, so its replies are refused.
    """

    def __init__(
        self, runtime: SageMakerRuntimeClient, name: str, component: str | None = None, *, names: str | None = None
    ) -> None:
        self.version: str | None = None
        self._names = names
        self._runtime = runtime
        self._name = name
        self._component: Any = {"InferenceComponentName": component} if component else {}
        self._lock = Lock()

    def __call__(self, request: Request) -> bytes:
        """The bytes of the reply. Raises a JobError for every error of the endpoint or the model container."""
        try:
            answer = self._runtime.invoke_endpoint(
                EndpointName=self._name, ContentType="text/csv", Accept="text/csv", Body=request.data, **self._component
            )
            # Read within the block, because a connection that breaks in the middle of the body raises urllib3's errors.
            reply = answer["Body"].read()
        except ClientError as error:
            raise self._fault(error, request) from error
        except AWS_ERRORS as error:
            raise fault(error, f"asking endpoint {self._name}") from error
        attributes = answer.get("CustomAttributes", "")
        self._check_names(attributes)
        self._check_version(attributes)
        return reply

    def _check_names(self, attributes: str) -> None:
        """Raises ModelChangedError if the model's features do not have the names by which the columns were ordered."""
        reported = _NAMES.search(attributes)
        if self._names is not None and (reported is None or reported[1] != self._names):
            raise ModelChangedError(
                "MODEL_CHANGED",
                f"endpoint {self._name} serves a model whose feature names are not those that the file's columns were "
                "matched with; nothing was published. When the model's deployment has ended, run `dropscore retry`",
            )

    def _check_version(self, attributes: str) -> None:
        """Raises ModelChangedError if this reply comes from another model than the replies before it."""
        reported = _VERSION.search(attributes)
        # Containers need not report a version. For those that do not, a new model goes unnoticed (promise 7).
        if reported is None:
            return
        # Requests run in several threads: whichever reply comes first fixes the version for all of them.
        with self._lock:
            self.version = self.version or reported[1]
        if reported[1] != self.version:
            raise ModelChangedError(
                "MODEL_CHANGED",
                f"endpoint {self._name} changed its model from {self.version} to {reported[1]} during scoring; "
                "nothing was published, and the whole file is scored again by one model",
            )

    def _fault(self, error: ClientError, request: Request) -> JobError:
        code, message = error.response["Error"].get("Code"), error.response["Error"].get("Message", "")
        if code == "ModelError":
            return self._model_error(error.response, request)
        # The runtime has one code for a component without instances, a missing endpoint and other causes: only the
        # text differs.
        if code == "ValidationError" and _NO_CAPACITY in message:
            return BusyError("ENDPOINT_SCALED_TO_ZERO", f"endpoint {self._name} {_WAKING}")
        if code == "ValidationError" and _MISSING.search(message):
            return PermanentError("ENDPOINT_MISSING", f"endpoint {self._name} does not exist; deploy the hosting stack")
        # AWS documents the runtime's limit inconsistently, so the worker learns it: every 413 halves the request.
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 413:
            return _too_large(request)
        return fault(error, f"asking endpoint {self._name}")

    def _model_error(self, response: Any, request: Request) -> JobError:
        status = int(response.get("OriginalStatusCode", 500))
        if status == 413:
            return _too_large(request)
        if status in (429, 503) or status >= 500:
            where = response.get("LogStreamArn", "the endpoint's log group")
            error_type = BusyError if status in (429, 503) else TransientError
            return error_type(
                "MODEL_FAILED",
                f"the model container returned HTTP {status}; its log has the reason: {where}",
                rows=(request.first_row, request.last_row),
                offset=request.offset,
            )
        return _rows_refused(status, response.get("OriginalMessage", ""), request)


def _too_large(request: Request) -> RequestTooLargeError:
    return RequestTooLargeError(
        "BODY_TOO_LARGE",
        f"the endpoint does not accept a request of {len(request.data)} bytes; lower the model's max_payload_bytes",
    )


# The error codes that a model container may return (docs/model-container.md), in words for the person with the file.
_REASONS = {
    "WRONG_COLUMN_COUNT": "it does not have as many columns as the model has features",
    "NOT_A_NUMBER": "a cell is not a number",
    "NOT_FINITE": "a cell is infinite, or too large for a 32-bit float",
    "NOT_A_CATEGORY": "a cell of a categorical column is not a category's code, a whole number from 0",
    "UNEXPECTED_HEADER": "it looks like a header, but the model accepts rows of numbers only",
    "BAD_LINE_END": "it contains a carriage return before its end",
    "EMPTY_BODY": "it is empty",
}


def _rows_refused(status: int, message: str, request: Request) -> RowsRefusedError:
    """Uses only known codes and numbers from the container's message: anything else might quote the row."""
    refusal = parse(message, request.rows)
    faults = [_fault_of(status, refused) for refused in refusal.rows]
    first = faults[0] if faults else RowFault(0, _code(refusal.code), _reason(status, refusal.code))
    return RowsRefusedError(
        first.code,
        f"the model refused it: {first.reason}; correct the file and upload it again",
        rows=(request.first_row + faults[0].place,) * 2 if faults else (request.first_row, request.last_row),
        # The place of one row is certain. In a larger request, only the search finds out which row is at fault.
        offset=request.offset if request.rows == 1 else None,
        line=request.line if request.rows == 1 else None,
        reason=first.reason,
        faults=faults,
        has_more=refusal.has_more,
    )


def _fault_of(status: int, refused: RefusedRow) -> RowFault:
    return RowFault(refused.row - 1, _code(refused.code), _reason(status, refused.code), refused.column)


def _code(code: str | None) -> str:
    return code if code in _REASONS else "BAD_ROW"


def _reason(status: int, code: str | None) -> str:
    return _REASONS.get(code or "", f"its container returned HTTP {status}")
