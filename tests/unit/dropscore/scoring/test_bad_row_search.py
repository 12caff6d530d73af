"""The search for bad rows, on rows of every form; test_scorer.py has what it costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import PermanentError, RowFault, RowsRefusedError, RowTooLargeError
from dropscore.files.requests import Request, count_rows, split_rows
from dropscore.scoring.bad_row_search import Search

LINES = [b"1,2\n", b"3,4\r\n", b"\n", b"\r\n", b'"a\n\nb",3\r\n', b'"",\n', b"bad,1\n", b'"bad\n",2\n']
gappy = st.builds(
    bytes.__add__, st.lists(st.sampled_from(LINES), max_size=30).map(b"".join), st.sampled_from([b"", b"4", b"bad"])
)


def _refused(part: bytes, named: int) -> RowsRefusedError:
    bad = [place for place, row in enumerate(split_rows(part)) if b"bad" in row][:named]
    return RowsRefusedError("X", "x", rows=(1, 1), reason="x", faults=[RowFault(place, "X", "x") for place in bad])


@given(gappy, st.integers(0, 4), st.integers(1, 9))
def test_every_row_is_found_good_or_bad_at_its_place(data: bytes, named: int, limit: int) -> None:
    rows = split_rows(data)
    search = Search(Request(data, first_row=11, rows=len(rows), offset=1000))
    while part := search.next_part():
        sent = split_rows(part.request.data)
        assert len(sent) == part.request.rows == len(part.places)
        assert sent == [rows[place] for place in part.places]
        assert part.span == (11 + part.places[0], 11 + part.places[-1])
        if len(sent) > limit:
            search.halve(part)
        elif any(b"bad" in row for row in sent):
            search.refused(part, _refused(part.request.data, named))
        else:
            search.scored(part, b"".join(b"%d\n" % len(row) for row in sent))
    bad = {place for place, row in enumerate(rows) if b"bad" in row}
    assert set(search.bad) == bad
    assert search.lines == b"".join(b"\n" if p in bad else b"%d\n" % len(row) for p, row in enumerate(rows))
    for place in bad:
        error = search.error(place)
        assert error.rows == (11 + place, 11 + place)
        assert error.offset is not None
        assert data[error.offset - 1000 :].startswith(rows[place])
        assert count_rows(data[: error.offset - 1000]) == place


def test_one_row_cannot_be_halved() -> None:
    search = Search(Request(b"\n123\n", first_row=3, rows=1, offset=10))
    part = search.next_part()
    assert part
    with pytest.raises(RowTooLargeError, match=r"row 3 \(line 2, at byte 11\)"):
        search.halve(part)


def test_a_model_that_named_a_good_row_is_not_believed_again() -> None:
    search = Search(Request(b"1\n2\n3\n4\n5\nbad\n", first_row=1, rows=6, offset=0))
    wrong = RowsRefusedError("X", "x", rows=(1, 1), reason="x", faults=[RowFault(0, "X", "x")])
    asked = []
    while part := search.next_part():
        asked.append(list(part.places))
        if b"bad" in part.request.data:
            search.refused(part, wrong if part.request.rows > 1 else _refused(part.request.data, 1))
        else:
            search.scored(part, b"1\n" * part.request.rows)
    assert asked == [[0, 1, 2, 3, 4, 5], [0], [1, 2, 3, 4, 5], [1, 2], [3, 4, 5], [3], [4, 5], [4], [5]]


def test_parts_with_different_numbers_of_scores_are_an_error() -> None:
    search = Search(Request(b"1\n2\n", first_row=1, rows=2, offset=0))
    whole = search.next_part()
    assert whole
    search.halve(whole)
    first, second = search.next_part(), search.next_part()
    assert first
    assert second
    search.scored(first, b"0.1\n")
    with pytest.raises(PermanentError, match="BAD_RESPONSE: the model returned 2 scores for a row, 1 are expected"):
        search.scored(second, b"0.1,0.2\n")


def test_lines_that_were_counted_as_rows_only_say_where_to_look() -> None:
    """A container that counts lines names two rows where the first one, with a line break in it, is bad."""
    search = Search(Request(b'"bad\n",1\n3,4\n', first_row=1, rows=2, offset=0))
    named = RowsRefusedError("X", "x", rows=(1, 1), reason="x", faults=[RowFault(0, "X", "x"), RowFault(1, "X", "x")])
    while part := search.next_part():
        if b"bad" not in part.request.data:
            search.scored(part, b"1\n")
        else:
            search.refused(
                part, named if part.request.rows == 2 else _refused(part.request.data, 1), is_row_a_line=False
            )
    assert set(search.bad) == {0}
    assert search.lines == b"\n1\n"
