"""The one account and region that the embedded cloud has, and clients for it."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROOT = {"access_key_id": "test", "secret_access_key": "test"}


def client(service: str, endpoint_url: str, **credentials: str) -> Any:
    """A boto3 client for the embedded cloud, as root unless `credentials` name somebody else."""
    keys = credentials or {f"aws_{name}": value for name, value in ROOT.items()}
    session = boto3.Session(region_name=REGION, **keys)  # type: ignore[arg-type]
    config = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60)
    return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
