"""Why an artefact is not imported.

DropscoreError
└── ModelImportError          the artefact cannot be served                     exit 3
    └── UnsafePickleError     a pickle asks for something no model needs
"""

from __future__ import annotations

from dropscore.errors import DropscoreError

OTHER_LIBRARIES = (
    "Only XGBoost models are imported: others decide and add up in 64 bits, and would not score the same. "
    "Serve it from a container of your own: container = … in dropscore.toml"
)


class ModelImportError(DropscoreError):
    exit_code = 3


class UnsafePickleError(ModelImportError):
    pass
