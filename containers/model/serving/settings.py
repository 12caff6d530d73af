"""The server's settings, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def cores() -> int:
    """Return the cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`running` requests are scored at once and `waiting` more may queue; `model_dir` holds the unpacked artifact."""

    host: str
    port: int
    model_dir: Path
    model_sha256: str | None
    max_body_bytes: int
    running: int
    waiting: int
    transfer_seconds: float

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        running = int(env.get("MAX_RUNNING", cores()))
        return cls(
            host=env.get("DROPSCORE_BIND_HOST", "0.0.0.0"),  # noqa: S104  SageMaker connects from outside the container
            port=int(env.get("SAGEMAKER_BIND_TO_PORT", "8080")),
            model_dir=Path(env.get("SM_MODEL_DIR", "/opt/ml/model")),
            model_sha256=env.get("DROPSCORE_MODEL_SHA256"),
            max_body_bytes=int(env.get("MAX_BODY_BYTES", 6 * 1024 * 1024)),
            running=running,
            waiting=int(env.get("MAX_WAITING", 8 * running)),
            transfer_seconds=float(env.get("TRANSFER_SECONDS", 8)),
        )
