"""What a container says of refused rows: read if it is as agreed, and never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.scoring.refusal import Refusal, RefusedRow, parse

THREE = (RefusedRow(3, 5, "A"), RefusedRow(17, 2, "B"), RefusedRow(40, None, "A"))
LISTED = [{"row": 3, "column": 5, "code": "A"}, {"row": 17, "column": 2, "code": "B"}, {"row": 40, "code": "A"}]
GROUPED = [["A", 5, "3"], ["B", 2, "17"], ["A", None, "40"]]


@pytest.mark.parametrize("rows", [LISTED, GROUPED, LISTED[::-1]])
@pytest.mark.parametrize("more", [{}, {"more": True}, {"more": False}, {"more": "yes"}])
def test_rows_are_read_in_either_form(rows: object, more: dict[str, object]) -> None:
    text = json.dumps({"code": "A", "row": 3, "column": 5, "message": "m", "rows": rows, **more})
    assert parse(text, 40) == Refusal("A", THREE, has_more=more.get("more") is True)


def test_distances_count_from_the_row_before() -> None:
    text = json.dumps({"rows": [["A", 1, "3 1x2 4"]]})
    assert [named.row for named in parse(text, 99).rows] == [3, 4, 5, 9]


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ({"row": 3, "column": 5, "code": "A"}, (RefusedRow(3, 5, "A"),)),
        ({"row": 3, "column": True, "code": 7}, (RefusedRow(3, None, None),)),
        ({"row": 3, "column": 10**9}, (RefusedRow(3, None, None),)),
        ({"row": 41}, ()),
        ({"row": 0}, ()),
        ({"row": True}, ()),
        ({"row": "3"}, ()),
        ({"rows": "3"}, ()),
        ({"rows": [3, None, ["A"], ["A", 1, 3], {}], "row": 4}, (RefusedRow(4, None, None),)),
        ({"rows": [["A", 1, "1 x 2"]]}, (RefusedRow(1, 1, "A"), RefusedRow(3, 1, "A"))),
        ({"rows": [["A", 1, "39 1x999999999"]]}, (RefusedRow(39, 1, "A"), RefusedRow(40, 1, "A"))),
        (["row", 3], ()),
        (3, ()),
    ],
)
def test_what_is_not_as_agreed_is_not_believed(said: object, rows: tuple[RefusedRow, ...]) -> None:
    assert parse(json.dumps(said), 40).rows == rows


@pytest.mark.parametrize("text", ["", "{", "not json", "[" * 100_000, '{"a":' * 100_000, '{"row": ' + "1" * 5000 + "}"])
def test_what_is_no_json_names_nothing(text: str) -> None:
    assert parse(text, 40) == Refusal(None, (), None)


@given(st.integers(0, 400))
def test_a_list_that_was_cut_off_names_its_whole_entries(length: int) -> None:
    """SageMaker gives 2,048 characters; wherever the text ends, what is read of it was said."""
    text = json.dumps({"code": "A", "row": 3, "message": "m", "rows": LISTED, "more": True})[:-1]
    refusal = parse(text[:length], 40)
    assert refusal.rows in {(), (RefusedRow(3, None, "A"),), *(THREE[:count] for count in range(1, 4))}
    assert refusal.has_more is (None if refusal.rows in {(), (RefusedRow(3, None, "A"),)} else True)
    whole = text[:length].count("},") + text[:length].count("}]")
    assert len(refusal.rows) >= whole


@given(st.text(alphabet='{}[]":,0123456789xrows ') | st.text())
def test_no_text_raises(text: str) -> None:
    assert all(1 <= named.row <= 7 for named in parse(text, 7).rows)
