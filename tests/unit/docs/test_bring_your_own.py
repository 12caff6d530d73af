from __future__ import annotations

from pathlib import Path

from model_tools.conformance.checks import EVERY

DOCUMENTED = Path(__file__).parents[3] / "docs" / "bring-your-own.md"


def test_every_check_is_documented_with_its_demand_in_its_order() -> None:
    rows = [f"| `{check.name}` | {check.demands.replace('`', '')} |" for check in EVERY]
    table = DOCUMENTED.read_text().partition("| check | what is demanded |\n|---|---|\n")[2].partition("\n\n")[0]
    assert [row.replace("argument `serve`", "argument serve") for row in table.splitlines()] == rows
