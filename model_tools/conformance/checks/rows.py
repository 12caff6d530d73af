"""Rows out = rows in, in the same order, the same each time, whatever stands beside them."""

from __future__ import annotations

import math
import random

from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.sample import body
from model_tools.conformance.subject import Scores, Subject, scores

COUNTS = (1, 2, 1000)
TIMES = 3


@check("row-counts", "1, 2 and 1000 rows give 1, 2 and 1000 scores")
def row_counts(subject: Subject) -> Passed:
    for count in COUNTS:
        subject.score(subject.sample.some(count))
    return Passed("1, 2 and 1000 rows came back as as many scores")


@check("line-ends", "a last line without its end, and lines that end in CR LF, are rows like all others")
def line_ends(subject: Subject) -> Passed:
    rows = subject.sample.some(5)
    expected = subject.score(rows)
    for name, content in {
        "without the last line end": body(rows)[:-1],
        "with CR LF": b"\r\n".join([*rows, b""]),
    }.items():
        found = scores(subject.invoke(content), content, len(rows))
        if not same(found, expected):
            raise FailedError(f"five rows {name} score otherwise", "read lines as text files have them")
    return Passed("both are read")


@check("order", "rows in another order give the same scores in that order")
def order(subject: Subject) -> Passed:
    rows = subject.sample.some(min(200, len(subject.sample.rows)))
    plain = subject.score(rows)
    if len(set(plain)) == 1:
        raise SkippedError("all rows of the sample score the same; give rows that differ with --sample")
    for seed in range(3):
        places = random.Random(seed).sample(range(len(rows)), len(rows))
        if not same(subject.score([rows[place] for place in places]), [plain[place] for place in places]):
            do = "answer the scores in the order of the rows; a parallel map must be an ordered one"
            raise FailedError("the same rows in another order do not give the same scores in that order", do)
    return Passed(f"{len(rows)} rows, shuffled three times")


@check("neighbours", "a row scores the same alone and among others")
def neighbours(subject: Subject) -> Passed:
    rows = subject.sample.some(min(20, len(subject.sample.rows)))
    together = subject.score(rows)
    for number, (row, expected) in enumerate(zip(rows, together, strict=True), 1):
        if not same(subject.score([row]), [expected]):
            do = "do not scale or impute by what else is in the body: Dropscore cuts files as it sees fit"
            raise FailedError(f"row {number} of the sample scores otherwise when it is alone", do)
    return Passed(f"{len(rows)} rows, together and one by one")


@check("determinism", "the same body gives the same bytes each time")
def determinism(subject: Subject) -> Passed:
    content = body(subject.sample.some(100))
    if len({subject.invoke(content).said for _ in range(TIMES)}) > 1:
        do = "take out what is random or changes between requests: a job that is tried again must publish the same file"
        raise FailedError(f"the same 100 rows, sent {TIMES} times, gave different answers", do)
    return Passed(f"the same bytes {TIMES} times")


def same(found: Scores, expected: Scores) -> bool:
    """Equal to six digits: arithmetic in another order may differ in the last bits."""
    return len(found) == len(expected) and all(
        len(one) == len(other) and all(map(_is_close, one, other)) for one, other in zip(found, expected, strict=True)
    )


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
