"""Our permission rules: no wildcard actions, and `Resource: *` only for actions without resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.checks.documents import Document, documents, listed
from tools.checks.findings import Finding
from tools.checks.subject import Subject

WITHOUT_RESOURCE = frozenset(
    {
        "batch:DescribeJobs",
        "cloudwatch:GetMetricData",
        "cloudwatch:PutMetricData",
        "dynamodb:ListStreams",
        "ecr:GetAuthorizationToken",
        "ecs:DiscoverPollEndpoint",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)
"""The only actions allowed with `Resource: *`; a test compares them with IAM's definitions."""


def check(subject: Subject) -> list[Finding]:
    return [finding for document in documents(subject.assemblies) for finding in _findings(document)]


def allowed_anywhere(subject: Subject) -> set[str]:
    """The actions that any policy allows on `*`."""
    return {action for document in documents(subject.assemblies) for action in _anywhere(document)}


def _findings(document: Document) -> Iterator[Finding]:
    for statement in _allowing(document):
        for action in listed(statement.get("Action", [])):
            if "*" in action:
                yield _finding(f"wildcard-action {action}", document, "name the actions")
        for way in sorted({"NotAction", "NotResource", "NotPrincipal"} & statement.keys()):
            yield _finding(f"by-exclusion {way}", document, "list what is allowed instead of exceptions")
    for action in _anywhere(document):
        if action not in WITHOUT_RESOURCE:
            yield _finding(f"any-resource {action}", document, "name the resources, or add it to WITHOUT_RESOURCE")


def _finding(rule: str, document: Document, message: str) -> Finding:
    return Finding("permissions", rule, document.place, message, document.origin)


def _anywhere(document: Document) -> Iterator[str]:
    """Identity policies only: in a resource policy `*` means that resource; cfn-guard checks those of VPC endpoints."""
    if document.is_identity_policy:
        for statement in _allowing(document):
            if "*" in listed(statement.get("Resource", [])):
                yield from listed(statement.get("Action", []))


def _allowing(document: Document) -> Iterator[dict[str, Any]]:
    return (statement for statement in document.statements if statement["Effect"] == "Allow")
