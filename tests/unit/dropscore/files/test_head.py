from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.cells import is_numeric, split_cells
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.head import HEAD_BYTES, Head
from dropscore.jobs.options import Options


def _head(data: bytes, *, is_whole: bool = True, names: Sequence[bytes] = (), **said: Any) -> Head:
    return Head.of(data, Options.parse(said, "test"), is_whole=is_whole, names=names)


@pytest.mark.parametrize(
    "data",
    [
        b"id,a,b\nx,1,2\n",
        b"a\n1\n",
        b"a,b\r\n,.5\r\n",
        b'"a","b"\n"x","1"\n',
        b",a,b\n0,1,2\n",
        b'"a,1","b\n2"\n1,2\n',
        b"a\n1",
        "größe,b\n1,2\n".encode(),
        b"a,b\nNA,\n",  # no number below it
        b"a,b\nc,d\n",
        b"1st,2nd\n1,2\n",
    ],
)
def test_a_header_is_found(data: bytes) -> None:
    head = _head(data)
    assert data.startswith(head.header)
    assert head.header
    assert data[head.data_offset :] == b"".join(head.rows)


@pytest.mark.parametrize(
    "data",
    [
        b"3,4\n1,2\n",
        b"a,1\n2,3\n",
        b"1e5,2E-3\n1,2\n",
        b"nan,inf\n1,2\n",
        b'"1",x\n1,2\n',
        b"1,5;2,5\n3;2,5\n",
        b"2024-01-31\n1\n",
        b"0\n1\n",  # in one column that is a value
        b"1\n2\n",
        b"1,0\n1,2\n",
        b",1\n1,2\n",
        b"1;2|3\n1;2|3\n",  # another delimiter than was said
        b"12%\n1\n",
    ],
)
def test_a_row_is_no_header(data: bytes) -> None:
    delimiter = ";" if b"5;" in data else ","
    assert _head(data, delimiter=delimiter).header == b""


@pytest.mark.parametrize(
    "data",
    [
        b"NA,NA,NA,NA\n1,2,3,4\n",
        b"NA,null,None,\\N\n1,2,3,4\n",
        b"a,b,NA\n1,2,3\n",
        b",,\n1,2,3\n",
        b'""\n1\n',
        b"x,,\ny,1,2\n",  # a row whose features are all missing
        b"a,a\n1,2\n",
        b'a," a "\n1,2\n',
        b"0,1,2,3\n1.5,2.5,3.5,4.5\n",
        b"1,2,3,4\n1.5,2.5,3.5,4.5\n",
        b',"0","1"\n0,1.5,2.5\n',
        b"# exported\n1,2,3,4\n",
        b"# exported\na,b,c,d\n1,2,3,4\n5,6,7,8\n",
        b"a,b,c\n1,2\n3,4\n",
        b"a,b\r\n1,2,3\r\n",
        b"0,1\n",
        b"NA\n",
        b"1.60189732x61119\n.5\n-0.45\n",  # a number that was damaged
        b"customer 7,x0.25\ncustomer 8,0.5\n",
        b"1x6\n2.5\n",
        b"-x.15\n-0.15\n",
    ],
)
@pytest.mark.parametrize("max_bad_rows", [0, "100%"])
def test_a_first_row_that_may_be_either_is_refused(data: bytes, max_bad_rows: int | str) -> None:
    with pytest.raises(RejectedError, match=r"AMBIGUOUS_HEADER: .* header = true .* header = false"):
        _head(data, max_bad_rows=max_bad_rows)
    with pytest.raises(RejectedError, match="AMBIGUOUS_HEADER"):
        _head(b"\xef\xbb\xbf\r\n" + data, max_bad_rows=max_bad_rows)
    assert _head(data, header=False).header == b""
    if data.count(b"\n") > 1:
        assert _head(data, header=True).header


def test_a_first_row_of_another_width_is_named_by_its_width() -> None:
    with pytest.raises(RejectedError, match="it has 1 cell and the rows below have 4"):
        _head(b"# exported\n1,2,3,4\n5,6,7,8\n")


NAMES = (b"a", b"b", b"2020")


@pytest.mark.parametrize("first", [b"a,b,2020", b"2020,b,a", b'x, b ,"a",2020,x', b"a,b", b"x,y,z", b"A,B,C"])
def test_a_header_is_found_by_the_features_names(first: bytes) -> None:
    below = b",".join([b"1"] * (first.count(b",") + 1)) + b"\n"
    assert _head(first + b"\n" + below, names=NAMES).header == first + b"\n"


