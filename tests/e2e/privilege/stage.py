"""The scenarios' context: the cloud, and uploads without events."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dropscore.aws.items import item_of
from dropscore.jobs.job import Job, State, job_id
from local.one_shot import deployment
from tests.e2e.conftest import Driver


@dataclass(frozen=True, eq=False)
class ScenarioContext:
    driver: Driver
    sample: list[bytes]

    def put(
        self, route: str, body: bytes, ending: str = ".csv", job_options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], str]:
        """Uploads a file without an event. Returns its event and the id of its job."""
        key, s3 = f"input/{route}{uuid.uuid4().hex}{ending}", self.driver.client("s3")
        if job_options:
            s3.put_object(Bucket=self.driver.bucket, Key=f"{key}.job.json", Body=json.dumps(job_options).encode())
        put = s3.put_object(Bucket=self.driver.bucket, Key=key, Body=body)
        thing = {"key": key, "version-id": put["VersionId"], "size": len(body)}
        event = {"source": "aws.s3", "detail": {"bucket": {"name": self.driver.bucket}, "object": thing}}
        return event, job_id(self.driver.bucket, key, put["VersionId"])

    def logs(self) -> str:
        """The logs of all functions, jobs and models."""
        files = sorted(self.driver.cloud.home.rglob("*.log"))
        return "".join(file.read_text(errors="replace") for file in files)

    def small(self) -> bytes:
        return b"\n".join(self.sample[:3]) + b"\n"

    def invoke(self, function: str, event: Mapping[str, Any]) -> None:
        self.answer(function, event)

    def answer(self, function: str, event: Mapping[str, Any]) -> Any:
        name = self.driver.cloud.outputs[f"{function}FunctionName"]
        answer = self.driver.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        payload = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, payload
        return json.loads(payload)

    def scored(self, route: str = "", body: bytes | None = None) -> Job:
        event, identity = self.put(route, body or self.small())
        self.invoke("Submit", event)
        return self.succeeded(identity)

    def succeeded(self, identity: str) -> Job:
        job = self.driver.ended(identity)
        assert job.status is State.SUCCEEDED, f"{job.code}: {job.message}"
        return job

    def write(self, job: Job) -> None:
        deployment(self.driver.cloud).table.resource.put_item(Item=item_of(job))


Scenario = Callable[[ScenarioContext], None]
