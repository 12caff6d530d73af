"""Identifies callers, checks permissions and assumes the roles of jobs and models, all through the emulator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

from local.deployment.account import ACCOUNT, REGION, call, client
from local.emulator.authentication import prove
from local.emulator.signature import Request
from local.shim.errors import AwsError, access_denied

ASSUMED = re.compile(r"arn:aws:sts::\d+:assumed-role/([^/]+)/")


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role."""

    role_arn: str
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str

    def keys(self) -> dict[str, str]:
        return {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_session_token": self.token,
        }


class Authority:
    """The emulator's IAM and event bus, as the shim's services use them."""

    def __init__(self, emulator_url: str, root: Mapping[str, str]) -> None:
        self.emulator_url = emulator_url
        self._root = dict(root)
        self._iam = client("iam", emulator_url, **root)
        self._sts = client("sts", emulator_url, **root)
        # Roles change only with a deployment, which restarts the shim.
        self._role = cache(partial(_role, self._iam))

    def caller(self, request: Request) -> str:
        """The ARN of the principal that signed the request. The emulator verifies it, because it holds the secrets."""
        reply = self._call("caller", asdict(request))
        if "arn" not in reply:
            raise AwsError(403, reply["code"], reply["message"])
        return str(reply["arn"])

    def require(self, caller_arn: str, action: str, resource: str) -> None:
        """Raise AWS's AwsError unless `caller_arn` may do `action` on `resource`."""
        assumed = ASSUMED.match(caller_arn)
        if assumed is None and caller_arn.endswith(":root"):
            return
        principal = self._role(assumed[1])["Arn"] if assumed else caller_arn
        # One resource per call: the emulator evaluates only the first one.
        simulated = self._iam.simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=[action], ResourceArns=[resource]
        )
        decision = simulated["EvaluationResults"][0]["EvalDecision"]
        if decision != "allowed":
            raise access_denied(caller_arn, action, resource, decision)

    def assume(self, role_arn: str, service: str, session_name: str) -> Session:
        """Assume the role for `service`. Checks its trust policy, which the emulator ignores for root."""
        role = self._role(role_arn.rsplit("/", 1)[1])
        if not _trusts(role["AssumeRolePolicyDocument"], service):
            raise AwsError(
                403, "AccessDenied", f"{service} may not assume {role_arn}: the role's trust policy does not allow it"
            )
        # STS accepts session names of at most 64 characters.
        given = self._sts.assume_role(RoleArn=role_arn, RoleSessionName=session_name[:64])["Credentials"]
        return Session(
            role_arn,
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def deliver(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Put an event on the default bus as the AWS service `source`."""
        event = {"source": source, "detail-type": detail_type, "detail": detail, "resources": resources}
        self._call("events", {**event, "region": REGION, "account": ACCOUNT})

    def proof(self, authorization: str, body: bytes) -> str:
        """The proof that a reply comes from this cloud."""
        return prove(self._root["aws_secret_access_key"], authorization, body)

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        return call(f"{self.emulator_url}/_dropscore/{path}", self._root, body)


def _role(iam: Any, name: str) -> Any:
    return iam.get_role(RoleName=name)["Role"]


def _trusts(document: dict[str, Any], service: str) -> bool:
    return any(
        statement["Effect"] == "Allow" and service in _as_list(statement.get("Principal", {}).get("Service", []))
        for statement in document["Statement"]
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
