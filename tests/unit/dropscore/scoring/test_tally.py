from __future__ import annotations

from collections.abc import Iterator

import pytest

from dropscore.errors import ConfigurationError, RejectedError
from dropscore.scoring.scorer import BadRow, Scored
from dropscore.scoring.tally import HOPELESS_ROWS, Allowance, Borne


@pytest.mark.parametrize(
    ("text", "rows", "percent"), [(0, 0, 0), (25, 25, 0), ("25", 25, 0), ("0.5%", None, 0.5), ("100%", None, 100)]
)
def test_parse(text: str | int, rows: int | None, percent: float) -> None:
    assert Allowance.parse(text) == Allowance(rows=rows, percent=percent)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "%", "1 %", "all"])
def test_parse_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write a number of rows, or a percentage"):
        Allowance.parse(text)


def _all_bad(bodies: int) -> Iterator[Scored]:
    for body in range(bodies):
        bad = tuple(BadRow(body * 100 + row + 1, 0, "BAD_ROW", "no") for row in range(100))
        yield Scored(b"", b"\n" * 100, 100, bad)


def test_a_hopeless_file_is_given_up_before_its_end() -> None:
    borne = Borne(Allowance(percent=10))
    with pytest.raises(RejectedError, match="first of 1000 bad rows in 1000 rows"):
        list(borne.watch(_all_bad(10_000)))
    assert borne.bad == HOPELESS_ROWS


def test_a_percentage_is_of_the_whole_file() -> None:
    good = Scored(b"", b"1\n" * 900, 900)
    assert len(list(Borne(Allowance(percent=10)).watch(iter([*_all_bad(1), good])))) == 2
    with pytest.raises(RejectedError):
        list(Borne(Allowance(percent=9.9)).watch(iter([*_all_bad(1), good])))
