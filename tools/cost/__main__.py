"""`python -m tools.cost [SETTINGS.toml …]`: the monthly idle cost, and the cost of a million rows.

Without a file: the three typical configurations, written to docs/cost.md and the README (`--check` compares instead).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from stacks.settings.problems import SettingsError
from tools.cost.idle import UnknownPriceError
from tools.cost.page import choices, page, table
from tools.cost.prices import PRICES, read_prices
from tools.cost.templates import read, synthesize

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STANDARD = HERE / "standard.toml"
TYPICAL = (HERE / "frugal.toml", STANDARD, HERE / "production.toml")
PAGE, README = ROOT / "docs" / "cost.md", ROOT / "README.md"
BEGIN, END = "<!-- cost: written by `make cost` -->\n", "<!-- cost: end -->\n"


def main(arguments: list[str]) -> int:
    files = [Path(argument).resolve() for argument in arguments if argument != "--check"]
    try:
        if files:
            print(_table(files))
            return 0
        written = current()
    except (SettingsError, UnknownPriceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    stale = [file for file, text in written.items() if not file.exists() or file.read_text() != text]
    for file in stale:
        if "--check" in arguments:
            print(f"{file.relative_to(ROOT)} is not current: run `make cost`", file=sys.stderr)
        else:
            file.write_text(written[file])
    return 1 if stale and "--check" in arguments else 0


def current() -> dict[Path, str]:
    """The files that contain these numbers, each with its current text."""
    typical = _table(TYPICAL)
    prices = read_prices(PRICES)
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    text = page(typical, choices(read(STANDARD)[1], prices), prices)
    return {PAGE: text, README: f"{before}{BEGIN}{typical}\n{END}{after}"}


def _table(files: Sequence[Path]) -> str:
    return table([synthesize(*read(file)) for file in files], read_prices(PRICES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
