"""Only services that act for this account may assume roles."""

from __future__ import annotations

import pytest

from tests.stacks.building import Json, Templates, listed, properties
from tests.stacks.conftest import Build

EVERYTHING: dict[str, object] = {
    "worker.compute": "ec2",
    "deploy.images": "codebuild",
    "models.fraud.capture_percent": 5,
    "storage.data_events": True,
}
FOR_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
WITHOUT_ACCOUNT = {
    "lambda.amazonaws.com": "Lambda documents no aws:SourceAccount for a function's own role.",
    "ec2.amazonaws.com": "An instance assumes its profile's role; EC2 sends no aws:SourceAccount.",
}
"""Services that do not send their account: a condition on it would deny them."""


def _trusts(templates: Templates) -> list[tuple[str, Json]]:
    """(role, statement) for every trust policy of every stack."""
    stacks = [templates.storage, templates.hosting, templates.scoring]
    return [
        (name, statement)
        for stack in stacks
        for name, role in properties(stack, "AWS::IAM::Role").items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("overrides", [{}, EVERYTHING])
def test_services_assume_roles_for_this_account_only(build_template: Build, overrides: dict[str, object]) -> None:
    found = set()
    for name, statement in _trusts(build_template(overrides)):
        for service in listed(statement["Principal"].get("Service", [])):
            found.add(service)
            expected = None if service in WITHOUT_ACCOUNT else FOR_THIS_ACCOUNT
            assert statement.get("Condition") == expected, f"{name} trusts {service}"
    assert found >= {"ecs-tasks.amazonaws.com", "sagemaker.amazonaws.com", "vpc-flow-logs.amazonaws.com"}
