from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from tests.stacks.building import ROOT, Templates, build_templates

Finding = tuple[str, str]


def findings(outdir: Path) -> set[Finding]:
    """(rule, construct path) of every finding in the report that a failed synth leaves."""
    reports = json.loads((outdir / "validation-report.json").read_text())["pluginReports"]
    return {
        (violation["ruleName"], place["constructPath"])
        for report in reports
        for violation in report["violations"]
        for place in violation["violatingConstructs"]
    }


def test_a_naive_stack_does_not_pass(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Naive")
    s3.Bucket(stack, "Open")
    sqs.Queue(stack, "Plain")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    rules = {rule for rule, _ in findings(tmp_path)}
    assert {"AwsSolutions-S1", "AwsSolutions-S10", "AwsSolutions-SQS3", "AwsSolutions-SQS4"} <= rules


def test_every_accepted_finding_is_found_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[tuple[str, str, str]] = []

    def note(resource: object, finding: str, reason: str) -> None:
        accepted.append((finding, resource.node.path, reason))  # type: ignore[attr-defined]

    for module in ("review", "storage"):
        monkeypatch.setattr(f"stacks.{module}.accept", note)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        build_templates(tmp_path, {})
    found = findings(tmp_path / "cdk.out")
    assert len(accepted) <= 16
    assert len({(rule, place) for rule, place, _ in accepted}) == len(accepted)
    for rule, place, reason in accepted:
        assert len(reason) > 60
        assert [each for each in found if each[0] == rule and each[1].startswith(place)], f"{rule} on {place}"
    assert len(found) == len(accepted)


def test_the_templates_are_lint_free(templates: Templates) -> None:
    files = [str(templates.outdir / f"{stack}.template.json") for stack in ("Storage", "Hosting", "Scoring")]
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "--config-file", str(ROOT / ".cfnlintrc"), "--", *files]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
