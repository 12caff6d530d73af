"""Empties the buckets for `make destroy`: CloudFormation deletes no bucket that still holds objects.

Access logs and trails come late: where one of their buckets is refused, run it again. Does nothing where
`deploy.retain_data` is true (then the buckets stay) or where no storage stack is deployed.
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
"""Outputs of the storage stack: the bucket of files, then those of what is recorded about it."""

USERS = ("scoring", "hosting")
"""Stacks that read and write the bucket: what they would lose is not deleted under them."""


def main() -> int:
    try:
        deploy = Settings.load(Path(__file__).resolve().parents[1]).deploy
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    stack = deploy.stack_name("storage")
    if deploy.retain_data:
        print(f"deploy.retain_data is true: what {stack} holds stays", file=sys.stderr)
    elif (outputs := _outputs(stack)) is None:
        print(f"there is no stack {stack}: nothing to empty", file=sys.stderr)
    elif users := [name for name in map(deploy.stack_name, USERS) if _outputs(name) is not None]:
        print(f"error: {' and '.join(users)} still use it; delete them first, as `make destroy` does", file=sys.stderr)
        return 1
    else:
        buckets = [outputs[name] for name in BUCKETS if name in outputs]
        if not _agreed(f"delete every version of every file in {' and '.join(buckets)} for ever? [yes/no] "):
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
    """Or emptying would itself be recorded, into buckets that are to be empty; what is on its way may still come."""
    cloudtrail = boto3.client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        if trail["S3BucketName"] in buckets:
            cloudtrail.stop_logging(Name=trail["TrailARN"])
    for bucket in buckets:
        boto3.client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


def _agreed(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _resource(service: str) -> Any:
    return boto3.resource(service)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
