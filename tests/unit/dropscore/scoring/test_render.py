from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import PermanentError
from dropscore.files.cells import split_cells
from dropscore.files.dialect import Dialect
from dropscore.files.layout import Layout
from dropscore.files.requests import split_rows
from dropscore.jobs.options import Options
from dropscore.scoring.render import Renderer

FILE = b'"id", a ,b\r\n"Doe, J.",1,2\r\n\r\nx,3,4\r\ny,5,6'
SCORES = b"0.25\n\n0.75\n"


def _rendered(file: bytes, scores: bytes, **said: Any) -> tuple[bytes, bytes]:
    options = Options.parse(said, "test")
    layout = Layout.of(file, options, features=None, is_whole=True)
    renderer = Renderer(layout, options)
    rows = renderer.render(file[layout.data_offset :], scores)
    return renderer.header(), rows


@pytest.mark.parametrize(
    ("said", "header", "rows"),
    [
        ({}, b"", SCORES),
        ({"threshold": 0.5}, b"", b"0.25,0\n\n0.75,1\n"),
        ({"threshold": 0.75, "labels": ["no", "yes"]}, b"", b"0.25,no\n\n0.75,yes\n"),
        ({"id": "id", "output": "id"}, b'"id",score\n', b'"Doe, J.",0.25\nx,\ny,0.75\n'),
        ({"id": 3, "output": "id"}, b"b,score\n", b"2,0.25\n4,\n6,0.75\n"),
        (
            {"id": "id", "output": "id", "threshold": 0.5, "score_names": ["risk"]},
            b'"id",risk,label\n',
            b'"Doe, J.",0.25,0\nx,,\ny,0.75,1\n',
        ),
        (
            {"output": "append"},
            b'"id", a ,b,score\r\n',
            b'"Doe, J.",1,2,0.25\r\nx,3,4,\r\ny,5,6,0.75\n',
        ),
        (
            {"output": "append", "threshold": 0.5},
            b'"id", a ,b,score,label\r\n',
            b'"Doe, J.",1,2,0.25,0\r\nx,3,4,,\r\ny,5,6,0.75,1\n',
        ),
    ],
)
def test_what_is_written(said: dict[str, Any], header: bytes, rows: bytes) -> None:
    assert _rendered(FILE, SCORES, **said) == (header, rows)


@pytest.mark.parametrize(
    ("said", "header", "rows"),
    [
        ({}, b"", b"1,2\n\n"),
        ({"output": "append"}, b"a;b;score_1;score_2\n", b"x;1;1;2\ny;2;;\n"),
        ({"output": "id", "id": "a", "score_names": ["u", "v"]}, b"a;u;v\n", b"x;1;2\ny;;\n"),
    ],
)
def test_several_scores_are_written_with_the_files_delimiter(said: dict[str, Any], header: bytes, rows: bytes) -> None:
    assert _rendered(b"a;b\nx;1\ny;2\n", b"1,2\n\n", delimiter=";", **said) == (header, rows)


@pytest.mark.parametrize("output", ["id", "append"])
def test_no_header_where_the_input_has_none(output: str) -> None:
    assert _rendered(b"3,2\n", b"0.5\n", output=output, id=1)[0] == b""


def test_a_header_without_its_line_end_gets_one() -> None:
    renderer = Renderer(Layout(header=b"a"), Options(output="append"))
    assert renderer.header() == b"a,score\n"
    assert renderer.is_guess


def test_a_row_that_does_not_reach_the_id_has_none() -> None:
    assert _rendered(b"1,2,x\n3,4\n1,2,y\n", b"1\n\n2\n", id=3, output="id")[1] == b"x,1\n,\ny,2\n"


def test_scores_alone_are_not_even_copied() -> None:
    lines = b"1,2\n3,4\n"
    renderer = Renderer(Layout(), Options())
    assert renderer.render(b"x\ny\n", lines) is lines
    assert (renderer.columns, renderer.is_guess) == (2, False)


data = st.text('ab1,;"\n\r ', max_size=60).map(str.encode)
delimiters = st.sampled_from([",", ";", " "])


def _scores(rows: list[bytes], columns: int, bad: set[int]) -> list[bytes]:
    return [b"" if row in bad else b",".join([b"0.%d" % row] * columns) for row in range(len(rows))]


@given(data, delimiters, st.integers(1, 3), st.sets(st.integers(0, 5)))
def test_what_is_appended_taken_off_again_leaves_the_rows(
    data: bytes, delimiter: str, columns: int, bad: set[int]
) -> None:
    rows, mark = split_rows(data), delimiter.encode()
    scores = _scores(rows, columns, bad)
    options = Options(output="append", delimiter=delimiter, score_names=("u", "v", "w")[:columns])
    written = Renderer(Layout(dialect=Dialect(delimiter=mark)), options).render(
        data, b"".join(line + b"\n" for line in scores)
    )
    for row, score in zip(rows, scores, strict=True):
        added = mark + (score.replace(b",", mark) or mark * (columns - 1))
        line = row.removesuffix(b"\n")
        line, end = (line[:-1], b"\r\n") if line.endswith(b"\r") else (line, b"\n")
        assert written.startswith(line + added + end)
        written = written[len(line + added + end) :]
    assert written == b""


