"""What the policies of every combination allow, and what the permission checks find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.checks.checkers import permissions
from tools.checks.documents import documents
from tools.checks.matrix import sample
from tools.checks.programs import linter
from tools.checks.running import with_templates
from tools.checks.subject import Assembly, Subject

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "a"}, "Action": "sts:AssumeRole"}]
        }
    },
}


def subject(folder: Path, *statements: dict[str, Any], resource_type: str = "AWS::IAM::Policy") -> Subject:
    policy = {"Type": resource_type, "Properties": {"PolicyDocument": {"Statement": list(statements)}}}
    template = {"Resources": {"Role": ROLE, "Policy": policy}}
    (folder / "Stack.template.json").write_text(json.dumps(template))
    return Subject(assemblies=[Assembly("test", folder)])


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/input/*", **more}


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (allow(Action=["s3:GetObject", "s3:Put*"]), "wildcard-action s3:Put*"),
        (allow(Resource="*"), "any-resource s3:GetObject"),
        (allow(Resource=["arn:aws:s3:::b", "*"]), "any-resource s3:GetObject"),
        (allow(NotResource="arn:aws:s3:::b"), "by-exclusion NotResource"),
        ({"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": "arn:aws:s3:::b"}, "by-exclusion NotAction"),
    ],
)
def test_what_allows_too_much_is_found(tmp_path: Path, statement: dict[str, Any], rule: str) -> None:
    found = permissions.check(subject(tmp_path, allow(), statement))
    assert [(each.rule, each.place) for each in found] == [(rule, "Stack/Policy")]


@pytest.mark.parametrize(
    "statement",
    [
        allow(),
        {**allow(Action="s3:*", Resource="*"), "Effect": "Deny"},
        allow(Action="ecr:GetAuthorizationToken", Resource="*"),
    ],
)
def test_what_does_not_is_let_pass(tmp_path: Path, statement: dict[str, Any]) -> None:
    assert permissions.check(subject(tmp_path, statement)) == []


def test_a_policy_at_a_resource_may_name_any(tmp_path: Path) -> None:
    statement = allow(Principal="*", Resource="*")
    assert permissions.check(subject(tmp_path, statement, resource_type="AWS::EC2::VPCEndpoint")) == []


def test_every_kind_of_policy_is_seen(tmp_path: Path) -> None:
    places = [(each.place, each.is_identity_policy) for each in documents(subject(tmp_path, allow()).assemblies)]
    assert places == [("Stack/Role", False), ("Stack/Policy", True)]


def test_a_policy_written_as_text_is_seen_too(tmp_path: Path) -> None:
    text = json.dumps({"Statement": [allow(Principal={"Service": "es.amazonaws.com"})]})
    resource = {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyDocument": text}}
    (tmp_path / "Stack.template.json").write_text(json.dumps({"Resources": {"Policy": resource}}))
    (document,) = documents([Assembly("test", tmp_path)])
    assert document.statements[0]["Action"] == "s3:GetObject"


def test_the_list_of_actions_without_a_resource_is_what_the_stacks_need(tmp_path: Path) -> None:
    """A missing action is a finding; this test finds a superfluous one."""
    whole = with_templates(Subject(), sample(), tmp_path)
    assert permissions.allowed_anywhere(whole) == permissions.WITHOUT_RESOURCE
    assert {each.rule for each in permissions.check(whole)} <= {"wildcard-action kms:*"}


def test_an_action_on_that_list_knows_no_resource() -> None:
    library = next(Path(linter("parliament")).parents[1].glob("lib/python*/site-packages/parliament"))
    services = json.loads((library / "iam_definition.json").read_text())
    resources = {
        f"{service['prefix']}:{privilege['privilege']}": {each["resource_type"] for each in privilege["resource_types"]}
        for service in services
        for privilege in service["privileges"]
    }
    scoped = {action: resources[action] - {""} for action in permissions.WITHOUT_RESOURCE}
    assert scoped == {action: set() for action in permissions.WITHOUT_RESOURCE}
