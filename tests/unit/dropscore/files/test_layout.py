from __future__ import annotations

import csv
import importlib
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.layout import HEAD_BYTES, Layout
from dropscore.files.requests import split_rows
from dropscore.jobs.options import Options
from tests.unit.dropscore.files.rfc4180 import is_sound, texts


def _layout(head: bytes, *, features: int | None = None, is_whole: bool = True, **said: Any) -> Layout:
    return Layout.of(head, Options.parse(said, "test"), features=features, is_whole=is_whole)


def _payload(file: bytes, **said: Any) -> bytes:
    layout = _layout(file, **said)
    return layout.payload(file[layout.data_offset :])


NAMED = b"id,a,b,c\nx,1,2,3\ny,4,5,6\n"


@pytest.mark.parametrize(
    ("file", "said", "sent"),
    [
        (NAMED, {}, b"x,1,2,3\ny,4,5,6\n"),
        (NAMED, {"id": "id"}, b"1,2,3\n4,5,6\n"),
        (NAMED, {"id": 1}, b"1,2,3\n4,5,6\n"),
        (NAMED, {"exclude": ["id", "c"]}, b"1,2\n4,5\n"),
        (NAMED, {"exclude": [4]}, b"x,1,2\ny,4,5\n"),
        (NAMED, {"exclude": [3]}, b"x,1,3\ny,4,6\n"),
        (NAMED, {"columns": ["c", "a"]}, b"3,1\n6,4\n"),
        (NAMED, {"columns": [4, "a"], "exclude": ["a"]}, b"3\n6\n"),
        (NAMED, {"columns": ["b"], "id": "a"}, b"2\n5\n"),
        (NAMED, {"columns": ["id", "a"], "id": "id"}, b"1\n4\n"),
        (b"7,2,3\n4,5,6", {"exclude": [2]}, b"7,3\n4,6\n"),
        (b'" a ",b\n1,2\n', {"columns": [" b ", "a"]}, b"2,1\n"),
        (b'"a ""x""",b\n1,2\n', {"columns": ['a "x"']}, b"1\n"),
        ("größe,b\n1,2\n".encode(), {"columns": ["größe"]}, b"1\n"),
        (b'\xef\xbb\xbf"a",b\r\n1,2\r\n\r\n3,4\r\n', {"columns": ["a"]}, b"1\n3\n"),
        (b"3;2\n", {"delimiter": ";"}, b"3,2\n"),
        (b"5\t2\n3\t4", {"delimiter": "\t"}, b"5,2\n3,4\n"),
        (b"1,5;2\n3;4\n", {"delimiter": ";"}, b'"1,5",2\n3,4\n'),
        (b'"1,5";2\n', {"delimiter": ";"}, b'"1,5",2\n'),
        (b'"a;b";2\n', {"delimiter": ";"}, b'"a;b",2\n'),
        (b"x,y;2\nz;3\n", {"delimiter": ";", "id": 1}, b"2\n3\n"),
        (b"x;1,5;2\n", {"delimiter": ";", "id": 1}, b'"1,5",2\n'),
        (b'"Doe, J.",1,"2"\n', {"id": 1}, b'1,"2"\n'),
        (b'"Doe\n\nJ.",1,2\n"",3,4\n', {"id": 1}, b"1,2\n3,4\n"),
        (b'"Doe\r\nJ.",1\r\n', {}, b'"Doe\r\nJ.",1\n'),
        (b"5,2\r\n\r\n3,4\r", {}, b"5,2\n3,4\n"),
        (b"\n1\n\n\n2", {}, b"1\n2\n"),
        (b"\n1\n2\n", {}, b"1\n2\n"),
        (b"1\n\n2\n", {}, b"1\n2\n"),
        (b"1\r2\n\n", {}, b"1\r2\n"),
        (b"1\r\r\n2\r\n", {}, b"1\r\r\n2\n"),  # the model is to refuse it
    ],
)
def test_what_the_model_gets(file: bytes, said: dict[str, Any], sent: bytes) -> None:
    assert _payload(file, **said) == sent


@pytest.mark.parametrize("data", [b"", b"1,2\n3,4\n", b'"1",2\n'])
def test_plain_rows_are_not_even_copied(data: bytes) -> None:
    assert Layout().is_plain
    assert Layout().payload(data) is data


