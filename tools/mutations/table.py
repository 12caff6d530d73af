"""All guards, in the order of processing. docs/promises.md lists the promise of each guard."""

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
