"""The permissions that the stacks grant in the embedded cloud, and a way to withhold one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Driver

Document = dict[str, Any]


@dataclass(frozen=True, order=True)
class Holder:
    """A role with its own policies, or a managed policy for users."""

    title: str
    """`<stack>.<logical id>`, without the hash that the CDK appends."""
    resource_type: str
    name: str
    """The role's name, or the policy's ARN."""


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource, granted by one statement."""

    holder: Holder
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.holder.title}: {self.action} on {self.resource}"


def granted(driver: Driver) -> list[Permission]:
    """All permissions of all stacks."""
    return sorted(
        Permission(holder, action, resource)
        for holder in _holders(driver)
        for document in _policies(driver.client("iam"), holder).values()
        for statement in document["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    )


@contextmanager
def withheld(driver: Driver, permission: Permission) -> Iterator[None]:
    """Withholds this permission during a `with`."""
    iam = driver.client("iam")
    kept = _policies(iam, permission.holder)
    try:
        for name, document in kept.items():
            left = [each for statement in document["Statement"] for each in _reduced(statement, permission)]
            _put(iam, permission.holder, name, {**document, "Statement": left})
        yield
    finally:
        for name, document in kept.items():
            _put(iam, permission.holder, name, document)


def _reduced(statement: Document, gone: Permission) -> Iterator[Document]:
    """Splits the statement: the other actions on all its resources, and this action on the other resources."""
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


def _put(iam: Any, holder: Holder, policy: str, document: Document) -> None:
    document_text = json.dumps(document)
    if holder.resource_type == "AWS::IAM::ManagedPolicy":
        before = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=document_text, SetAsDefault=True)
        iam.delete_policy_version(PolicyArn=policy, VersionId=before)
    elif document["Statement"]:
        iam.put_role_policy(RoleName=holder.name, PolicyName=policy, PolicyDocument=document_text)
    else:
        iam.delete_role_policy(RoleName=holder.name, PolicyName=policy)


def _policies(iam: Any, holder: Holder) -> dict[str, Document]:
    if holder.resource_type == "AWS::IAM::ManagedPolicy":
        version = iam.get_policy(PolicyArn=holder.name)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=holder.name, VersionId=version)["PolicyVersion"]["Document"]
        return {holder.name: json.loads(document) if isinstance(document, str) else document}
    names = iam.list_role_policies(RoleName=holder.name)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=holder.name, PolicyName=name)["PolicyDocument"] for name in names}


def _holders(driver: Driver) -> Iterator[Holder]:
    cloudformation = driver.client("cloudformation")
    for stack in json.loads((driver.cloud.home / "deployed.json").read_text()):
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
            if resource["ResourceType"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
                logical_id = re.sub(r"[0-9A-F]{8}$", "", resource["LogicalResourceId"])
                title = f"{stack.rpartition('-')[2]}.{logical_id}"
                yield Holder(title, resource["ResourceType"], resource["PhysicalResourceId"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
