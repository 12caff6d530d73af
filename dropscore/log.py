"""One JSON object a line on standard output: CloudWatch Logs Insights reads its fields. Never row content."""

from __future__ import annotations

import json
import sys

from dropscore.jobs import now


def log(event: str, **fields: object) -> None:
    print(json.dumps({"time": now(), "event": event, **fields}, default=str), file=sys.stdout, flush=True)
