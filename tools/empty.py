"""Empties the buckets for `make destroy`, because CloudFormation does not delete a bucket with objects.

Access logs and trails arrive late: if CloudFormation refuses to delete one of their buckets, run this again. Does
nothing if `deploy.retain_data` is true (the buckets stay) or if no storage stack is deployed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from stacks.settings import Settings
from stacks.settings.problems import SettingsError

BUCKETS = ("BucketName", "TrailBucketName", "AccessLogBucketName")
"""Outputs of the storage stack: the bucket for files, then those for its trail and access logs."""

USERS = ("scoring", "hosting")
"""Stacks that use the bucket; while one exists, nothing is deleted."""


def main() -> int:
    try:
        deploy = Settings.load(Path(__file__).resolve().parents[1]).deploy
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    stack = deploy.stack_name("storage")
    if deploy.retain_data:
        print(f"deploy.retain_data is true: the data of {stack} is kept", file=sys.stderr)
    elif (outputs := _outputs(stack)) is None:
        print(f"there is no stack {stack}: nothing to empty", file=sys.stderr)
    elif users := [name for name in map(deploy.stack_name, USERS) if _outputs(name) is not None]:
        print(
            f"error: {' and '.join(users)} still use the bucket; delete them first, as `make destroy` does",
            file=sys.stderr,
        )
        return 1
    else:
        buckets = [outputs[name] for name in BUCKETS if name in outputs]
        if not _confirm(f"delete every version of every file in {' and '.join(buckets)} permanently? [yes/no] "):
            return 1
        _stop_recording(buckets)
        for bucket in buckets:
            _resource("s3").Bucket(bucket).object_versions.delete()
    return 0


def _outputs(stack: str) -> dict[str, str] | None:
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            return None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _stop_recording(buckets: Sequence[str]) -> None:
    """Stop logging, because deletions would write new logs into the buckets. Pending logs may still arrive."""
    cloudtrail = boto3.client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        if trail["S3BucketName"] in buckets:
            cloudtrail.stop_logging(Name=trail["TrailARN"])
    for bucket in buckets:
        boto3.client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


def _confirm(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _resource(service: str) -> Any:
    return boto3.resource(service)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
