from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.stacks.identities import current, recorded

RENAMED: Mapping[str, str] = {
    "AlarmsUnkept01D45C94": "AlarmsDeadLetterDeliveryFailedC2546D55",
    "AlarmsSilentEF6530A9": "AlarmsReconcileNotRunningECDF3810",
    "AlarmsFindings83807E92": "AlarmsReconcileRepairsEDE8C8DB",
    "AlarmsStuck93A9772D": "AlarmsJobsStuck496A9A78",
}
"""Texts in identities.txt from before the packages were reorganized, and their replacements."""


def test_logical_ids_and_names_are_those_of_before(tmp_path: Path) -> None:
    expected = []
    for line in recorded():
        for old, new in RENAMED.items():
            line = line.replace(old, new)
        expected.append(line)
    assert current(tmp_path) == sorted(expected)