@pytest.mark.parametrize("first", [b"NA,NA,NA", b",,", b"2020,2021,2022", b"x,x,x", b"7,8,9", b"NA,x,y"])
def test_a_row_without_the_features_names_is_a_row(first: bytes) -> None:
    assert _head(first + b"\n1,2,3\n", names=NAMES).header == b""


@pytest.mark.parametrize("first", [b"a,2020,x", b"0,1,2", b"1,2,3", b"a,b,b", b"# exported", b"a"])
def test_a_row_with_some_of_the_features_names_is_refused(first: bytes) -> None:
    with pytest.raises(RejectedError, match="AMBIGUOUS_HEADER"):
        _head(first + b"\n1,2,3\n4,5,6\n", names=NAMES)


@pytest.mark.parametrize("first", [b"a,b,2020", b'"2020",b, a ', b"id,a,b,2020"])
def test_the_features_names_are_never_a_row(first: bytes) -> None:
    with pytest.raises(RejectedError, match=r"UNEXPECTED_HEADER: .* set header = true"):
        _head(first + b"\n1,2,3\n", header=False, names=NAMES)


def test_names_that_are_numbers_prove_nothing() -> None:
    assert _head(b"2019,2020\n1,2\n", header=False, names=(b"2019", b"2020")).header == b""
    with pytest.raises(RejectedError, match="AMBIGUOUS_HEADER"):
        _head(b"2019,2020\n1,2\n", names=(b"2019", b"2020"))


def test_columns_that_the_options_name_make_a_header() -> None:
    assert _head(b"claim,2019,2020\n7,1,2\n", id="claim").header == b"claim,2019,2020\n"
    assert _head(b"claim,2019,2020\n7,1,2\n", id="customer").header == b""


numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.floats().map("{:E}".format),
    st.floats(allow_nan=False, allow_infinity=False).map("{:+.3g}".format),
    st.sampled_from([".5", "1.", "1e5", "2E-3", "+.5e+7", "NaN", "-Infinity", "INF", "1,5", "1_000", "1.000,5"]),
)
written = st.tuples(numbers, st.sampled_from(["{}", " {}", "{}\t", '"{}"', ' "{}" '])).map(lambda t: t[1].format(t[0]))


@given(written)
def test_numbers_in_every_notation_are_numeric(cell: str) -> None:
    assert is_numeric(cell.encode())


unquoted = written.filter(lambda cell: not cell.startswith(" ") or '"' not in cell)


@given(
    st.lists(unquoted, min_size=1, max_size=4), st.lists(st.sampled_from(["a", "b c", ""]), max_size=3), st.randoms()
)
def test_a_row_with_a_number_is_never_a_header(numeric: list[str], others: list[str], random: Random) -> None:
    cells = numeric + others
    random.shuffle(cells)
    file = (";".join(cells) + "\n1;2\n").encode()
    if is_count([cell.strip('\t "') for cell in cells]):
        with pytest.raises(RejectedError, match="AMBIGUOUS_HEADER"):
            _head(file, delimiter=";")
    else:
        assert _head(file, delimiter=";").header == b""


def is_count(cells: list[str]) -> bool:
    if len(cells) > 2 and not cells[0]:
        return cells[1:] == [str(number) for number in range(len(cells) - 1)]
    return len(cells) > 1 and cells in [[str(number + first) for number in range(len(cells))] for first in (0, 1)]


@pytest.mark.parametrize("cell", [b"", b" ", b'""', b"-", b".", b"e5", b"a1", b"nano", b"1a", b"x"])
def test_what_is_not_numeric(cell: bytes) -> None:
    assert not is_numeric(cell)


def test_a_header_that_is_said_is_one_whatever_it_holds() -> None:
    assert _head(b"1,2\n3,4\n", header=True).header == b"1,2\n"
    assert _head(b"a,b\n3,4\n", header=False).header == b""


@pytest.mark.parametrize("header", [True, False, "auto"])
def test_a_byte_order_mark_is_skipped(header: bool | str) -> None:
    head = _head(b'\xef\xbb\xbf"a",b\n1,2\n', header=header)
    assert head.data_offset == (3 if header is False else 9)
    assert head.rows[-1] == b"1,2\n"


def test_blank_lines_before_the_header_are_skipped() -> None:
    head = _head(b"\xef\xbb\xbf\n\r\na,b\n\n1,2\n")
    assert (head.header, head.data_offset, head.rows) == (b"a,b\n", 10, (b"1,2\n",))


def test_the_sample_has_20_rows() -> None:
    assert len(_head(b"1\n" * 50).rows) == 20


