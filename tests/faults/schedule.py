"""The faults of a case, and a record of every call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

FOREVER = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request. `key` is S3's key, DynamoDB's job id or the endpoint's name; `caller` is the process."""

    operation: str
    key: str
    caller: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """Sends `sent_bytes` of the body (None: all), then calls `then`; a truncated answer ends the connection."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent_bytes: int | None = None
    then: Callable[[], None] = lambda: None


class ResetError(Exception):
    """The connection ends without a reply."""


Forward = Callable[[], Answer]
Act = Callable[[Call, Forward], Answer]


@dataclass(kw_only=True)
class Fault:
    """Applies `act` to the calls `first` … `first + times - 1` of an operation with this text in its key or body."""

    act: Act
    on: str = ""
    key: str = ""
    holding: bytes = b""
    caller: str = ""
    first: int = 1
    times: int = 1
    seen: int = 0

    def is_due(self, call: Call) -> bool:
        """Counts the call, so ask only once per call."""
        if self.on not in ("", call.operation) or self.key not in call.key or not call.caller.startswith(self.caller):
            return False
        if self.holding not in call.body:
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


class Schedule:
    """Handles every call; the first fault that is due applies."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.hit = 0
        self._lock = threading.Lock()

    def answer(self, call: Call, forward: Forward) -> Answer:
        with self._lock:
            self.calls.append(call)
            due = [fault for fault in self.faults if fault.is_due(call)]
            self.hit += bool(due)
        return due[0].act(call, forward) if due else forward()


def reply(answer: Answer) -> Act:
    return lambda _call, _forward: answer


def reset(_call: Call, _forward: Forward) -> Answer:
    raise ResetError


def lose_reply(_call: Call, forward: Forward) -> Answer:
    """The call takes effect, but the reply is lost."""
    forward()
    raise ResetError


def before(hook: Callable[[Call], None]) -> Act:
    def act(call: Call, forward: Forward) -> Answer:
        hook(call)
        return forward()

    return act


def after(hook: Callable[[Call], None]) -> Act:
    def act(call: Call, forward: Forward) -> Answer:
        answer = forward()
        hook(call)
        return answer

    return act


def cut(share: float) -> Act:
    """The reply breaks off after this share of its body."""

    def act(_call: Call, forward: Forward) -> Answer:
        answer = forward()
        return Answer(answer.status, answer.headers, answer.body, int(len(answer.body) * share))

    return act


def delay(seconds: float) -> Act:
    return before(lambda _call: time.sleep(seconds))
