"""A SageMaker endpoint as the scorer sees it: a body in, the reply's bytes out, every fault in our words."""

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
from dropscore.scoring.refusal import Named, parse

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


_VERSION = re.compile(r"model-version=([\w.-]+)")
_NAMES = re.compile(r"feature-names=([0-9a-f]+)")
_MISSING = re.compile(r"not found|could not find", re.IGNORECASE)
_NO_CAPACITY = "Inference Component has no capacity"  # the runtime has no code of its own for it
_WAKING = (
    "has scaled down to nothing; this request wakes it, which takes some minutes. Waiting for the model; where this "
    "lasts, see the scaling activities of its inference component"
)


def runtime_config(max_concurrent_requests: int) -> Config:
    """One connection for each body in flight, and no retries of botocore's own: the scorer retries."""
    return Config(
        connect_timeout=5,
        read_timeout=70,
        max_pool_connections=max_concurrent_requests,
        retries={"total_max_attempts": 1},
    )


class Endpoint:
    """Asked by several threads. `version` is the model's, as its container names it; None where it names none.

    `names` stands for the names by which the columns of the rows were put in order: a model with others would take each
    cell for another feature, so its replies are refused. None where the rows go by position.
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

    def __call__(self, body: Request) -> bytes:
        try:
            answer = self._runtime.invoke_endpoint(
                EndpointName=self._name, ContentType="text/csv", Accept="text/csv", Body=body.data, **self._component
            )
            reply = answer["Body"].read()
        except ClientError as error:
            raise self._fault(error, body) from error
        except AWS_ERRORS as error:
            raise fault(error, f"asking endpoint {self._name}") from error
        attributes = answer.get("CustomAttributes", "")
        self._check_names(attributes)
        self._check_version(attributes)
        return reply

    def _check_names(self, attributes: str) -> None:
        """Raises ModelChangedError where the model does not have the features by whose names the rows were made."""
        said = _NAMES.search(attributes)
        if self._names is not None and (said is None or said[1] != self._names):
            raise ModelChangedError(
                "MODEL_CHANGED",
                f"endpoint {self._name} serves a model with other feature names than those that the file's columns "
                "were matched with; nothing was published. Once the model's deployment has ended, `dropscore retry` "
                "scores the file by it",
            )

    def _check_version(self, attributes: str) -> None:
        """Raises ModelChangedError where this reply comes from another model than those before it."""
        said = _VERSION.search(attributes)
        if said is None:
            return
        with self._lock:
            self.version = self.version or said[1]
        if said[1] != self.version:
            raise ModelChangedError(
                "MODEL_CHANGED",
                f"endpoint {self._name} changed its model from {self.version} to {said[1]} while the file was scored; "
                "nothing was published, and the whole file is scored again by one model",
            )

    def _fault(self, error: ClientError, body: Request) -> JobError:
        code, said = error.response["Error"].get("Code"), error.response["Error"].get("Message", "")
        if code == "ModelError":
            return self._model_error(error.response, body)
        if code == "ValidationError" and _NO_CAPACITY in said:
            return BusyError("ENDPOINT_SCALED_TO_ZERO", f"endpoint {self._name} {_WAKING}")
        if code == "ValidationError" and _MISSING.search(said):
            return PermanentError("ENDPOINT_MISSING", f"endpoint {self._name} does not exist; deploy the hosting stack")
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 413:
            return _too_large(body)
        return fault(error, f"asking endpoint {self._name}")

    def _model_error(self, response: Any, body: Request) -> JobError:
        status = int(response.get("OriginalStatusCode", 500))
        if status == 413:
            return _too_large(body)
        if status in (429, 503) or status >= 500:
            where = response.get("LogStreamArn", "the endpoint's log group")
            kind = BusyError if status in (429, 503) else TransientError
            return kind(
                "MODEL_FAILED",
                f"the model container answered {status}; its log says why: {where}",
                rows=(body.first_row, body.last_row),
                offset=body.offset,
            )
        return _bad_row(status, response.get("OriginalMessage", ""), body)


def _too_large(body: Request) -> RequestTooLargeError:
    return RequestTooLargeError(
        "BODY_TOO_LARGE",
        f"the endpoint does not take a body of {len(body.data)} bytes; lower the model's max_payload_bytes",
    )


# The refusals of our contract with model containers (docs/model-container.md), in words for whoever sent the file.
_WORDS = {
    "WRONG_COLUMN_COUNT": "it does not have as many columns as the model has features",
    "NOT_A_NUMBER": "a cell is not a number",
    "NOT_FINITE": "a cell is infinite, or too large for a 32-bit float",
    "NOT_A_CATEGORY": "a cell of a categorical column is not a category's code, a whole number from 0",
    "UNEXPECTED_HEADER": "it looks like a header, and the model takes rows of numbers only",
    "BAD_LINE_END": "a carriage return stands in the middle of it",
    "EMPTY_BODY": "there is nothing in it",
}


def _bad_row(status: int, said: str, body: Request) -> RowsRefusedError:
    """Of the container's words only known codes and numbers are used: anything else might quote the row."""
    refusal = parse(said, body.rows)
    faults = [_fault_of(status, named) for named in refusal.rows]
    first = faults[0] if faults else RowFault(0, _known(refusal.code), _reason(status, refusal.code))
    return RowsRefusedError(
        first.code,
        f"the model refuses this: {first.reason}; correct the file and upload it again",
        rows=(body.first_row + faults[0].place,) * 2 if faults else (body.first_row, body.last_row),
        offset=body.offset if body.rows == 1 else None,
        line=body.line if body.rows == 1 else None,
        reason=first.reason,
        faults=faults,
        has_more=refusal.has_more,
    )


def _fault_of(status: int, named: Named) -> RowFault:
    return RowFault(named.row - 1, _known(named.code), _reason(status, named.code), named.column)


def _known(code: str | None) -> str:
    return code if code in _WORDS else "BAD_ROW"


def _reason(status: int, code: str | None) -> str:
    return _WORDS.get(code or "", f"its container answered {status}")
