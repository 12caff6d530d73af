"""The clouds of the contract tests: moto in this process, and the embedded cloud's emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from dropscore.aws.table import JobsTable
from dropscore.jobs.job import Job, State
from local.cloud import bare_emulator
from local.deployment.account import REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The emulator alone, without a deployment. It ends with this process, even if this process is killed."""
    with bare_emulator(tmp_path_factory.mktemp("emulator")) as (url, root):
        yield {"endpoint_url": url, "region_name": REGION, **root}


@pytest.fixture(params=["moto", "emulator"])
def session(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Keyword arguments of boto3 clients for one of the clouds."""
    if request.param == "emulator":
        yield request.getfixturevalue("emulator")
        return
    with mock_aws():
        yield {"region_name": REGION}


@pytest.fixture
def s3(session: dict[str, Any]) -> S3Client:
    client: S3Client = boto3.client("s3", **session)
    return client


@pytest.fixture
def bucket(s3: S3Client) -> str:
    name = f"contract-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def table(session: dict[str, Any]) -> JobsTable:
    """A table with the schema that the storage stack defines."""
    dynamodb = boto3.resource("dynamodb", **session)
    texts = ("job_id", "file", "status", "submitted_at")
    made = dynamodb.create_table(
        TableName=f"jobs-{uuid.uuid4().hex[:12]}",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in texts],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[_index("file"), _index("status")],
    )
    return JobsTable(made)


def _index(attribute: str) -> Any:
    return {
        "IndexName": f"by_{attribute}",
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": "HASH"},
            {"AttributeName": "submitted_at", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }


@pytest.fixture
def broken_table(session: dict[str, Any]) -> JobsTable:
    return JobsTable(boto3.resource("dynamodb", **session).Table("nothing-here"))


@pytest.fixture
def job() -> Job:
    return Job(
        job_id="0123456789abcdef0123456789abcdef",
        file="input/a b/ü+%.csv",
        version_id="v1",
        route="default",
        model="fraud",
        model_version="0123456789ab",
        status=State.CLAIMED,
        submitted_at="2026-11-21T01:40:19.123Z",
        output_key="output/x.csv",
        size_bytes=12,
        expires_at=1_800_000_000,
    )
