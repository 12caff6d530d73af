"""Log lines: one JSON object each, on standard output, for CloudWatch Logs Insights. Never row content.

Every line has `time`, `level` and `event`, and the fields of every `about` around it: `job_id` joins the lines of
functions and workers. docs/monitoring.md lists the fields.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType

from dropscore.clock import now

INFO, WARNING, ERROR = "INFO", "WARNING", "ERROR"
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Adds these fields to every line that is written in the block; fields that are None are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    token = _about.set({**_about.get(), **present})
    try:
        yield
    finally:
        _about.reset(token)


def invocation(context: object) -> AbstractContextManager[None]:
    """`about` for one invocation of a Lambda: its request id joins these lines with Lambda's own, and with traces."""
    return about(request_id=getattr(context, "aws_request_id", None))


def log(event: str, level: str = INFO, /, **fields: object) -> None:
    """Writes one line. Does not raise if standard output cannot be written."""
    line = json.dumps({"time": now(), "level": level, "event": event, **_about.get(), **fields}, default=str)
    # A log that cannot be written (full disk, closed pipe) must not fail a job. Python raises RuntimeError if a
    # signal handler logs in the middle of another line.
    with suppress(OSError, ValueError, RuntimeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
