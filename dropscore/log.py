"""One JSON object a line on standard output: CloudWatch Logs Insights reads its fields. Never row content.

Every line has `time`, `level` and `event`, and what `about` said of the work around it: `job_id` joins the lines of
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
    """Every line that is written within carries these fields; those that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    token = _about.set({**_about.get(), **known})
    try:
        yield
    finally:
        _about.reset(token)


def invocation(context: object) -> AbstractContextManager[None]:
    """`about` for one invocation of a Lambda: its request id joins our lines with Lambda's own, and with traces."""
    return about(request_id=getattr(context, "aws_request_id", None))


def log(event: str, level: str = INFO, /, **fields: object) -> None:
    line = json.dumps({"time": now(), "level": level, "event": event, **_about.get(), **fields}, default=str)
    # A log that nobody takes (a full disk, a closed pipe) is no reason to fail a job. RuntimeError is what a signal
    # handler gets that came in the middle of another line.
    with suppress(OSError, ValueError, RuntimeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
