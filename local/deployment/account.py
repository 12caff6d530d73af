"""The embedded cloud's account and region, and clients for it."""

from __future__ import annotations

import json
import secrets
import urllib.request
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from dropscore.errors import CloudError
from local.emulator.authentication import prove

ACCOUNT = "000000000000"
REGION = "us-east-1"
HTTP_SECONDS = 30
Keys = dict[str, str]
"""Credentials, under boto3's parameter names."""


def new_root() -> Keys:
    """New random root credentials. MiniStack lets root do everything."""
    return {
        "aws_access_key_id": f"AKIA{secrets.token_hex(8).upper()}",
        "aws_secret_access_key": secrets.token_urlsafe(30),
    }


def client(service: str, endpoint_url: str, **keys: str) -> Any:
    """A boto3 client for the embedded cloud."""
    session = boto3.Session(region_name=REGION, **keys)  # type: ignore[arg-type]
    config = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60)
    return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]


def call(url: str, root: Keys, body: Any = None) -> Any:
    """Call one of the cloud's internal paths as root and return its JSON: a POST if there is a body, otherwise a GET.

    Raises OSError if the call fails, and CloudError if the reply does not come from this cloud.
    """
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest(method="GET" if data is None else "POST", url=url, data=data)
    # In the order of `new_root`: access key, then secret.
    SigV4Auth(Credentials(*root.values()), "dropscore", REGION).add_auth(request)
    plain = urllib.request.Request(url, data=data, headers=dict(request.headers))  # noqa: S310 - loopback
    with urllib.request.urlopen(plain, timeout=HTTP_SECONDS) as reply:  # noqa: S310
        text = reply.read()
    expected = prove(root["aws_secret_access_key"], request.headers["Authorization"], text)
    if not secrets.compare_digest(reply.headers.get("x-dropscore-proof", ""), expected):
        raise CloudError(f"another program replied at {url}; restart the embedded cloud with `dropscore local up`")
    return json.loads(text)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
