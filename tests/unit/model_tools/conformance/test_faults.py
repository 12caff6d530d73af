"""Each fault makes exactly its own check fail; a server without faults passes all."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import pytest

from model_tools.conformance.checks import EVERY
from model_tools.conformance.examination import examine
from model_tools.conformance.findings import Finding
from model_tools.conformance.outcomes import Outcome
from model_tools.conformance.starting import NeverReadyError, NotStartedError
from model_tools.conformance.subject import Subject
from tests.unit.model_tools.conformance.conftest import BOUNDS, SAMPLE, served

OF_IMAGES = {"serve", "offline", "non-root", "read-only", "capabilities", "port"}
FAULTS = {
    "starts-slowly": "start-up",
    "pings-slowly": "ping",
    "always-fails": "invocations",
    "adds-a-score": "row-counts",
    "minds-carriage-returns": "line-ends",
    "sorts": "order",
    "centres": "neighbours",
    "wavers": "determinism",
    "dies-of-words": "bad-row",
    "takes-words": "bad-row",
    "pads": "short-row",
    "quotes": "echo",
    "dies-of-nothing": "empty-body",
    "dies-of-types": "wrong-type",
    "limits-with-400": "limits",
    "shares-rows": "concurrency",
    "blocks-pings": "ping-under-load",
    "keeps-bodies": "memory",
    "logs-rows": "log",
    "ends-late": "sigterm",
    "ends-with-143": "sigterm",
    "hangs-up": "sigterm",
}
SECONDS_LONG = {"starts-slowly", "pings-slowly", "blocks-pings", "shares-rows", "ends-with-143", "hangs-up"}


def findings(fault: str) -> dict[str, Finding]:
    with closing(served(fault)) as server:
        return {finding.check: finding for finding in examine(Subject(server, SAMPLE, BOUNDS))}


def failed(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.outcome is Outcome.FAIL}


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[pytest.mark.slow] if name in SECONDS_LONG else []) for name in FAULTS]
)
def test_each_fault_fails_its_own_check_and_no_other(fault: str) -> None:
    found = findings(fault)
    assert failed(found) == {FAULTS[fault]}, [finding for finding in found.values() if finding.outcome is Outcome.FAIL]
    assert found[FAULTS[fault]].do


def test_a_good_server_passes_every_check_but_those_of_images() -> None:
    found = findings("none")
    assert failed(found) == set()
    assert {name for name, finding in found.items() if finding.outcome is Outcome.SKIP} == OF_IMAGES
    assert list(found) == [check.name for check in EVERY]
    assert "accepts 10" in found["limits"].what
    assert found["limits"].do.startswith("set the model's max_payload_bytes = 10")


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {check.name for check in EVERY} == {*FAULTS.values(), "content-types"} | OF_IMAGES


def test_checks_that_need_scores_are_skipped_without_scores() -> None:
    found = findings("always-fails")
    needing = {check.name for check in EVERY if check.needs_scores}
    assert {found[name].outcome for name in needing} == {Outcome.SKIP}
    assert found["invocations"].what == "10 valid rows got 500"


def test_a_server_that_ends_by_itself_is_not_checked() -> None:
    with pytest.raises(NotStartedError, match=r"ended during its start; .*: ImportError: no such thing") as raised:
        served("never-starts")
    assert raised.value.exit_code == 3


def test_a_server_that_is_never_healthy_is_not_checked() -> None:
    with pytest.raises(NeverReadyError, match="did not reply 200 within 1 s"):
        served("never-healthy", dataclasses.replace(BOUNDS, start_timeout_seconds=1.0))
