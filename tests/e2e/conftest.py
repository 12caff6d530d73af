"""One embedded cloud for the session, in a temporary folder, and a driver for it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dropscore.jobs.job import Job, job_id
from local.cloud import Clock, Cloud, throwaway
from local.one_shot import deployment

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build" / "demo"
SETTINGS = Path(__file__).with_name("small_shards.toml")
WAIT_SECONDS = 300.0
"""The longest wait for a state. No test needs it; a busy machine may."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    """Groups the tests for one process, so that a module's own cloud, and the shared one, deploy once."""
    is_shared = "cloud" in getattr(item, "fixturenames", ()) and "privilege" not in item.path.parts
    return "cloud" if is_shared else str(item.path.parent if "privilege" in item.path.parts else item.path)


@dataclass(frozen=True)
class Driver:
    """Uploads files, waits for jobs and reads their results."""

    cloud: Cloud

    @property
    def bucket(self) -> str:
        return self.cloud.outputs["BucketName"]

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def drop(self, key: str, body: bytes) -> str:
        """Uploads an object. Returns the id of the job for its version."""
        put = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return job_id(self.bucket, key, put["VersionId"])

    def find(self, identity: str) -> Job | None:
        return deployment(self.cloud).table.find(identity)

    def ended(self, identity: str, seconds: float = WAIT_SECONDS) -> Job:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.find(identity)
            if job is not None and job.status.is_final:
                return job
            time.sleep(0.1)
        raise AssertionError(f"job {identity} has not ended: {self.find(identity)}; logs: {self.cloud.home}/logs")

    def reconcile(self) -> dict[str, int]:
        """Invokes the function that the schedule invokes. Returns the counts of its repairs."""
        answer = self.client("lambda").invoke(FunctionName=self.cloud.outputs["ReconcileFunctionName"], Payload=b"{}")
        payload = answer["Payload"].read()
        assert "FunctionError" not in answer, payload
        found: dict[str, int] = json.loads(payload)
        return found

    def outputs(self, name: str) -> list[str]:
        """The keys under output/ that end with the input's name."""
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="output/").get("Contents", [])
        return [item["Key"] for item in listed if item["Key"].endswith(f"-{name}")]

    def read(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def batch_jobs(self, identity: str) -> list[dict[str, Any]]:
        batch = self.client("batch")
        listed = batch.list_jobs(
            jobQueue=self.cloud.outputs["JobQueueArn"], filters=[{"name": "JOB_NAME", "values": [f"score-{identity}"]}]
        )["jobSummaryList"]
        described: list[dict[str, Any]] = batch.describe_jobs(jobs=[job["jobId"] for job in listed])["jobs"]
        return described

    def role(self, logical_id: str) -> str:
        """The name of the scoring stack's role whose logical id starts with `logical_id`."""
        stack = next(name for name in json.loads((self.cloud.home / "deployed.json").read_text()) if "scoring" in name)
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        roles = [item for item in resources if item["ResourceType"] == "AWS::IAM::Role"]
        found = [item["PhysicalResourceId"] for item in roles if item["LogicalResourceId"].startswith(logical_id)]
        assert len(found) == 1, [item["LogicalResourceId"] for item in roles]
        return str(found[0])

    @contextmanager
    def without(self, role: str, action: str) -> Iterator[None]:
        """Removes every statement that allows `action` from the role's policies, during a `with`."""
        iam = self.client("iam")
        kept = {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        changed = 0
        try:
            for name, document in kept.items():
                statements = [
                    statement for statement in document["Statement"] if action not in _as_list(statement["Action"])
                ]
                changed += len(document["Statement"]) - len(statements)
                if statements:
                    left = json.dumps({**document, "Statement": statements})
                    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=left)
                else:
                    iam.delete_role_policy(RoleName=role, PolicyName=name)
            assert changed, f"{role} has no statement that allows {action}: {kept}"
            yield
        finally:
            for name, document in kept.items():
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def cloud_of(settings: Path, folder: Path) -> AbstractContextManager[Cloud]:
    """Starts a cloud in `folder` and deploys these settings."""
    return throwaway(folder, {**os.environ, "DROPSCORE_SETTINGS": str(settings)}, print, Clock())


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud_of(SETTINGS, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="session")
def driver(cloud: Cloud) -> Driver:
    return Driver(cloud)


@pytest.fixture(scope="session")
def sample() -> list[bytes]:
    """The rows of the demo model's sample, without line ends."""
    return (DEMO / "sample.csv").read_bytes().splitlines()
