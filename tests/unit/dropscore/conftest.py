"""A small AWS account in this process (moto): a bucket, the jobs table, and a model that can be told to fail."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from dropscore.aws.table import JobsTable
from dropscore.events.submit import Submitter, Upload
from dropscore.files.feature_names import digest_of
from dropscore.files.requests import split_rows
from dropscore.jobs.input_keys import Inputs
from dropscore.jobs.job import Job
from dropscore.jobs.options import Options
from dropscore.jobs.routes import Model, Route, StoredNames, manifest_key
from dropscore.output.manifest import Manifest
from dropscore.output.publish import Publication
from dropscore.scoring.pace import Retry
from dropscore.scoring.worker import Worker
from dropscore.settings import SubmitSettings, WorkerSettings
from schema.keys import INPUT_PATTERNS as NAMES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "bucket"
MODELS = {"fraud": Model(name="fraud", endpoint="endpoint", version="0123456789ab", max_payload_bytes=16)}


RETRY = Retry(attempts=3, sleep=lambda _: None)


class FakeModel:
    """Speaks as the SageMaker runtime client does. Scores a row by its own text; `fail` may raise instead."""

    def __init__(self) -> None:
        self.calls = 0
        self.version = ""
        self.names: tuple[str, ...] = ()
        self.is_by_digest = False
        self.fail: Callable[[bytes], None] = lambda _body: None

    def invoke_endpoint(self, *, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        self.fail(Body)
        names = f";feature-names={digest_of(self.names)}" if self.names else ""
        said = {"CustomAttributes": f"model-version={self.version}{names}"} if self.version else {}
        rows = [b"%d" % crc32(row) for row in split_rows(Body)] if self.is_by_digest else Body.split()
        return {"Body": io.BytesIO(b"".join(b"0.%s\n" % row for row in rows)), **said}


def model_error(status: int, said: object = "boom") -> ClientError:
    message = said if isinstance(said, str) else json.dumps(said)
    response: Any = {
        "Error": {"Code": "ModelError", "Message": f"Received client error ({status}) from primary: {message}"},
        "OriginalStatusCode": status,
        "OriginalMessage": message,
        "LogStreamArn": "arn:aws:logs:::log",
        "ResponseMetadata": {"HTTPStatusCode": 424},
    }
    return ClientError(response, "InvokeEndpoint")


def aws_error(code: str, message: str = "said", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")


class FakeBatch:
    def __init__(self) -> None:
        self.submitted: list[dict[str, Any]] = []

    def submit_job(self, **request: Any) -> dict[str, str]:
        self.submitted.append(request)
        return {"jobId": f"batch-{len(self.submitted)}"}


@dataclass
class Account:
    s3: S3Client
    table: JobsTable
    model: FakeModel = field(default_factory=FakeModel)
    batch: FakeBatch = field(default_factory=FakeBatch)
    options: Options = field(default_factory=Options)
    names: tuple[str, ...] = NAMES
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS)
    shard_bytes: int = 1 << 20
    priority: int = 9
    """Of the route `urgent`."""

    def deploy(self, *names: str, version: str = "0123456789ab") -> None:
        """A model whose features have these names, at the endpoint and for whoever is started from now on."""
        key = f"assets/{digest_of(names)}.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(names).encode())
        known = {"version": version, "features": len(names), "feature_names": StoredNames(BUCKET, key)}
        self.models = {"fraud": replace(MODELS["fraud"], max_payload_bytes=100, **known)}  # type: ignore[arg-type]
        self.model.version, self.model.names, self.model.is_by_digest = version, names, True

    def put(self, data: bytes, key: str = "input/a.csv") -> Upload:
        version = self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"]
        return Upload(bucket=BUCKET, key=key, version_id=version, size_bytes=len(data))

    def take(self, upload: Upload) -> str | None:
        return self.submitter().submit(upload)

    def submitter(self) -> Submitter:
        settings = SubmitSettings(
            jobs_table="jobs",
            bucket=BUCKET,
            environment="test",
            job_queue="queue",
            job_definition="definition",
            models=self.models,
            routes={
                "default": Route(name="default", model="fraud", options=self.options),
                "urgent": Route(name="urgent", model="fraud", options=self.options, priority=self.priority),
            },
            inputs=Inputs(self.names),
            job_ttl_days=1,
            shard_bytes=self.shard_bytes,
        )
        return Submitter(settings, self.table, self.batch, self.s3)  # type: ignore[arg-type]

    def worker(self, batch_job_id: str = "batch-1", attempt: int = 1) -> Worker:
        settings = WorkerSettings(
            jobs_table="jobs",
            bucket=BUCKET,
            environment="test",
            models=self.models,
            max_concurrent_requests=2,
            image="image",
            batch_job_id=batch_job_id,
            attempt=attempt,
        )
        return Worker(settings=settings, table=self.table, s3=self.s3, runtime=self.model, retry=RETRY)  # type: ignore[arg-type]

    def job(self, job_id: str) -> Job:
        job = self.table.find(job_id)
        assert job is not None
        return job

    def outputs(self) -> dict[str, bytes]:
        """All that is published, but for the manifests."""
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix="output/").get("Versions", [])
        keys = [version["Key"] for version in found]
        assert len(keys) == len(set(keys)), "an output has more than one version"
        return {key: self.read(key) for key in keys if not key.endswith(".manifest.json")}

    def finish(self, job: Job) -> Manifest | None:
        return Publication.of(self.s3, BUCKET, job).finish()

    def manifest(self, job: Job) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.read(manifest_key(job.output_key)))
        return said

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        table = boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="jobs",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("job_id", "status", "submitted_at")
            ],
            KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_status",
                    "KeySchema": [
                        {"AttributeName": "status", "KeyType": "HASH"},
                        {"AttributeName": "submitted_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield Account(s3, JobsTable(table))
