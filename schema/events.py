"""Events that Dropscore publishes on EventBridge's default bus; docs/job-event.schema.json describes their detail."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "dropscore"
JOB_SUCCEEDED: Final = "Job Succeeded"
JOB_FAILED: Final = "Job Failed"
JOB_REJECTED: Final = "Job Rejected"
