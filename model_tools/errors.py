"""Errors of importing a model.

DropscoreError
└── ModelImportError          the artifact cannot be served                     exit 3
    └── UnsafePickleError     a pickle needs something that no model needs
"""

from __future__ import annotations

from enum import StrEnum

from dropscore.errors import DropscoreError

OTHER_LIBRARIES = (
    "Only XGBoost models can be imported: others compute in 64 bits, so their scores would differ. "
    "Serve it from your own container: container = … in dropscore.toml"
)


class Code(StrEnum):
    """Why an import fails; docs/import.md describes each code."""

    NOT_A_MODEL = "NOT_A_MODEL"
    UNSUPPORTED = "UNSUPPORTED"
    UNSAFE_PICKLE = "UNSAFE_PICKLE"
    UNSAFE_ARCHIVE = "UNSAFE_ARCHIVE"
    DAMAGED = "DAMAGED"
    TOO_LARGE = "TOO_LARGE"
    WRONG_MANIFEST = "WRONG_MANIFEST"
    ROUNDS_UNKNOWN = "ROUNDS_UNKNOWN"
    SCORES_DIFFER = "SCORES_DIFFER"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    CRASHED = "CRASHED"


class ModelImportError(DropscoreError):
    """`message` says what happened and what to do."""

    exit_code = 3
    code: Code

    def __init__(self, message: str, *, code: Code = Code.DAMAGED) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UnsafePickleError(ModelImportError):
    def __init__(self, message: str) -> None:
        super().__init__(message, code=Code.UNSAFE_PICKLE)
