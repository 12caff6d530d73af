"""Log one JSON object per line on stdout, which CloudWatch Logs can filter by field."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from datetime import UTC, datetime

_one_line_at_a_time = threading.Lock()


def log(event: str, **fields: object) -> None:
    """Print one event. Fields that are None are left out; no field may hold row content."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = json.dumps(
        {"time": now, "event": event} | {name: value for name, value in fields.items() if value is not None}
    )
    with _one_line_at_a_time, contextlib.suppress(OSError):  # a closed stdout must not end a request
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
