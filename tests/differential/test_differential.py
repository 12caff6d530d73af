"""Random files: Dropscore publishes the scores that XGBoost computes for the rows that Python's csv module reads.

`python -m tests.differential SEED` shows one file. `make test-faults` runs 20,000 here and 100 on the embedded cloud.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.differential.case import case_of
from tests.differential.engine import difference, run

FILES = int(os.environ.get("DROPSCORE_FILES", "500"))
CHUNK = 50


@pytest.mark.parametrize("first", range(0, FILES, CHUNK))
def test_files_are_scored_as_their_owner_would(first: int) -> None:
    differences = {}
    for seed in range(first, min(first + CHUNK, FILES)):
        case = case_of(seed)
        found = difference(case, run(case))
        if found:
            differences[seed] = found
    assert differences == {}


def test_cases_are_of_every_kind() -> None:
    cases = [case_of(seed) for seed in range(300)]
    kinds = Counter(
        {
            "damaged": sum(case.damage is not None for case in cases),
            "packed": sum(case.is_compressed for case in cases),
            "shards": sum(case.shards > 1 for case in cases),
            "bad rows": sum(bool(case.bad_rows) for case in cases),
            "quotes": sum(b'"' in case.data for case in cases),
            "CR LF": sum(b"\r\n" in case.data for case in cases),
            "ids": sum("id" in case.options for case in cases),
            "columns": sum("columns" in case.options for case in cases),
            "reordered": sum(
                case.has_header and [c.feature for c in case.columns] != sorted(c.feature or 0 for c in case.columns)
                for case in cases
            ),
        }
    )
    assert min(kinds.values()) >= 10, kinds
