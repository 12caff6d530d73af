"""Our own law of permissions: no action by wildcard, and any resource only where the action knows none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.checks.documents import Document, documents, listed
from tools.checks.findings import Finding
from tools.checks.subject import Subject

KNOW_NO_RESOURCE = frozenset(
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
"""The whole list of actions that may stand beside `Resource: *`; a test asks IAM's definitions about each."""


def check(subject: Subject) -> list[Finding]:
    return [finding for document in documents(subject.assemblies) for finding in _findings(document)]


def allowed_anywhere(subject: Subject) -> set[str]:
    """The actions that some policy allows on `*`."""
    return {action for each in documents(subject.assemblies) for action in _anywhere(each)}


def _findings(document: Document) -> Iterator[Finding]:
    for statement in _allowing(document):
        for action in listed(statement.get("Action", [])):
            if "*" in action:
                yield _finding(f"wildcard-action {action}", document, "name the actions")
        for way in sorted({"NotAction", "NotResource", "NotPrincipal"} & statement.keys()):
            yield _finding(f"by-exclusion {way}", document, "say what is allowed, not what is not")
    for action in _anywhere(document):
        if action not in KNOW_NO_RESOURCE:
            yield _finding(f"any-resource {action}", document, "name the resources, or add it to KNOW_NO_RESOURCE")


def _finding(rule: str, document: Document, message: str) -> Finding:
    return Finding("permissions", rule, document.place, message, document.origin)


def _anywhere(document: Document) -> Iterator[str]:
    """In a policy that stands at a resource, `*` is held to that resource; cfn-guard looks at those of endpoints."""
    if document.is_of_identity:
        for statement in _allowing(document):
            if "*" in listed(statement.get("Resource", [])):
                yield from listed(statement.get("Action", []))


def _allowing(document: Document) -> Iterator[dict[str, Any]]:
    return (statement for statement in document.statements if statement["Effect"] == "Allow")
