"""A deployment as the command line sees it: its bucket and its jobs table, in AWS or in the embedded cloud."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from dropscore.aws.table import JobsTable
from dropscore.cli.options import Target
from dropscore.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Written by `dropscore local up`, removed by `dropscore local down`.
EMBEDDED_CLOUD = Path(__file__).resolve().parents[2] / ".dropscore" / "local" / "cloud.json"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    s3: S3Client
    bucket: str
    table: JobsTable


def deployment(target: Target) -> Deployment:
    return _embedded() if target.local else _in_aws(target)


def _embedded() -> Deployment:
    try:
        cloud = json.loads(EMBEDDED_CLOUD.read_text())
    except FileNotFoundError:
        raise ConfigurationError("no embedded cloud is running; start one with `dropscore local up`") from None
    session = boto3.Session(
        aws_access_key_id=cloud["access_key_id"],
        aws_secret_access_key=cloud["secret_access_key"],
        region_name=cloud["region"],
    )
    return _deployment(session, cloud["outputs"], endpoint_url=cloud["endpoint_url"])


def _in_aws(target: Target) -> Deployment:
    session = boto3.Session(profile_name=target.profile, region_name=target.region)
    stack = f"dropscore-{target.env or 'dev'}-storage"
    try:
        found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            raise ConfigurationError(
                f"there is no stack {stack} in {session.region_name}; deploy it, or name another by --env and --region"
            ) from None
        raise
    return _deployment(session, {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])})


def _deployment(session: boto3.Session, outputs: dict[str, str], **client: Any) -> Deployment:
    table = session.resource("dynamodb", **client).Table(outputs["JobsTableName"])
    return Deployment(s3=session.client("s3", **client), bucket=outputs["BucketName"], table=JobsTable(table))
