"""`python -m tools.checks [--all] [CHECKER…]`: exits 0 if all findings are accepted, 1 if not, 2 for faults."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.checks.checkers.secrets import BASELINE, write_baseline
from tools.checks.findings import CheckError, read_accepted, unexplained, unneeded
from tools.checks.matrix import all_combinations, sample
from tools.checks.running import CHECKERS, Outcome, run_checkers, tree


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.write_baseline:
        write_baseline(tree())
        return 0
    names = chosen.checkers or list(CHECKERS)
    try:
        outcomes = run_checkers(names, all_combinations() if chosen.all else sample())
        return 1 if _report(outcomes, names) else 0
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.checks", description="See docs/checks.md.")
    parser.add_argument("--all", action="store_true", help="check every combination of settings instead of a sample")
    parser.add_argument("--write-baseline", action="store_true", help=f"rewrite {BASELINE} without running checks")
    parser.add_argument("checkers", nargs="*", type=_checker, metavar="CHECKER", help=", ".join(CHECKERS))
    return parser


def _checker(name: str) -> str:
    if name not in CHECKERS:
        raise argparse.ArgumentTypeError(f"unknown checker {name!r}; available: {', '.join(CHECKERS)}")
    return name


def _report(outcomes: Sequence[Outcome], names: Sequence[str]) -> int:
    """Print the findings; returns the number that need work."""
    accepted = read_accepted()
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    for outcome in outcomes:
        print(f"{outcome.seconds:6.1f} s  {outcome.what}: {len(outcome.findings)} found")
    left, spare = unexplained(findings, accepted), unneeded(findings, accepted, names)
    for finding in left:
        print(f"{finding.checker} {finding.rule} at {finding.place} ({finding.origin or 'tree'}): {finding.message}")
    for entry in spare:
        print(f"accepted.toml: {entry.checker} {entry.rule} at {entry.place} matches no finding; remove it")
    print(f"{len(set(findings)) - len(left)} accepted, {len(left)} not accepted, {len(spare)} unneeded acceptances")
    return len(left) + len(spare)


if __name__ == "__main__":
    sys.exit(main())
