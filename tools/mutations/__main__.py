"""Removes each guard in the table, one at a time, and requires its test to fail.

Exit codes: 0 every test fails without its guard, 1 some do not fail, 2 usage.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tools.mutations.guard import Guard, problems
from tools.mutations.table import GUARDS
from tools.mutations.tree import PASSED, ROOT, Outcome, Tree, Verdict

CONCURRENT_TREES = 2


def main(arguments: Sequence[str], guards: Sequence[Guard] = GUARDS) -> int:
    unknown = set(arguments) - {guard.name for guard in guards}
    if unknown:
        print(f"unknown guards: {', '.join(sorted(unknown))}; see tools/mutations/table.py", file=sys.stderr)
        return 2
    chosen = [guard for guard in guards if guard.name in arguments or not arguments]
    wrong = list(problems(chosen, ROOT))
    for name, why in wrong:
        print(f"{name}: {why}", file=sys.stderr)
    if wrong:
        return 1
    with TemporaryDirectory(prefix="dropscore-mutations-") as folder:
        trees = [Tree(Path(folder) / str(number)) for number in range(CONCURRENT_TREES)]
        return _run(chosen, trees)


def part(guards: Sequence[Guard], number: int, count: int) -> list[str]:
    """Return the guards' names in part `number`; parts 0 to `count` - 1 together contain each guard once."""
    return [guard.name for guard in guards[number % count :: count]]


def _run(guards: Sequence[Guard], trees: Sequence[Tree]) -> int:
    whole = trees[0].pytest(*dict.fromkeys(guard.test for guard in guards))
    if whole.code != PASSED:
        print(f"a test fails although all guards are in place: {whole.output}", file=sys.stderr)
        return 1
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)
    print("guard | where | test | result")
    verdicts: Counter[Verdict] = Counter()
    with ThreadPoolExecutor(len(trees)) as pool:
        for guard, outcome in zip(guards, pool.map(lambda guard: _outcome(guard, free), guards), strict=True):
            verdicts[outcome.verdict] += 1
            print(_line(guard, outcome), flush=True)
    unnoticed, broken = verdicts[Verdict.NOT_NOTICED], verdicts[Verdict.BROKEN]
    print(f"{len(guards)} guards removed, one at a time; {unnoticed} not noticed, {broken} broken")
    return 1 if unnoticed or broken else 0


def _outcome(guard: Guard, free: SimpleQueue[Tree]) -> Outcome:
    tree = free.get()
    try:
        with tree.without(guard):
            return tree.pytest("-x", guard.test)
    finally:
        free.put(tree)


def _line(guard: Guard, outcome: Outcome) -> str:
    where = f"{guard.file}:{guard.line(ROOT)}"
    return f"{guard.name} | {where} | {guard.test} | {outcome.verdict}: {outcome.output[:80]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
