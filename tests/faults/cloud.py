"""S3 and DynamoDB (moto) behind a connection that can fail; records all that readers of output/ could see."""

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
    """One new bucket and one new table. Calls run one at a time, as if each were atomic."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.s3: S3Client = _session().client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.table: Table = _made_table()
        self.states: dict[str, list[str]] = defaultdict(list)
        self.visible: dict[tuple[str, str], set[bytes]] = defaultdict(set)

    def answer(self, call: Call) -> Answer:
        """Returns moto's answer, after recording what a reader could see of the write."""
        host = (
            f"s3.{REGION}.amazonaws.com" if "X-Amz-Target" not in call.headers else f"dynamodb.{REGION}.amazonaws.com"
        )
        headers = HTTPHeaders()
        for name, value in {**call.headers, "Host": host}.items():
            headers[name] = value
        request = AWSPreparedRequest(call.method, f"https://{host}{call.target}", headers, call.body, False)
        if "X-Amz-Target" not in call.headers and len(call.key.encode()) > KEY_LIMIT_BYTES:
            return s3_error(400, "KeyTooLongError", "Your key is too long")  # moto accepts any key length
        with self.lock:
            answered = botocore_stubber.process_request(request)
            assert answered is not None, f"moto does not know {call.operation}"
            if call.operation in ("PutItem", "UpdateItem"):
                self._record_state(call.key)
            elif call.method in ("PUT", "POST"):
                self.record_visible(call.key)
        status, replied, body = answered
        kept = {name: str(value) for name, value in replied.items() if name.lower() not in ("content-length", "date")}
        if call.method == "HEAD" and "content-length" in {name.lower() for name in replied}:
            kept["Content-Length"] = str(next(v for n, v in replied.items() if n.lower() == "content-length"))
        return Answer(int(status), kept, body.encode() if isinstance(body, str) else bytes(body))

    def record_visible(self, key: str) -> None:
        """Records what a reader could see at this key just after a write."""
        with self.lock:
            keys = _bucket().keys
            for version in keys.getlist(key) if key.startswith("output/") and key in keys else ():
                self.visible[key, _owner(version)].add(version.value)

    def _record_state(self, job_id: str) -> None:
        status = self.table.get_item(Key={"job_id": job_id}).get("Item", {}).get("status")
        if status is not None and self.states[job_id][-1:] != [status]:
            self.states[job_id].append(str(status))

    def outputs(self) -> dict[str, list[tuple[str, bytes]]]:
        """For each key under output/: the job and the bytes of every version."""
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
        """Stores other bytes with another ETag under the same version id."""
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
    """One session for all cases: it caches the descriptions of the services."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


def _bucket() -> Any:
    return s3_backends[ACCOUNT]["aws"].buckets[BUCKET]


def _owner(version: Any) -> str:
    """The id of the job that published the version."""
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
        "KeySchema": [{"AttributeName": name, "KeyType": key_type} for name, key_type in keys],
        "Projection": {"ProjectionType": "ALL"},
    }


def s3_error(status: int, code: str, message: str = "error of S3") -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def dynamodb_error(status: int, code: str, message: str = "error of DynamoDB") -> Answer:
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Answer(status, {"Content-Type": _DYNAMODB}, json.dumps(error).encode())


def object_created(key: str, version_id: str, size_bytes: int) -> dict[str, Any]:
    """EventBridge's event, reduced to the fields that the code reads."""
    thing = {"key": key, "size": size_bytes, "etag": quote(version_id), "version-id": version_id}
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": BUCKET}, "object": thing}}
