"""docs/monitoring.md names every metric and shows an event that is one."""

from __future__ import annotations

import json
import re
from pathlib import Path

from schema.metrics import UNITS
from tests.events import complaints

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "monitoring.md").read_text()


def test_every_metric_is_documented_with_its_unit() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (?:worker|announce|reconcile) \|", TEXT, re.MULTILINE)
    assert dict(rows) == UNITS
    assert len(rows) == len(UNITS)


def test_the_event_that_is_shown_is_one() -> None:
    (shown,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL) if "job_id" in block]
    assert complaints(shown) == []