ids = st.lists(st.text('ab,;"\n ', max_size=6), min_size=1, max_size=6)


@given(ids, st.integers(1, 3), delimiters)
def test_ids_are_written_as_they_stand(ids: list[str], place: int, delimiter: str) -> None:
    quoted = [('"' + word.replace('"', '""') + '"').encode() for word in ids]
    mark = delimiter.encode()
    rows = [[b"1", b"2"] for _ in quoted]
    for row, word in zip(rows, quoted, strict=True):
        row.insert(place - 1, word)
    file = b"\n".join(mark.join(row) for row in rows)
    scores = b"0.5\n" * len(ids)
    _, written = _rendered(file, scores, id=place, output="id", delimiter=delimiter, header=False)
    assert [split_cells(row[:-1], Dialect(delimiter=mark)) for row in split_rows(written)] == [
        [word, b"0.5"] for word in quoted
    ]


def test_rows_and_scores_that_are_not_as_many_are_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        _rendered(b"1\n2\n", b"0.5\n", output="append")


def _renderer(**said: Any) -> Renderer:
    return Renderer(Layout(header=b"a\n"), Options.parse({"output": "append", **said}, "test"))


def test_the_first_row_with_scores_fixes_their_number() -> None:
    renderer = _renderer()
    assert renderer.render(b"1\n2\n", b"\n5,6\n") == b"1,,\n2,5,6\n"
    assert (renderer.columns, renderer.is_guess) == (2, False)


@pytest.mark.parametrize("said", [{}, {"output": "scores"}, {"output": "id", "id": 1}])
def test_another_number_of_scores_later_is_a_bad_response(said: dict[str, Any]) -> None:
    renderer = _renderer(**said)
    renderer.render(b"1\n", b"5,6\n")
    with pytest.raises(PermanentError, match="BAD_RESPONSE: the model returned 1 scores for a row, 2 are expected"):
        renderer.render(b"1\n", b"5\n")


def test_another_number_of_scores_in_the_same_body_is_a_bad_response() -> None:
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        _renderer().render(b"1\n2\n", b"5\n5,6\n")


def test_score_names_fix_the_number_of_scores() -> None:
    renderer = _renderer(score_names=["u", "v"])
    assert renderer.render(b"1\n", b"\n") == b"1,,\n"
    assert not renderer.is_guess
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        renderer.render(b"1\n", b"5\n")


def test_bad_rows_before_any_score_are_written_with_one_cell() -> None:
    renderer = _renderer()
    assert renderer.render(b"1\n", b"\n") == b"1,\n"
    assert (renderer.columns, renderer.is_guess, renderer.header()) == (1, True, b"a,score\n")
    assert renderer.render(b"1\n", b"5\n") == b"1,5\n"
    assert not renderer.is_guess


def test_more_scores_than_were_guessed_end_the_job_with_advice() -> None:
    renderer = _renderer()
    renderer.render(b"1\n", b"\n")
    with pytest.raises(PermanentError, match=r"SCORE_COLUMNS_UNKNOWN: .* returns 2 scores for a row; set score_names"):
        renderer.render(b"1\n", b"5,6\n")


def test_labels_stand_beside_scores_alone_by_a_comma() -> None:
    assert _rendered(b"3;2\n", b"0.5\n", delimiter=";", threshold=0.5)[1] == b"0.5,1\n"


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_bad_rows_guess_nothing_where_only_scores_are_written(threshold: float | None) -> None:
    renderer = _renderer(output="scores", threshold=threshold)
    assert renderer.render(b"1\n", b"\n") == b"\n"
    assert (renderer.columns, renderer.is_guess) == (None, False)


@pytest.mark.parametrize("output", ["scores", "append"])
def test_a_threshold_needs_one_score_a_row(output: str) -> None:
    for lines in (b"5,6\n", b"5\n5,6\n"):
        with pytest.raises(PermanentError, match="THRESHOLD_NEEDS_ONE_SCORE: the model returns 2 scores for a row"):
            _renderer(output=output, threshold=0.5).render(b"1\n2\n", lines)


@pytest.mark.parametrize(("score", "label"), [(b"0.5", b"1"), (b"0.49999", b"0"), (b"-1e-3", b"0"), (b"1E+2", b"1")])
def test_labels_are_told_by_value(score: bytes, label: bytes) -> None:
    assert _renderer(threshold=0.5).render(b"x\n", score + b"\n") == b"x,%s,%s\n" % (score, label)


def test_a_threshold_of_zero_is_one() -> None:
    assert _renderer(threshold=0).render(b"x\ny\n", b"-1\n0\n") == b"x,-1,0\ny,0,1\n"
