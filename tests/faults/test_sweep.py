"""Every call of every process, for files of several shapes: killed before it, killed after it, reply lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.case import IN_PARTS, WRITE, Case, broken
from tests.faults.cases.endpoint import without_poison
from tests.faults.cases.shards import COPIED
from tests.faults.endpoint import limit
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, lose_reply
from tests.faults.upload import rows

NewLaboratory = Callable[[], Laboratory]
ReportLine = Callable[[str, str, str], None]
SHAPES = [
    Case(name="one request", data=rows(3)),
    Case(name="several requests", data=rows(40)),
    Case(name="several parts", data=rows(40), order=IN_PARTS),
    Case(name="rejected rows", data=rows(20, poison=17), settings={"max_bad_rows": 1}, whole=without_poison),
    Case(name="requests too large", data=rows(12), faults=(broken(limit(50), "InvokeEndpoint", times=FOREVER),)),
    Case(name="two shards", data=rows(15), settings={"shard_bytes": 100}, order=COPIED),
    Case(
        name="two shards with rejected rows",
        data=rows(15, poison=12),
        settings={"shard_bytes": 120, "max_bad_rows": 1},
        order=COPIED,
        whole=without_poison,
    ),
    Case(name="killed once already", data=rows(20), faults=(broken("kill_before", **WRITE),)),
    Case(name="published and killed once already", data=rows(20), faults=(broken("kill_after", **WRITE),)),
]
KILLS = ("kill_before", "kill_after")
MODES = {"killed before it": "kill_before", "killed after it": "kill_after", "reply lost": lose_reply}
SAMPLED = 29  # `make test` runs one of this many points


def _points(shape: Case, new_laboratory: NewLaboratory) -> list[str]:
    """The calls of a run without faults; each is a point of the sweep."""
    lab = new_laboratory()
    _, found = shape.run(lab)
    assert found == []
    return [f"{call.caller.partition('-')[0]}'s {call.operation}" for call in lab.schedule.calls]


def _sweep(shape: Case, mode: str, new_laboratory: NewLaboratory, points: list[int]) -> list[str]:
    """The violations, and the call of each."""
    wrong = []
    for point in points:
        lab = new_laboratory()
        act = MODES[mode]
        fault = lab.fault(getattr(lab, act) if isinstance(act, str) else act, first=point)
        end, found = shape.run(lab)
        if found or not end.startswith("SUCCEEDED,"):
            struck = lab.schedule.calls[point - 1]
            wrong.append(f"{shape.name}, {mode}, call {point} ({struck.caller} {struck.operation}): {end}: {found}")
        assert fault.seen >= point, f"{shape.name}: call {point} never occurred"
    return wrong


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
def test_a_sample_of_the_sweep(shape: Case, new_laboratory: NewLaboratory, report_line: ReportLine) -> None:
    points = range(1, len(_points(shape, new_laboratory)) + 1)
    wrong, offset = [], SHAPES.index(shape)
    for number, mode in enumerate(MODES):
        wrong += _sweep(shape, mode, new_laboratory, list(points)[(offset + 7 * number) % SAMPLED :: SAMPLED])
    report_line(f"sweep, a sample: {shape.name}", "all promises kept", "; ".join(wrong) or "all promises kept")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.replace(" ", "-"))
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
def test_no_point_of_the_sweep_breaks_a_promise(
    shape: Case, mode: str, new_laboratory: NewLaboratory, report_line: ReportLine
) -> None:
    count = len(_points(shape, new_laboratory))
    wrong = _sweep(shape, mode, new_laboratory, list(range(1, count + 1)))
    report_line(
        f"sweep: {shape.name}, {mode}, {count} calls", "all promises kept", "; ".join(wrong) or "all promises kept"
    )
    assert wrong == []


@pytest.mark.slow
def test_the_sweep_has_200_kills(new_laboratory: NewLaboratory, report_line: ReportLine) -> None:
    kills = len(KILLS) * sum(len(_points(shape, new_laboratory)) for shape in SHAPES)
    report_line("sweep: kills", "at least 200", str(kills))
    assert kills >= 200
