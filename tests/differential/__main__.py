"""`python -m tests.differential SEED`: prints one case, its outcome, and the oracle's answer."""

from __future__ import annotations

import sys

from tests.differential.case import case_of
from tests.differential.engine import difference, run


def main(seed: int) -> int:
    case = case_of(seed)
    print(case)
    print(case.data.decode(errors="backslashreplace"))
    outcome = run(case)
    print(outcome)
    found = difference(case, outcome)
    print(found or "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