@pytest.mark.parametrize(("said", "is_plain"), [({}, True), ({"delimiter": ";"}, False), ({"id": 1}, False)])
def test_is_plain(said: dict[str, Any], *, is_plain: bool) -> None:
    assert _layout(b"1;2,3\n", **said).is_plain is is_plain


@pytest.mark.parametrize(
    ("row", "said", "sent"),
    [
        (b"x,1,2", {"id": 1}, b"1,2"),  # three are wanted
        (b"x,1,2,3,4", {"id": 1}, b"1,2"),
        (b"1,2,3", {"id": 4}, b"1,2"),  # not mended: which cell is missing is not known
        (b"x", {"columns": [4, 3]}, b'""'),
        (b"x", {"columns": [4]}, b'x,""'),
        (b",1", {"columns": [4]}, b'"",""'),
        (b"x,1,2,3,4", {"columns": [2, 3]}, b"1"),
        (b"x,,2,3,4", {"columns": [2, 3]}, b'""'),
        (b'"x,y",1,2', {"columns": [1, 2]}, b'"x,y"'),
        (b'"x,y",1,2', {"columns": [2, 3]}, b"1"),
    ],
)
def test_a_row_of_another_width_is_sent_so_that_it_is_refused(row: bytes, said: dict[str, Any], sent: bytes) -> None:
    layout = _layout(b"x,1,2,3\n" * 3, **said)
    assert layout.payload(b"x,7,8,9\n" + row) == layout.payload(b"x,7,8,9\n") + sent + b"\n"


choices = st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)
some_options = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from([",", ";", " "]),
        "columns": choices,
        "exclude": st.lists(st.integers(1, 5), max_size=2, unique=True),
        "id": st.integers(1, 5),
    },
)
HEAD = {",": b"7,2,3,4,5\n", ";": b"7;2;3;4;5\n", " ": b"7 2 3 4 5\n"}


def _with_five_columns(said: dict[str, Any]) -> Layout | None:
    left_out = {*said.get("exclude", ()), said.get("id")}
    if not set(said.get("columns", range(1, 6))) - left_out:
        return None
    return _layout(HEAD[said.get("delimiter", ",")], **said)


@given(texts(), some_options)
@example(b"1,2\r\r\n\r\n", {})
@example(b"1,2,3,4,\n\n", {"columns": [5]})
@example(b"1,2,3,4,\r,\n1,\r,3,4,5\n", {"columns": [2]})
@example(b'"\n";""', {"delimiter": ";", "columns": [2, 1, 3]})
def test_as_many_rows_are_sent_as_there_are(data: bytes, said: dict[str, Any]) -> None:
    layout = _with_five_columns(said)
    if layout is not None and is_sound(data, said.get("delimiter", ",")):
        assert len(split_rows(layout.payload(data))) == len(split_rows(data))


rows = st.lists(st.lists(st.text('ab,;"\n ', max_size=5), min_size=4, max_size=6), max_size=8)


