"""Findings for people, who want to know what to do, and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.checking.findings import Finding, Outcome

COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.SKIP: "yellow"}


def is_good(findings: Sequence[Finding]) -> bool:
    return all(finding.outcome is not Outcome.FAIL for finding in findings)


def as_dict(target: str, findings: Sequence[Finding]) -> dict[str, Any]:
    return {"target": target, "passed": is_good(findings), "findings": [asdict(finding) for finding in findings]}


def print_table(findings: Sequence[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for least in (4, 15, None):
        table.add_column(min_width=least, overflow="fold")
    for finding in findings:
        said = Text(finding.what)
        if finding.outcome is Outcome.FAIL:
            said.append(f"\nit must: {finding.demands}\nto do: {finding.do}")
        elif finding.do:
            said.append(f"\nadvice: {finding.do}", style="dim")
        table.add_row(Text(finding.outcome, style=COLOURS[finding.outcome]), finding.check, said)
    console.print(table)
    console.print(_total(findings), markup=False, highlight=False)


def _total(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.outcome for finding in findings)
    return f"{counts[Outcome.PASS]} passed, {counts[Outcome.FAIL]} failed, {counts[Outcome.SKIP]} not tried"