@pytest.mark.parametrize(
    ("data", "said"),
    [
        *((data, {}) for data in (b"", b"\n\r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n")),
        *(
            (mark + data + end, said)
            for mark in (b"", b"\xef\xbb\xbf", b"\n")
            for data in (b"a,b", b"a", b'"a","b"')
            for end in (b"", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n")
            for said in ({}, {"header": True}, {"id": "a"})
        ),
    ],
)
def test_a_file_without_rows_is_rejected(data: bytes, said: dict[str, Any]) -> None:
    with pytest.raises(RejectedError, match="EMPTY_FILE"):
        _head(data, **said)


def test_a_head_without_rows_of_a_longer_file_is_not() -> None:
    assert _head(b"\n" * HEAD_BYTES, is_whole=False).rows == ()
    assert _head(b"a,b\n" + b"\n" * HEAD_BYTES, header=True, is_whole=False).rows == ()


@pytest.mark.parametrize(
    "data",
    [
        *("a,b\n1,2\n".encode(code) for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")),
        b"\xff\xfea",
        b"1,2\n\0\n",
    ],
)
def test_what_is_not_utf_8_is_rejected(data: bytes) -> None:
    with pytest.raises(RejectedError, match="ENCODING"):
        _head(data)


def test_lines_that_end_in_carriage_returns_alone_are_rejected() -> None:
    with pytest.raises(RejectedError, match="BAD_LINE_ENDS"):
        _head(b'1,2\r"\n",4\r')
    with pytest.raises(RejectedError, match="BAD_LINE_ENDS"):
        _head(b"1,2\r" * HEAD_BYTES, is_whole=False)


def test_other_carriage_returns_are_not() -> None:
    _head(b"5,2\r\n3,4")
    _head(b'"1\r2",3')
    _head(b"5,2\r", is_whole=False)  # the line feed may follow


LONG = b"a" * HEAD_BYTES


@pytest.mark.parametrize("said", [{"header": True}, {"columns": [1]}, {"exclude": [1]}, {"id": 1}])
def test_columns_of_a_row_that_does_not_end_are_not_known(said: dict[str, Any]) -> None:
    for data in (LONG, b'"' + b"a\n" * HEAD_BYTES):
        with pytest.raises(RejectedError, match=r"HEADER_TOO_LONG: the first row does not end within .* 65536 bytes"):
            _head(data, is_whole=False, **said)
    assert _head(LONG + b"\n1\n", is_whole=False, **said).rows


def test_a_row_that_does_not_end_matters_to_nobody_else() -> None:
    assert _head(LONG, is_whole=False) == Head(data_offset=0, header=b"", rows=())


def test_the_last_row_of_a_head_may_be_cut() -> None:
    assert _head(b"5,2\n3,4", is_whole=False).rows == (b"5,2\n",)
    assert _head(b"5,2\n3,4\n", is_whole=False).rows == (b"5,2\n", b"3,4\n")
    assert _head(b'5,2\n"3\n', is_whole=False).rows == (b"5,2\n",)


def test_a_header_is_found_above_a_row_that_is_cut() -> None:
    for below in (b"x,1,y", b"x", b""):
        assert _head(b"a,b,c\n" + below, is_whole=False).header == b"a,b,c\n"


@pytest.mark.parametrize("first", [b"name,", b"0,1,2,", b",0,1,"])
def test_a_first_row_that_does_not_end_and_may_be_a_header_is_refused(first: bytes) -> None:
    with pytest.raises(RejectedError, match=r"HEADER_TOO_LONG: .* header = false"):
        _head(first + LONG, is_whole=False)
    assert _head(first + LONG, is_whole=False, header=False).rows == ()
    assert _head(b"5," + first + LONG, is_whole=False).rows == ()


cells = st.lists(st.text('ab,";\n ', max_size=6), min_size=1, max_size=6)


@given(cells, st.sampled_from([",", ";"]))
def test_cells_joined_are_the_line(parts: list[str], delimiter: str) -> None:
    line = delimiter.join(parts).encode()
    assert delimiter.encode().join(split_cells(line, Dialect(delimiter=delimiter.encode()))) == line


@given(cells)
def test_quoted_cells_are_split_where_they_end(values: list[str]) -> None:
    quoted = [('"' + value.replace('"', '""') + '"').encode() for value in values]
    assert split_cells(b",".join(quoted), RFC_4180) == quoted


def test_a_cell_of_many_quotes_and_commas_takes_no_time() -> None:
    assert len(split_cells(b'"' + b'""' * 500_000 + b"," * 500_000 + b'",1', RFC_4180)) == 2
