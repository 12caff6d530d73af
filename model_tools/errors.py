"""Why an artifact is not imported.

DropscoreError
└── ModelImportError          the artifact cannot be served                     exit 3
    └── UnsafePickleError     a pickle asks for something no model needs
"""

from __future__ import annotations

from enum import StrEnum

from dropscore.errors import DropscoreError

OTHER_LIBRARIES = (
    "Only XGBoost models are imported: others decide and add up in 64 bits, and would not score the same. "
    "Serve it from a container of your own: container = … in dropscore.toml"
)


class Code(StrEnum):
    """One word for each way in which an import fails; docs/import.md lists them."""

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
    """`code` is one of `Code`, `said` what happened and what to do."""

    exit_code = 3
    code: Code

    def __init__(self, said: str, *, code: Code = Code.DAMAGED) -> None:
        super().__init__(said)
        self.code = code
        self.said = said

    def __str__(self) -> str:
        return f"{self.code}: {self.said}"


class UnsafePickleError(ModelImportError):
    def __init__(self, said: str) -> None:
        super().__init__(said, code=Code.UNSAFE_PICKLE)
