"""Check that each row gets its score, in order, every time, and independent of other rows."""

from __future__ import annotations

import math
import random

from model_tools.conformance.findings import check
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.sample import body
from model_tools.conformance.subject import Scores, Subject, scores

COUNTS = (1, 2, 1000)
TIMES = 3


@check("row-counts", "1, 2 and 1000 rows give 1, 2 and 1000 scores")
def row_counts(subject: Subject) -> Passed:
    for count in COUNTS:
        subject.score(subject.sample.some(count))
    return Passed("1, 2 and 1000 rows gave as many scores")


@check("line-ends", "accepts a last line without a line end, and lines that end in CR LF")
def line_ends(subject: Subject) -> Passed:
    rows = subject.sample.some(5)
    expected = subject.score(rows)
    for name, content in {
        "without the last line end": body(rows)[:-1],
        "with CR LF": b"\r\n".join([*rows, b""]),
    }.items():
        found = scores(subject.invoke(content), content, len(rows))
        if not same(found, expected):
            raise FailedError(
                f"five rows {name} get other scores", "accept both line ends, and a last line without one"
            )
    return Passed("accepts both")


@check("order", "rows in another order give the same scores in that order")
def order(subject: Subject) -> Passed:
    rows = subject.sample.some(min(200, len(subject.sample.rows)))
    plain = subject.score(rows)
    if len(set(plain)) == 1:
        raise SkippedError("all rows of the sample get the same score; pass rows that differ with --sample")
    for seed in range(3):
        places = random.Random(seed).sample(range(len(rows)), len(rows))
        if not same(subject.score([rows[place] for place in places]), [plain[place] for place in places]):
            do = "return the scores in the order of the rows; a parallel map must keep the order"
            raise FailedError("shuffled rows do not get the same scores in shuffled order", do)
    return Passed(f"{len(rows)} rows, shuffled three times")


@check("neighbours", "a row gets the same score alone and among others")
def neighbours(subject: Subject) -> Passed:
    rows = subject.sample.some(min(20, len(subject.sample.rows)))
    together = subject.score(rows)
    for number, (row, expected) in enumerate(zip(rows, together, strict=True), 1):
        if not same(subject.score([row]), [expected]):
            do = "do not scale or impute by other rows of the request: Dropscore may split a file anywhere"
            raise FailedError(f"row {number} of the sample gets another score when it is alone", do)
    return Passed(f"{len(rows)} rows, together and one by one")


@check("determinism", "the same request gets the same bytes each time")
def determinism(subject: Subject) -> Passed:
    content = body(subject.sample.some(100))
    if len({subject.invoke(content).content for _ in range(TIMES)}) > 1:
        do = "remove randomness and state between requests: a retried job must publish the same file"
        raise FailedError(f"the same 100 rows, sent {TIMES} times, got different replies", do)
    return Passed(f"the same bytes {TIMES} times")


def same(found: Scores, expected: Scores) -> bool:
    """Compare to six digits: arithmetic in another order may differ in the last bits."""
    return len(found) == len(expected) and all(
        len(left) == len(right) and all(map(_is_close, left, right))
        for left, right in zip(found, expected, strict=True)
    )


def _is_close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-9)
