from __future__ import annotations

from collections.abc import Iterator

import pytest

from dropscore.errors import ConfigurationError, RejectedError
from dropscore.jobs.bad_rows import BadRow, BadRowLimit
from dropscore.scoring.scorer import Scored
from dropscore.scoring.tally import HOPELESS_ROWS, Tally


@pytest.mark.parametrize(
    ("text", "rows", "percent"), [(0, 0, 0), (25, 25, 0), ("25", 25, 0), ("0.5%", None, 0.5), ("100%", None, 100)]
)
def test_parse(text: str | int, rows: int | None, percent: float) -> None:
    assert BadRowLimit.parse(text) == BadRowLimit(rows=rows, percent=percent)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "%", "1 %", "all"])
def test_parse_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write a number of rows such as 25, or a percentage"):
        BadRowLimit.parse(text)


def _all_bad(requests: int) -> Iterator[Scored]:
    for request in range(requests):
        bad = tuple(BadRow(request * 100 + row + 1, 0, "BAD_ROW", "no") for row in range(100))
        yield Scored(b"", b"\n" * 100, 100, bad)


def test_a_hopeless_file_is_given_up_before_its_end() -> None:
    tally = Tally(BadRowLimit(percent=10))
    with pytest.raises(RejectedError, match="first of 1000 bad rows in 1000 rows"):
        list(tally.watch(_all_bad(10_000)))
    assert tally.bad == HOPELESS_ROWS


def test_a_percentage_is_of_the_whole_file() -> None:
    good = Scored(b"", b"1\n" * 900, 900)
    assert len(list(Tally(BadRowLimit(percent=10)).watch(iter([*_all_bad(1), good])))) == 2
    with pytest.raises(RejectedError):
        list(Tally(BadRowLimit(percent=9.9)).watch(iter([*_all_bad(1), good])))
