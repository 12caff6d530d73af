"""The roles that the stacks gave to the embedded cloud, permission by permission, and how to take one away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Hands


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource, as one statement of a role's policy grants it."""

    role: str
    """The role's logical id, without the hash that CDK puts at its end."""
    action: str
    resource: str
    name: str
    """The role's name in the embedded cloud."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}"


def granted(hands: Hands) -> list[Permission]:
    """All of them, of all roles of all stacks."""
    return sorted(
        Permission(role, action, resource, name)
        for role, name in _roles(hands)
        for document in _policies(hands.client("iam"), name).values()
        for statement in document["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    )


@contextmanager
def withheld(hands: Hands, permission: Permission) -> Iterator[None]:
    """The role without this permission, for the time of a `with`."""
    iam = hands.client("iam")
    kept = _policies(iam, permission.name)
    try:
        for name, document in kept.items():
            left = [each for statement in document["Statement"] for each in _reduced(statement, permission)]
            _put(iam, permission.name, name, {**document, "Statement": left})
        yield
    finally:
        for name, document in kept.items():
            _put(iam, permission.name, name, document)


def _reduced(statement: dict[str, Any], gone: Permission) -> Iterator[dict[str, Any]]:
    """The statement as up to two: the other actions on all its resources, and this one on the others."""
    actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
    if gone.action not in actions or gone.resource not in resources:
        yield statement
        return
    others = [action for action in actions if action != gone.action]
    elsewhere = [resource for resource in resources if resource != gone.resource]
    if others:
        yield {**statement, "Action": others}
    if elsewhere:
        yield {**statement, "Action": [gone.action], "Resource": elsewhere}


def _put(iam: Any, role: str, policy: str, document: dict[str, Any]) -> None:
    if document["Statement"]:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    else:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)


def _policies(iam: Any, role: str) -> dict[str, dict[str, Any]]:
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def _roles(hands: Hands) -> Iterator[tuple[str, str]]:
    cloudformation = hands.client("cloudformation")
    for stack in json.loads((hands.cloud.home / "deployed.json").read_text()):
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
            if resource["ResourceType"] == "AWS::IAM::Role":
                yield re.sub(r"[0-9A-F]{8}$", "", resource["LogicalResourceId"]), resource["PhysicalResourceId"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
