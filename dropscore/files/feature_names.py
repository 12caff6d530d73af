"""The names of a model's features, from an object that is deployed beside the model.

They do not fit into environment variables: AWS Lambda allows 4 KB for all variables of a function.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from dropscore.aws import reading
from dropscore.errors import PermanentError
from dropscore.jobs.routes import Model

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Names = tuple[str, ...]


def read_names(s3: S3Client, model: Model) -> Names:
    """The names in the model's order; empty if they are unknown. Raises JobError if the object cannot be read."""
    if model.feature_names is None:
        return ()
    bucket, key = model.feature_names
    try:
        names = json.loads(b"".join(reading.read(s3, bucket=bucket, key=key)))
    except PermanentError as error:
        raise PermanentError(
            error.code,
            f"{error.text}. If model {model.name!r} was deployed again since the job started, score the "
            "file by the new model with `dropscore retry`",
        ) from error
    return tuple(names)


def digest_of(names: Sequence[str]) -> str:
    """12 hex digits that identify these names in this order; the model container sends the same digest."""
    # Spaces and escapes of this JSON are part of the contract with model containers (docs/model-container.md).
    return sha256(json.dumps(list(names), separators=(",", ":")).encode()).hexdigest()[:12]
