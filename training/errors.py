"""Why an artefact is not imported.

DropscoreError
└── ModelImportError          the artefact cannot be served                     exit 3
    └── UnsafePickleError     a pickle asks for something no model needs
"""

from __future__ import annotations

from dropscore.errors import DropscoreError


class ModelImportError(DropscoreError):
    exit_code = 3


class UnsafePickleError(ModelImportError):
    pass
