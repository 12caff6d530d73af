"""What the model gets of cells in other notations, read back by the csv module as any container may read it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropscore.files.layout import Layout
from dropscore.jobs.options import Options


def _payload(file: bytes, **said: Any) -> bytes:
    options = Options.parse({"header": False, **said}, "test")
    layout = Layout.of(file, options, features=None, is_whole=True)
    return layout.payload(file[layout.data_offset :])


def _read(sent: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(sent.decode(), newline=""), strict=True))


@pytest.mark.parametrize(
    ("file", "said", "sent"),
    [
        (b"1,NA\nnull,2\n", {"na_values": ["NA", "null"]}, b"1,\n,2\n"),
        (b'"NA",1\n', {"na_values": ["NA"]}, b",1\n"),
        (b"NA,NA,NA\n", {"na_values": ["NA"]}, b",,\n"),
        (b"NAN,xNA, NA\n", {"na_values": ["NA"]}, b"NAN,xNA, NA\n"),
        (b"NA\n1\nNA", {"na_values": ["NA"]}, b'""\n1\n""\n'),
        (b"x,NA\ny,1\n", {"na_values": ["NA"], "id": 1}, b'""\n1\n'),
        (b"\\N,1\n", {"na_values": ["\\N"]}, b",1\n"),
        (b"-999,-9991\n", {"na_values": ["-999"]}, b",-9991\n"),
        (b'"a,b",NA\n', {"na_values": ["NA"]}, b'"a,b",\n'),
        (b'"a\n\nb",NA\n', {"na_values": ["NA"]}, b'"a\n\nb",\n'),
        (b"1\\NA\\NA\n", {"na_values": ["NA"], "delimiter": "\\"}, b"1,,\n"),
        (b"NA;1,5\n", {"na_values": ["NA"], "delimiter": ";", "decimal": ","}, b",1.5\n"),
        (b"1,5;-2,5e3\n,5;7\n", {"delimiter": ";", "decimal": ","}, b"1.5,-2.5e3\n.5,7\n"),
        (b'"1,5";nan\n', {"delimiter": ";", "decimal": ","}, b"1.5,nan\n"),
        (b"1.234;1.234,5\n", {"delimiter": ";", "decimal": ","}, b'"1,234","1,234.5"\n'),
        (b"1,234,567;2\n", {"delimiter": ";", "decimal": ","}, b"1.234.567,2\n"),
        (b"Doe, J.;2\n", {"delimiter": ";", "decimal": ","}, b'"Doe, J.",2\n'),
        (b'17,5" pipe\n', {"quote": "none"}, b'17,"5"" pipe"\n'),
        (b'"17","5"\n', {"quote": "none"}, b'"""17""","""5"""\n'),
        (b'"17,5"\n1,2\n', {"quote": "none"}, b'"""17","5"""\n1,2\n'),
        (b'a";1,5\n', {"quote": "none", "delimiter": ";"}, b'"a""","1,5"\n'),
        (b'x";1\ny;2\n', {"quote": "none", "delimiter": ";", "id": 1}, b"1\n2\n"),
        (b'x",\ny,1\n', {"quote": "none", "id": 1}, b'""\n1\n'),
        (b'"a\\"b,c",1\n', {"escape": "\\"}, b'"a""b,c",1\n'),
        (b'"a\\\\",1\n', {"escape": "\\"}, b'"a\\",1\n'),
        (b'"a\\"b,c",1\n', {"escape": "\\", "id": 1}, b"1\n"),
        (b",,\n1,2,3\n,\n", {"skip_empty_rows": True}, b"1,2,3\n"),
        (b'1\n""', {}, b'1\n""\n'),
    ],
)
def test_cells_are_sent_as_numbers_when_options_say_so(file: bytes, said: dict[str, Any], sent: bytes) -> None:
    assert _payload(file, **said) == sent


words = st.sampled_from(
    ["1", "-2", "", "NA", '5"', '"', '"1"', "1,5", "1.5", "a,b", "x.y", "1.000,5", "nan", " NA", "1,2,3"]
)
tables = st.lists(st.lists(words, min_size=3, max_size=3), min_size=1, max_size=6)
dialects = st.sampled_from([{}, {"quote": "none"}, {"escape": "\\"}])
choices = st.sampled_from([{}, {"id": 2}, {"columns": [3, 1]}, {"columns": [2]}])


@given(tables, dialects, choices, st.booleans(), st.booleans())
@example([["1,5", "", "2"]], {}, {}, True, True)
def test_cells_arrive_as_csv_reads_the_file(
    table: list[list[str]], dialect: dict[str, Any], chosen: dict[str, Any], has_words: bool, has_commas: bool
) -> None:
    said = {**dialect, **chosen, "delimiter": ";"}
    said |= {"na_values": ["NA", "1.5"]} if has_words else {}
    said |= {"decimal": ","} if has_commas else {}
    out = io.StringIO()
    how: dict[str, Any] = {"delimiter": ";", "lineterminator": "\n"}
    if "quote" in dialect:
        how |= {"quoting": csv.QUOTE_NONE, "quotechar": None}
    elif "escape" in dialect:
        how |= {"doublequote": False, "escapechar": "\\", "quoting": csv.QUOTE_ALL}
    csv.writer(out, **how).writerows(table)
    kept = [number - 1 for number in chosen.get("columns", [1, 3] if "id" in chosen else [1, 2, 3])]
    expected = [[_expected(row[place], has_words, has_commas) for place in kept] for row in table]
    assert _read(_payload(out.getvalue().encode(), **said)) == expected


def _expected(cell: str, has_words: bool, has_commas: bool) -> str:
    if has_words and cell in ("NA", "1.5"):
        return ""
    looks_like_a_number = any(letter.isdigit() for letter in cell) and set(cell) <= set("0123456789-.,")
    return cell.translate(str.maketrans(",.", ".,")) if has_commas and looks_like_a_number else cell
