"""The deployment under test, the sample file, and helpers for the checks. Nothing is deployed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dropscore.cli.deployment import Deployment, Scoring
from dropscore.jobs.job import Job, State, job_id
from schema.keys import INPUT
from tools.smoke.expected import Scores

POLL_SECONDS = 1.0


class UnmetError(Exception):
    """A failed check: the expected and the actual result."""


@dataclass(frozen=True)
class SmokeRun:
    """The state that the checks share. Files are under a prefix of this run, which `clear` empties."""

    deployment: Deployment
    sample: bytes
    expected: Scores | None
    """The sample's scores; None if they are unknown."""
    timeout_seconds: float
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    jobs: dict[str, Job] = field(default_factory=dict)
    """Jobs that earlier checks leave for later ones."""

    @property
    def scoring(self) -> Scoring:
        return self.deployment.find_scoring()

    def key(self, name: str) -> str:
        return f"{INPUT}smoke-{self.run_id}-{name}"

    def put(self, name: str, body: bytes, **more: Any) -> tuple[str, str]:
        """Upload a file; returns its version and its job's id."""
        key = self.key(name)
        version = self.deployment.s3.put_object(Bucket=self.deployment.bucket, Key=key, Body=body, **more)["VersionId"]
        return version, job_id(self.deployment.bucket, key, version)

    def ended(self, identity: str, *states: State) -> Job:
        """The job once it has ended, in one of these states. Raises UnmetError."""
        deadline = time.monotonic() + self.timeout_seconds
        while time.monotonic() < deadline:
            job = self.deployment.table.find(identity)
            if job is not None and job.status.is_final:
                expect(job.status in states, f"job {identity} ended {job.status}: {job.code}: {job.message}")
                return job
            time.sleep(POLL_SECONDS)
        raise UnmetError(
            f"job {identity} has not ended after {self.timeout_seconds:.0f} s; `dropscore status {identity}`"
        )

    def invoke(self, output: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function and return its result. Raises UnmetError."""
        scoring = self.scoring
        response = scoring.functions.invoke(FunctionName=scoring.outputs[output], Payload=json.dumps(event).encode())
        payload = response["Payload"].read().decode()
        expect("FunctionError" not in response, f"{output}: {payload}")
        return json.loads(payload)

    def read(self, key: str) -> bytes:
        body: bytes = self.deployment.s3.get_object(Bucket=self.deployment.bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        pages = self.deployment.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.deployment.bucket, Prefix=prefix
        )
        return [
            item["Key"] for page in pages for item in page.get("Contents", []) if f"smoke-{self.run_id}-" in item["Key"]
        ]

    def clear(self) -> None:
        """Delete this run's objects under input/ and output/; the bucket's lifecycle removes old versions."""
        for key in (*self.keys(self.key("")), *self.keys("output/")):
            self.deployment.s3.delete_object(Bucket=self.deployment.bucket, Key=key)


def expect(kept: bool, otherwise: str) -> None:
    if not kept:
        raise UnmetError(otherwise)
