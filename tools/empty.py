"""Empties the bucket before `make destroy`: CloudFormation deletes no bucket that still holds objects.

Does nothing where `deploy.keep_data` is true (then the bucket stays) or where no storage stack is deployed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from stacks.settings import Settings
from stacks.settings.complaints import SettingsError


def main() -> int:
    try:
        deploy = Settings.load(Path(__file__).resolve().parents[1]).deploy
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    stack = deploy.stack_name("storage")
    if deploy.keep_data:
        print(f"deploy.keep_data is true: what {stack} holds stays", file=sys.stderr)
    elif (bucket := _bucket(stack)) is None:
        print(f"there is no stack {stack}: nothing to empty", file=sys.stderr)
    elif _agreed(f"delete every version of every file in {bucket} for ever? [yes/no] "):
        _resource("s3").Bucket(bucket).object_versions.delete()
    else:
        return 1
    return 0


def _bucket(stack: str) -> str | None:
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            return None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}["BucketName"]


def _agreed(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _resource(service: str) -> Any:
    return boto3.resource(service)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