def _written(rows: list[list[str]], delimiter: str, quoting: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n", delimiter=delimiter, quoting=quoting).writerows(rows)
    return out.getvalue().encode()


@given(rows, some_options, st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_the_cells_sent_are_the_chosen_ones_and_wrong_rows_are_seen_to_be_wrong(
    rows: list[list[str]], said: dict[str, Any], quoting: Any
) -> None:
    layout, delimiter = _with_five_columns(said), said.get("delimiter", ",")
    if layout is None or not rows:
        return
    sent = layout.payload(_written(rows, delimiter, quoting)).decode()
    left_out = {*said.get("exclude", ()), said.get("id")}
    kept = [number for number in said.get("columns", range(1, 6)) if number not in left_out]
    for cells, row in zip(csv.reader(io.StringIO(sent, newline="")), rows, strict=True):
        if layout.choice is None:
            assert cells == row
        elif len(row) == 5:
            assert cells == [row[number - 1] for number in kept]
        else:
            assert len(cells) != len(kept)


def test_our_model_container_takes_an_empty_cell_that_is_alone_and_refuses_wrong_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parse = importlib.import_module("model.serving.formats.csv_rows").parse
    schema = importlib.import_module("model.serving.formats.schema").Schema(features=1)
    refusal = importlib.import_module("model.serving.refusal").RefusalError
    layout = _layout(b"x,1\n", columns=[2])
    (alone,) = parse(layout.payload(b"y,\n"), schema)
    assert alone[0] != alone[0]  # missing
    assert len(parse(layout.payload(b"x,1\ny,\nz,2\nu,\n"), schema)) == 4
    for wrong in (b"x\n", b"x,1,2\n"):
        with pytest.raises(refusal, match="row 2 has 2 columns"):
            parse(layout.payload(b"x,1\n" + wrong), schema)


@pytest.mark.parametrize(
    ("file", "said", "code", "message"),
    [
        (b"3,2\n", {"columns": ["a"]}, "COLUMNS_NEED_HEADER", "the options name column 'a'"),
        (b"a,b\n1,2\n", {"id": "a", "header": False}, "COLUMNS_NEED_HEADER", "set header = true"),
        (b"secret,b\n1,2\n", {"columns": ["c"]}, "COLUMN_MISSING", "columns: the header has no column 'c'"),
        (b"3,2\n", {"exclude": [3]}, "COLUMN_MISSING", "exclude: no column 3: the rows have 2"),
        (b"3,2\n", {"id": 3}, "COLUMN_MISSING", "id: no column 3"),
        (b"3,2\n", {"exclude": [1], "id": 2}, "COLUMN_MISSING", "no column is left for the model"),
        (b"a,a\n1,2\n", {"columns": ["a"]}, "DUPLICATE_COLUMN", "columns: the header has column 'a' 2 times"),
        (b"a,b\n1,2\n", {"columns": ["a", 1]}, "DUPLICATE_COLUMN", "columns: a column is listed twice"),
        (
            b"a,b\n0,1,2\n",
            {"columns": ["a"]},
            "WRONG_COLUMN_COUNT",
            "the header has 2 columns and the first rows have 3 columns",
        ),
    ],
)
def test_columns_that_are_not_there(file: bytes, said: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(RejectedError) as caught:
        _layout(file, **said)
    assert caught.value.code == code
    assert message in caught.value.message
    assert "secret" not in caught.value.message


def test_a_name_that_is_not_chosen_may_be_there_twice() -> None:
    assert _payload(b"a,b,b\n1,2,3\n", columns=["a"]) == b"1\n"


@pytest.mark.parametrize(
    ("file", "said", "message"),
    [
        (b"7,2,3\n4,5,6\n", {}, "the first rows have 3 columns and the model expects 2"),
        (b"7,2,3\n4\n", {}, "the first rows have 1 to 3 columns and the model expects 2"),
        (b"1;2\n", {}, "the first rows have 1 column and the model expects 2"),
        (b"3,2\n1,2\n", {"id": 1}, "of the rows' 2 columns 1 is left for the model, which expects 2"),
    ],
)
def test_a_file_whose_every_row_has_the_wrong_width_is_rejected(
    file: bytes, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(RejectedError, match=f"WRONG_COLUMN_COUNT: {message}; if the file has a header"):
        _layout(file, features=2, **said)
    _layout(file, features=None, **said)


def test_one_row_of_the_right_width_is_enough() -> None:
    assert _layout(b"1\n1,2,3\n1,2\n", features=2).is_plain


def test_the_width_is_that_of_most_rows() -> None:
    assert _payload(b"3,2\n1,2,3\n4,5,6\n", exclude=[1]) == b"2\n2,3\n5,6\n"
    assert _payload(b"7,2,3\n1,2\n4,5\n", exclude=[1]) == b'7,""\n2\n5\n'


def test_a_header_alone_in_the_head_tells_the_width() -> None:
    head = b"a,b\n" + b"1" * HEAD_BYTES
    assert _layout(head, header=True, is_whole=False, exclude=[1], features=1).payload(b"1,2\n") == b"2\n"


@pytest.mark.parametrize("said", [{}, {"exclude": [1]}, {"columns": [1, 2]}], ids=["all", "exclude", "columns"])
@pytest.mark.parametrize("header", [b"co,mn 1,b,c", b"a,b"], ids=["wider", "narrower"])
def test_a_header_of_another_width_is_refused(header: bytes, said: dict[str, Any]) -> None:
    """Which columns do its names belong to? With the check switched off the file is scored by position."""
    file = header + b"\n1,2,3\n4,5,6\n"
    with pytest.raises(RejectedError, match=r"the header has . columns and the first rows have 3"):
        _layout(file, header=True, **said)
    assert _layout(file, header=True, match_columns="position", **said).header == header + b"\n"
