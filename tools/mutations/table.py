"""Every guard, in the order of a file's way. docs/promises.md says which promise each one belongs to."""

from __future__ import annotations

from tools.mutations.guards import (
    bad_rows,
    claims,
    headers,
    looking,
    model_server,
    owning,
    publishing,
    reading,
    scoring,
)

GUARDS = (
    *claims.GUARDS,
    *looking.GUARDS,
    *owning.GUARDS,
    *reading.GUARDS,
    *headers.GUARDS,
    *scoring.GUARDS,
    *bad_rows.GUARDS,
    *model_server.GUARDS,
    *publishing.GUARDS,
)
