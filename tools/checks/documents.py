"""Every policy in an assembly, of whatever kind, with concrete ARNs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.checks.rendering import Account
from tools.checks.subject import Assembly


@dataclass(frozen=True)
class Document:
    """One policy, and the resource that it stands in."""

    place: str
    origin: str
    statements: tuple[dict[str, Any], ...]

    @property
    def is_of_identity(self) -> bool:
        """Whether it says what someone may do; other policies say what may be done with the resource they are at."""
        return not any("Principal" in statement for statement in self.statements)


def documents(assemblies: Iterable[Assembly]) -> list[Document]:
    """Each policy once, though many combinations hold it."""
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
                    tuple(_completed(each, account, template.stack, name, resource["Type"]) for each in rendered),
                )


def _policies(value: Any) -> Iterator[list[Any]]:
    """The statements of every policy anywhere in a resource's properties."""
    match value:
        case {"Statement": statements}:
            yield listed(statements)
        case dict():
            for each in value.values():
                yield from _policies(each)
        case list():
            for each in value:
                yield from _policies(each)
        case str() if '"Statement"' in value:
            yield from _policies(json.loads(value))


def _completed(statement: dict[str, Any], account: Account, stack: str, name: str, kind: str) -> dict[str, Any]:
    """A trust policy names no resource, and a key's policy names `*`: both mean the one that they stand at."""
    if "Resource" not in statement and "NotResource" not in statement:
        return {**statement, "Resource": account.arn(name, stack)}
    if kind == "AWS::KMS::Key" and statement.get("Resource") == "*":
        return {**statement, "Resource": account.arn(name, stack)}
    return statement
