"""cfn-lint: every property of every resource against AWS's schemas; warnings count as findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.checks.findings import Finding
from tools.checks.programs import ROOT, cfn_lint, run
from tools.checks.subject import SUFFIX, Subject

ANY_OF_ITS_LEVELS = (0, 2, 4, 6, 8, 10, 12, 14)


def check(subject: Subject) -> list[Finding]:
    files = [str(template.path) for template in subject.templates]
    command = [cfn_lint(), "--config-file", str(ROOT / ".cfnlintrc"), "--format", "json", "--", *files]
    return [_finding(match) for match in json.loads(run(command, expected=ANY_OF_ITS_LEVELS) or "[]")]


def _finding(match: dict[str, Any]) -> Finding:
    path = Path(match["Filename"])
    resource = [str(part) for part in match["Location"].get("Path") or []][1:2]
    place = "/".join([path.name.removesuffix(SUFFIX), *resource])
    return Finding("lint", match["Rule"]["Id"], place, match["Message"], path.parent.name)
