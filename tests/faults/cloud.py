"""S3 and DynamoDB (moto) behind a wire that can fail, with a witness of everything that was ever seen under output/."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber
from moto.s3.models import s3_backends

from tests.faults.schedule import Answer, Call

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client

BUCKET, TABLE, REGION, ACCOUNT = "bucket", "jobs", "us-east-1", "123456789012"
KEY_LIMIT_BYTES = 1024
_DYNAMODB = "application/x-amz-json-1.0"


class Cloud:
    """One bucket and one table, made anew. Calls are served one at a time, as if each were atomic."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.s3: S3Client = _session().client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.table: Table = _made_table()
        self.states: dict[str, list[str]] = defaultdict(list)
        self.witnessed: dict[tuple[str, str], set[bytes]] = defaultdict(set)

    def answer(self, call: Call) -> Answer:
        """What moto answers; then what it wrote is looked at, as a reader would."""
        host = (
            f"s3.{REGION}.amazonaws.com" if "X-Amz-Target" not in call.headers else f"dynamodb.{REGION}.amazonaws.com"
        )
        headers = HTTPHeaders()
        for name, value in {**call.headers, "Host": host}.items():
            headers[name] = value
        request = AWSPreparedRequest(call.method, f"https://{host}{call.target}", headers, call.body, False)
        if "X-Amz-Target" not in call.headers and len(call.key.encode()) > KEY_LIMIT_BYTES:
            return s3_error(400, "KeyTooLongError", "Your key is too long")  # moto takes any
        with self.lock:
            answered = botocore_stubber.process_request(request)
            assert answered is not None, f"moto does not know {call.operation}"
            if call.operation in ("PutItem", "UpdateItem"):
                self._witness_state(call.key)
            elif call.method in ("PUT", "POST"):
                self.witness(call.key)
        status, replied, body = answered
        kept = {name: str(value) for name, value in replied.items() if name.lower() not in ("content-length", "date")}
        if call.method == "HEAD" and "content-length" in {name.lower() for name in replied}:
            kept["Content-Length"] = str(next(v for n, v in replied.items() if n.lower() == "content-length"))
        return Answer(int(status), kept, body.encode() if isinstance(body, str) else bytes(body))

    def witness(self, key: str) -> None:
        """Remembers what any reader could see there at this moment, just after a write."""
        with self.lock:
            keys = _bucket().keys
            for version in keys.getlist(key) if key.startswith("output/") and key in keys else ():
                self.witnessed[key, _owner(version)].add(version.value)

    def _witness_state(self, job_id: str) -> None:
        status = self.table.get_item(Key={"job_id": job_id}).get("Item", {}).get("status")
        if status is not None and self.states[job_id][-1:] != [status]:
            self.states[job_id].append(str(status))

    def outputs(self) -> dict[str, list[tuple[str, bytes]]]:
        """Of each key under output/: the job and the bytes of every version."""
        with self.lock:
            found = _versions("output/")
            return {key: [(_owner(v), v.value) for v in vs] for key, vs in found.items()}

    def uploads_left(self) -> int:
        with self.lock:
            return len(_bucket().multiparts)

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: Any = {}
        with self.lock:
            while True:
                page = self.table.scan(ConsistentRead=True, **more)
                found += page["Items"]
                if "LastEvaluatedKey" not in page:
                    return found
                more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def put(self, key: str, data: bytes) -> str:
        with self.lock:
            return self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"]

    def replace(self, key: str, version_id: str, data: bytes) -> None:
        """Other bytes, and another ETag, under the same version id."""
        with self.lock:
            self.put(key, data)
            versions = _bucket().keys.getlist(key)
            new = versions.pop()
            new._version_id = version_id
            versions[:] = [new]

    def purge(self, key: str, version_id: str) -> None:
        with self.lock:
            self.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version_id)


@cache
def _session() -> boto3.Session:
    """One for all cases: it keeps what it has read of each service."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


def _bucket() -> Any:
    return s3_backends[ACCOUNT]["aws"].buckets[BUCKET]


def _owner(version: Any) -> str:
    """The job that published it."""
    return str(version.metadata.get("x-amz-meta-job-id", ""))


def _versions(prefix: str) -> dict[str, list[Any]]:
    keys = _bucket().keys
    return {key: keys.getlist(key) for key in list(keys) if key.startswith(prefix)}


def _made_table() -> Table:
    texts = ("job_id", "file", "status", "submitted_at")
    return (
        _session()
        .resource("dynamodb")
        .create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in texts],
            KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[_index("file"), _index("status")],
        )
    )


def _index(attribute: str) -> Any:
    keys = (attribute, "HASH"), ("submitted_at", "RANGE")
    return {
        "IndexName": f"by_{attribute}",
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        "Projection": {"ProjectionType": "ALL"},
    }


def s3_error(status: int, code: str, message: str = "said S3") -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def dynamodb_error(status: int, code: str, message: str = "said DynamoDB") -> Answer:
    said = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Answer(status, {"Content-Type": _DYNAMODB}, json.dumps(said).encode())


def object_created(key: str, version_id: str, size_bytes: int) -> dict[str, Any]:
    """EventBridge's event, as far as anyone reads it."""
    thing = {"key": key, "size": size_bytes, "etag": quote(version_id), "version-id": version_id}
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": BUCKET}, "object": thing}}
