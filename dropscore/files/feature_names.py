"""The names of a model's features: an object that is deployed beside the model, for whoever reads a file's header.

An environment variable would not hold them: AWS Lambda has 4 KB for all of a function's.
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
    """The names in the model's order; none where they are unknown."""
    if model.feature_names is None:
        return ()
    bucket, key = model.feature_names
    try:
        names = json.loads(b"".join(reading.read(s3, bucket=bucket, key=key)))
    except PermanentError as error:
        raise PermanentError(
            error.code,
            f"{error.said}. If model {model.name!r} was deployed again in the meantime, `dropscore retry` scores the "
            "file by the model as it is now",
        ) from error
    return tuple(names)


def digest_of(names: Sequence[str]) -> str:
    """12 hex digits that stand for these names in this order; our model container says the same of its model."""
    return sha256(json.dumps(list(names), separators=(",", ":")).encode()).hexdigest()[:12]
