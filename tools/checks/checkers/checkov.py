"""checkov: hundreds of rules for CloudFormation, run offline."""

from __future__ import annotations

import json
from pathlib import Path

from tools.checks.findings import Finding
from tools.checks.programs import checkov, run
from tools.checks.subject import SUFFIX, Subject


def check(subject: Subject) -> list[Finding]:
    command = [checkov(), "--directory", str(subject.folder), "--framework", "cloudformation", "--skip-download"]
    report = json.loads(run([*command, "--quiet", "--compact", "--output", "json"]))
    return [_finding(failed) for failed in report["results"]["failed_checks"]]


def _finding(failed: dict[str, str]) -> Finding:
    path = Path(failed["file_path"])
    resource = failed["resource"].rpartition(".")[2]
    place = f"{path.name.removesuffix(SUFFIX)}/{resource}"
    return Finding("checkov", failed["check_id"], place, failed["check_name"], path.parent.name)
