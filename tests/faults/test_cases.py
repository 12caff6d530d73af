"""Every named case ends as expected and keeps every promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.case import Case, parameters
from tests.faults.cases import endpoint, events, kills, lost, reads, shards, table, worker, writes
from tests.faults.laboratory import Laboratory

MODULES = (kills, worker, endpoint, reads, writes, table, events, lost, shards)
CASES = [case for module in MODULES for case in module.CASES]


@pytest.mark.parametrize("case", parameters(CASES))
def test_the_case_ends_as_it_must(case: Case, lab: Laboratory, report_line: Callable[[str, str, str], None]) -> None:
    seen, violations = case.run(lab)
    report_line(case.name, case.expected, "; ".join([seen, *violations]))
    is_good = (seen, violations) == (case.expected, [])
    if case.known:
        assert not is_good, f"fixed: remove `known` from this case ({case.known})"
        pytest.xfail(case.known)
    assert (seen, violations) == (case.expected, [])
