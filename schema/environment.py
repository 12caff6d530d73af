"""Names of the environment variables that the stacks set and the runtime reads (dropscore/settings.py)."""

from __future__ import annotations

from typing import Final

BUCKET: Final = "BUCKET"
ENVIRONMENT: Final = "ENVIRONMENT"
FEATURE_NAMES_BUCKET: Final = "FEATURE_NAMES_BUCKET"
INPUTS: Final = "INPUTS"
JOB_DEFINITION: Final = "JOB_DEFINITION"
JOB_QUEUE: Final = "JOB_QUEUE"
JOB_TTL_DAYS: Final = "JOB_TTL_DAYS"
JOBS_TABLE: Final = "JOBS_TABLE"
MAX_CONCURRENT_REQUESTS: Final = "MAX_CONCURRENT_REQUESTS"
MODELS: Final = "MODELS"
RECONCILE_GRACE_MINUTES: Final = "RECONCILE_GRACE_MINUTES"
RECONCILE_WINDOW_HOURS: Final = "RECONCILE_WINDOW_HOURS"
ROUTES: Final = "ROUTES"
SHARD_BYTES: Final = "SHARD_BYTES"
WORKER_IMAGE: Final = "WORKER_IMAGE"
