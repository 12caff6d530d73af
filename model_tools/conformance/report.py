"""Report findings as a table for people, or as JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from dropscore.cli.output import cell, write, write_table
from model_tools.conformance.findings import Finding
from model_tools.conformance.outcomes import Outcome

COLORS = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.SKIP: "yellow"}


def is_good(findings: Sequence[Finding]) -> bool:
    return all(finding.outcome is not Outcome.FAIL for finding in findings)


def as_dict(target: str, findings: Sequence[Finding]) -> dict[str, Any]:
    return {"target": target, "passed": is_good(findings), "findings": [asdict(finding) for finding in findings]}


def print_table(findings: Sequence[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for least in (4, 15, None):
        table.add_column(min_width=least, overflow="fold")
    for finding in findings:
        text = cell(finding.what, keep="\n")
        if finding.outcome is Outcome.FAIL:
            text.append(cell(f"\nrequirement: {finding.demands}\nfix: {finding.do}", keep="\n"))
        elif finding.do:
            text.append(cell(f"\nadvice: {finding.do}", "dim", keep="\n"))
        table.add_row(cell(finding.outcome, COLORS[finding.outcome]), cell(finding.check), text)
    write_table(table)
    write(_total(findings))


def _total(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.outcome for finding in findings)
    return f"{counts[Outcome.PASS]} passed, {counts[Outcome.FAIL]} failed, {counts[Outcome.SKIP]} skipped"
