"""Every metric that Dropscore's processes write, and its unit; docs/monitoring.md explains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Dropscore"
UNITS: Final[Mapping[str, str]] = {
    # of a worker, by environment and model
    "Rows": "Count",
    "RowsRejected": "Count",
    "Requests": "Count",
    "Bytes": "Bytes",
    "Latency": "Milliseconds",
    "Retries": "Count",
    "Throttles": "Count",
    "ConcurrentRequests": "Count",
    "ShardsDone": "Count",
    "QueueTime": "Seconds",
    "WorkerTime": "Seconds",
    # of `announce`, by environment and model
    "JobsSucceeded": "Count",
    "JobsFailed": "Count",
    "JobsRejected": "Count",
    "JobTime": "Seconds",
    # of `reconcile`, by environment
    "OldestUnfinished": "Seconds",
    "OldestWaiting": "Seconds",
    "ReconcileRepairs": "Count",
    "RepairsFailed": "Count",
}
