"""Users with their own access keys, for the command line and for boto3 clients."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.deployment.account import REGION
from tests.e2e.conftest import Driver

COMMAND = str(Path(sys.executable).with_name("dropscore"))


@dataclass(frozen=True)
class Person:
    """A user with access keys, for the command line and for boto3 clients."""

    driver: Driver
    keys: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.driver.cloud.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            **{name.upper(): value for name, value in self.keys.items()},
        }
        return subprocess.run([COMMAND, *arguments], env=environ, capture_output=True, text=True, check=False)

    def run_allowed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_denied(self, *arguments: str) -> str:
        """The command fails and names the missing permission."""
        done = self.run(*arguments)
        assert done.returncode == 4, (done.stdout, done.stderr)
        assert "is not authorized to perform" in done.stderr
        return done.stderr

    def client(self, service: str) -> Any:
        return self.driver.cloud.client(service, **self.keys)


def user(driver: Driver, **policies: str) -> Person:
    """Creates a user with the managed policies whose ARNs are in these stack outputs."""
    iam, name = driver.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    for output in policies.values():
        iam.attach_user_policy(UserName=name, PolicyArn=driver.cloud.outputs[output])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(driver, {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]})


def assumed(person: Person | Driver, role_arn: str) -> dict[str, str]:
    given = person.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="e2e")["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
