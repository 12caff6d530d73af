"""cdk-nag runs during the synth, in the app itself; this reads its report."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tools.checks.findings import Finding
from tools.checks.subject import Assembly, Subject

REPORT = "validation-report.json"


def check(subject: Subject) -> list[Finding]:
    return [finding for assembly in subject.assemblies for finding in _reported(assembly)]


def _reported(assembly: Assembly) -> Iterator[Finding]:
    report = assembly.outdir / REPORT
    if not report.exists():  # written only if there are findings
        return
    for plugin in json.loads(report.read_text())["pluginReports"]:
        for violation in plugin["violations"]:
            for place in violation["violatingConstructs"]:
                path = place["constructPath"].removesuffix("/Resource")
                yield Finding("nag", violation["ruleName"], path, violation["description"], assembly.label)
