"""Schedules from seeds: several faults at once, duplicate events, files of any shape.

A failure prints its seed; run it alone with `FAULTS_SEED=17 pytest tests/faults/test_random.py`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.faults.cases.endpoint import without_poison
from tests.faults.cloud import dynamodb_error, s3_error
from tests.faults.endpoint import runtime_error
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import Act, Answer, Call, Forward, before, cut, delay, lose_reply, reset
from tests.faults.upload import rows
from tests.faults.verdict import end_of, violations

BATCHES, BATCH = 100, 10  # 1,000 seeds in total; `make test` runs the first batch
DEADLY = 2  # attempts that may fail: the third must succeed


def busy(call: Call, _forward: Forward) -> Answer:
    """The service's own busy error."""
    if call.operation == "InvokeEndpoint":
        return runtime_error(503, "ServiceUnavailable")
    if "X-Amz-Target" in call.headers:
        return dynamodb_error(500, "InternalServerError")
    if call.operation == "SubmitJob":
        return runtime_error(500, "ServerException")
    return s3_error(500, "InternalError")


def _harmless(lab: Laboratory, chance: random.Random) -> Act:
    return chance.choice([busy, reset, lose_reply, cut(chance.random()), delay(0.02)])


def _deadly(lab: Laboratory, chance: random.Random) -> tuple[Act, str]:
    """A fault that ends an attempt, and its caller. A function is never stalled: it has no host to give up."""
    return chance.choice(
        [(lab.kill_before, ""), (lab.kill_after, ""), (before(lab.terminate), ""), (before(lab.stall), "worker")]
    )


def run(seed: int, lab: Laboratory) -> list[str]:
    chance = random.Random(seed)
    count = chance.randint(1, 60)
    # A first row without a number before rows with numbers would be a header.
    poison = chance.choice([None, chance.randint(min(2, count), count)])
    data = rows(count, poison=poison if count > 1 else None)
    lab.max_bad_rows = 1
    lab.max_payload_bytes = chance.choice([40, 100, 1000])
    lab.shard_bytes = chance.choice([1 << 20, 1 << 20, 250])
    sizes = {"UPLOAD_BYTES": chance.choice([100, 400, 1 << 20]), "MIN_UPLOAD_BYTES": chance.choice([1, 1 << 20])}
    lab.order["constants"] = {f"dropscore.aws.objects.{name}": size for name, size in sizes.items()}
    for _ in range(chance.randint(0, DEADLY)):
        act, caller = _deadly(lab, chance)
        lab.fault(act, caller=caller, first=chance.randint(1, 25))
    for _ in range(chance.randint(0, 4)):
        lab.fault(_harmless(lab, chance), first=chance.randint(1, 30))
    upload = lab.put(data)
    lab.deliver(*[upload.event] * chance.randint(1, 3))
    lab.settle(side_by_side=chance.randint(1, 2))
    found = violations(lab, upload, without_poison(data))
    return found if end_of(lab, upload) == "SUCCEEDED" else [f"it ended {end_of(lab, upload)}", *found]


def _run_all(seeds: range, new_laboratory: Callable[[], Laboratory]) -> list[str]:
    return [f"seed {seed}: {found}" for seed in seeds if (found := run(seed, new_laboratory()))]


@pytest.mark.parametrize(
    "batch", [pytest.param(number, marks=[pytest.mark.slow] if number else []) for number in range(BATCHES)]
)
def test_random_schedules_break_no_promise(
    batch: int, new_laboratory: Callable[[], Laboratory], report_line: Callable[[str, str, str], None]
) -> None:
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    if "FAULTS_SEED" in os.environ:
        seeds = range(int(os.environ["FAULTS_SEED"]), int(os.environ["FAULTS_SEED"]) + 1)
    wrong = _run_all(seeds, new_laboratory)
    report_line(
        f"random schedules {seeds.start} to {seeds.stop - 1}",
        "all promises kept",
        "; ".join(wrong) or "all promises kept",
    )
    assert wrong == []
