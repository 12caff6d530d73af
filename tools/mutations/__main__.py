"""The table of guards, each taken out for real. Exit codes: 0 every test fails without its guard, 1 not so, 2 usage."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tools.mutations.guard import Guard, problems
from tools.mutations.table import GUARDS
from tools.mutations.tree import PASSED, ROOT, Outcome, Tree

AT_A_TIME = 2


def main(arguments: Sequence[str], guards: Sequence[Guard] = GUARDS) -> int:
    unknown = set(arguments) - {guard.name for guard in guards}
    if unknown:
        print(f"no guard is named {', '.join(sorted(unknown))}; see tools/mutations/table.py", file=sys.stderr)
        return 2
    chosen = [guard for guard in guards if guard.name in arguments or not arguments]
    wrong = list(problems(chosen, ROOT))
    for name, why in wrong:
        print(f"{name}: {why}", file=sys.stderr)
    if wrong:
        return 1
    with TemporaryDirectory(prefix="dropscore-mutations-") as folder:
        trees = [Tree(Path(folder) / str(number)) for number in range(AT_A_TIME)]
        return _run(chosen, trees)


def _run(guards: Sequence[Guard], trees: Sequence[Tree]) -> int:
    whole = trees[0].pytest(*dict.fromkeys(guard.test for guard in guards))
    if whole.code != PASSED:
        print(f"with every guard in its place a test does not pass: {whole.said}", file=sys.stderr)
        return 1
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)
    print("guard | where | test | seen")
    survivors = 0
    with ThreadPoolExecutor(len(trees)) as pool:
        for guard, seen in zip(guards, pool.map(lambda guard: _taken_out(guard, free), guards), strict=True):
            survivors += not seen.is_red
            print(_told(guard, seen), flush=True)
    print(f"{len(guards)} guards taken out, one at a time; {survivors} of them unnoticed")
    return 1 if survivors else 0


def _taken_out(guard: Guard, free: SimpleQueue[Tree]) -> Outcome:
    tree = free.get()
    try:
        with tree.without(guard):
            return tree.pytest("-x", guard.test)
    finally:
        free.put(tree)


def _told(guard: Guard, seen: Outcome) -> str:
    where = f"{guard.file}:{guard.line(ROOT)}"
    return f"{guard.name} | {where} | {guard.test} | {'fails' if seen.is_red else 'NOT NOTICED'}: {seen.said[:80]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
