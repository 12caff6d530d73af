"""Every policy in an assembly, with concrete ARNs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.checks.rendering import Account
from tools.checks.subject import Assembly


@dataclass(frozen=True)
class Document:
    """A policy and the resource that contains it."""

    place: str
    origin: str
    statements: tuple[dict[str, Any], ...]

    @property
    def is_identity_policy(self) -> bool:
        """Whether this is an identity policy; the others are resource policies."""
        return not any("Principal" in statement for statement in self.statements)


def documents(assemblies: Iterable[Assembly]) -> list[Document]:
    """The distinct policies of all assemblies."""
    found: dict[str, Document] = {}
    for assembly in assemblies:
        for document in _documents(assembly):
            found.setdefault(json.dumps([document.place, document.statements]), document)
    return list(found.values())


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _documents(assembly: Assembly) -> Iterator[Document]:
    account = Account.of(assembly)
    for template in assembly.templates:
        for name, resource in template.content["Resources"].items():
            for policy in _policies(resource.get("Properties", {})):
                rendered = account.render(policy, template.stack)
                yield Document(
                    f"{template.stack}/{name}",
                    assembly.label,
                    tuple(_completed(entry, account, template.stack, name, resource["Type"]) for entry in rendered),
                )


def _policies(value: Any) -> Iterator[list[Any]]:
    """The statements of every policy anywhere in a resource's properties."""
    match value:
        case {"Statement": statements}:
            yield listed(statements)
        case dict():
            for item in value.values():
                yield from _policies(item)
        case list():
            for item in value:
                yield from _policies(item)
        case str() if '"Statement"' in value:
            yield from _policies(json.loads(value))


def _completed(
    statement: dict[str, Any], account: Account, stack: str, name: str, resource_type: str
) -> dict[str, Any]:
    """Add the resource: trust policies name none and key policies name `*`, and both mean their own resource."""
    if "Resource" not in statement and "NotResource" not in statement:
        return {**statement, "Resource": account.arn(name, stack)}
    if resource_type == "AWS::KMS::Key" and statement.get("Resource") == "*":
        return {**statement, "Resource": account.arn(name, stack)}
    return statement
