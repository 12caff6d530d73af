"""A named case: what breaks, and how the job must end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.endpoint import scores
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import Act, before
from tests.faults.upload import Upload, rows
from tests.faults.verdict import end_of, violations

ROWS = rows(40)
DONE = "SUCCEEDED"
SAMPLED = 5
IN_PARTS = {"constants": {"dropscore.aws.objects.UPLOAD_BYTES": 200, "dropscore.aws.objects.MIN_UPLOAD_BYTES": 1}}
IN_SHARDS = {"shard_bytes": 150}  # ROWS become four of them
READ: dict[str, Any] = {
    "on": "GetObject",
    "key": "input/",
    "caller": "worker",
    "first": 2,
}  # the first looks at the head
WRITE: dict[str, Any] = {"on": "PutObject", "key": "output/", "caller": "worker"}
OF_WORKER: dict[str, Any] = {"on": "UpdateItem", "caller": "worker"}


@dataclass(frozen=True)
class Broken:
    """A planned fault. `act` may be a method of Laboratory: kill_before, kill_after, stall or terminate."""

    act: Act | str
    when: Mapping[str, Any]


def broken(act: Act | str, on: str = "", **when: Any) -> Broken:
    return Broken(act, {"on": on, **when})


@dataclass(frozen=True, kw_only=True)
class Case:
    """`story` runs after the faults are set. The default story uploads a file and scores it.

    `attempts` are the attempts of Batch. `known` describes the product's fault if the case is expected to fail.
    """

    name: str
    faults: tuple[Broken, ...] = ()
    ends: str = DONE
    attempts: int = 1
    data: bytes = ROWS
    story: Callable[[Laboratory, bytes], Upload] = lambda lab, data: lab.score(lab.put(data))
    whole: Callable[[bytes], bytes] = scores
    order: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_slow: bool = False
    known: str = ""

    def run(self, lab: Laboratory) -> tuple[str, list[str]]:
        """Returns how the job ended, and the violations of promises."""
        lab.order |= self.order
        for name, value in self.settings.items():
            assert hasattr(lab, name)
            setattr(lab, name, value)
        set_faults = [lab.fault(_act(lab, fault.act), **fault.when) for fault in self.faults]
        upload = self.story(lab, self.data)
        found = [*lab.found, *violations(lab, upload, self.whole(self.data))]
        found += [
            f"fault {number} never occurred" for number, fault in enumerate(set_faults, 1) if fault.seen < fault.first
        ]
        return f"{end_of(lab, upload)}, {_counted(lab.batch.attempts)}", found

    @property
    def expected(self) -> str:
        return f"{self.ends}, {_counted(self.attempts)}"


def single_fault(
    name: str, act: Act | str, at: Mapping[str, Any], ends: str = DONE, attempts: int = 1, **more: Any
) -> Case:
    """A case with a single fault."""
    return Case(name=name, faults=(broken(act, **at),), ends=ends, attempts=attempts, **more)


def parameters(cases: list[Case]) -> list[Any]:
    """Parameters for pytest. `make test` runs every fifth case (SAMPLED), `make test-faults` all cases."""
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), "two cases have the same name"
    return [
        pytest.param(case, id=case.name.replace(" ", "-"), marks=sampled(number, is_slow=case.is_slow))
        for number, case in enumerate(cases)
    ]


def sampled(number: int, *, is_slow: bool = False) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if is_slow or number % SAMPLED else []


def _counted(attempts: int) -> str:
    return f"{attempts} attempt{'' if attempts == 1 else 's'}"


def _act(lab: Laboratory, act: Act | str) -> Act:
    if callable(act):
        return act
    method: Any = getattr(lab, act)
    return before(method) if act in ("stall", "terminate") else method
