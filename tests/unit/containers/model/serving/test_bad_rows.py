"""One refusal names many bad rows: compactly and fast, in every format."""

from __future__ import annotations

import io
import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from model.serving.formats import csv_faults, csv_rows, json_rows, table_rows
from model.serving.formats.schema import Schema
from model.serving.refusal import MAX_BODY_BYTES, MAX_NAMED_ROWS, Fault, RefusalError, cell_fault

TWO = Schema(features=2, categorical=(1,))
Named = tuple[int, int | None, str]


def refusal(body: bytes, schema: Schema = TWO, parse: Any = csv_rows.parse) -> RefusalError | None:
    try:
        parse(body, schema)
    except RefusalError as raised:
        return raised
    return None


def named(fields: dict[str, Any]) -> list[Named]:
    """Decode the rows as docs/model-container.md describes."""
    return sorted((row, column, code) for code, column, steps in fields["rows"] for row in rows_of(steps))


def rows_of(steps: str) -> Iterator[int]:
    row = 0
    for step in steps.split():
        distance, _, times = step.partition("x")
        for _ in range(int(times or 1)):
            row += int(distance)
            yield row


CELLS = st.sampled_from(["1", "2.5", "", "nan", "x", "-1", "inf", "1e39", " 3 ", '"4"', '"', "16777216", "0", "\r"])
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=40)


def expected(row: int, line: str, columns: int = 2) -> Named | None:
    """Check by `float`, cell by cell; the second column is categorical. `line` has no line end."""
    if "\r" in line:
        return row, None, "BAD_LINE_END"
    bare = re.sub(r'(^|(?<=,))"([^",]*)"(?=,|$)', r"\2", line)
    if '"' in bare:
        column = bare[: bare.index('"')].count(",") + 1
        return row, column if column <= columns else None, "NOT_A_NUMBER"
    cells = bare.split(",")
    if len(cells) != columns:
        return row, None, "WRONG_COLUMN_COUNT"
    bad = [number for number, cell in enumerate(cells, 1) if not is_number(cell)]
    if bad:
        is_header = row == 1 and len(bad) == columns
        return (1, None, "UNEXPECTED_HEADER") if is_header else (row, bad[0], "NOT_A_NUMBER")
    values = [float(cell or "nan") for cell in cells]
    if abs(values[0]) > 3.5e38:
        return row, 1, "NOT_FINITE"
    if abs(values[1]) > 3.5e38:
        return row, 2, "NOT_FINITE"
    if values[1] < 0 or values[1] >= 1 << 24 or values[1] % 1 > 0:
        return row, 2, "NOT_A_CATEGORY"
    return None


def is_number(cell: str) -> bool:
    try:
        return cell == "" or float(cell) is not None
    except ValueError:
        return False


@settings(max_examples=400, deadline=None)
@given(st.just(["1", "2"]), LINES, st.booleans())
def test_rows_named_are_all_bad_rows(first: list[str], lines: list[list[str]], is_ended: bool) -> None:
    texts = [",".join(line) for line in [first, *lines]]
    is_ended = is_ended or not texts[-1]  # else it would be no row
    body = "\n".join(texts) + ("\n" if is_ended else "")
    lines_of_body = [text.removesuffix("\r") for text in texts[:-1]]
    lines_of_body.append(texts[-1].removesuffix("\r") if is_ended else texts[-1])
    bad = [fault for row, line in enumerate(lines_of_body, 1) if (fault := expected(row, line))]
    found = refusal(body.encode())
    assert (named(json.loads(found.to_json())) if found else []) == bad
    if found:
        assert (found.row, found.column, found.code) == bad[0]


def test_every_bad_row_of_a_body_is_named_up_to_a_thousand() -> None:
    for bad, more in ((1, False), (1000, False), (1001, True), (5000, True)):
        lines = [b"1,2"] * 20_000
        for row in range(bad):
            lines[4 * row + 1] = b"1,x"
        found = refusal(b"\n".join(lines))
        assert found
        fields = json.loads(found.to_json())
        assert named(fields) == [(4 * row + 2, 2, "NOT_A_NUMBER") for row in range(min(bad, 1000))]
        assert fields.get("more", False) is more
        assert (fields["row"], fields["column"], fields["code"]) == (2, 2, "NOT_A_NUMBER")


@pytest.mark.parametrize("columns", [1, 30])
@pytest.mark.parametrize("span", [1500, 20_000, 3_000_000])
@pytest.mark.parametrize("count", [1, 38, 200, 1000, 1500])
def test_refusal_fits_into_what_sagemaker_passes_on(count: int, span: int, columns: int) -> None:
    """For any positions, the refusal names as many of the first rows as fit, and says if there are more."""
    rng = random.Random(count * span)
    codes = ("NOT_A_NUMBER", "NOT_FINITE", "NOT_A_CATEGORY")
    rows = sorted(rng.sample(range(1, span + 1), count))
    faults = [cell_fault(row, rng.randint(1, columns), rng.choice(codes)) for row in rows]
    body = RefusalError.of_rows(faults).to_json()
    assert len(body) <= MAX_BODY_BYTES
    fields = json.loads(body)
    found = named(fields)
    assert found == [(fault.row, fault.column, fault.code) for fault in faults[: len(found)]]
    assert fields.get("more", False) is (len(found) < count)
    assert len(found) >= min(count, 38)


def test_rows_in_a_run_are_written_short() -> None:
    faults = [Fault(row, None, "WRONG_COLUMN_COUNT", "") for row in [3, 4, 5, 9, *range(10, 900)]]
    fields = json.loads(RefusalError.of_rows(faults).to_json())
    assert fields["rows"] == [["WRONG_COLUMN_COUNT", None, "3 1x2 4 1x890"]]
    assert "more" not in fields


CELL_FAULTS = [(2, 1, "NOT_FINITE"), (4, 2, "NOT_A_CATEGORY")]
TABLE = pa.table({"a": [1.0, float("inf"), 3.0, 4.0], "b": [1.0, 2.0, 3.0, 2.5]})


def as_parquet() -> bytes:
    out = io.BytesIO()
    parquet.write_table(TABLE, out)
    return out.getvalue()


def as_stream() -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return out.getvalue()


LISTS = [b"[1,2]", b"[1]", b"[1,true]", b"7", b"[1e39,2]", b"[1,2.5]", b"[1,2]", b'{"features":["x",1]}']
BROKEN = [(row, None, "BAD_JSON") for row in (9, 11)]
BROKEN_LINES = [*LISTS, b"", b"[1,2]", b"[1,"]
LIST_FAULTS = [
    *((2, None, "WRONG_COLUMN_COUNT"), (3, 2, "NOT_A_NUMBER"), (4, None, "NOT_A_ROW"), (5, 1, "NOT_FINITE")),
    *((6, 2, "NOT_A_CATEGORY"), (8, 1, "NOT_A_NUMBER")),
]


@pytest.mark.parametrize(
    ("parse", "body", "faults"),
    [
        (table_rows.parse_parquet, as_parquet(), CELL_FAULTS),
        (table_rows.parse_stream, as_stream(), CELL_FAULTS),
        (json_rows.parse_document, b"[" + b",".join(LISTS) + b"]", LIST_FAULTS),
        (json_rows.parse_lines, b"\n".join(BROKEN_LINES), [*LIST_FAULTS, *BROKEN]),
    ],
    ids=["parquet", "arrow", "json", "jsonlines"],
)  # fmt: skip
def test_every_format_names_all_bad_rows(parse: Any, body: bytes, faults: list[Named]) -> None:
    found = refusal(body, TWO, parse)
    assert found
    assert named(json.loads(found.to_json())) == faults


@pytest.mark.parametrize(
    "lines",
    [
        [b"[1],[2]", b"[3,[4]", b"[5]]"],
        [b'["a]', b'[b"]', b"[1],[2]"],
        [b'{"features":[[1]', b"[2]]}", b"[1],[2]"],
        [b"[1]", b"[2],[3]", b"", b"[4]"],
    ],
)
def test_json_line_is_a_row_of_its_own(lines: list[bytes]) -> None:
    """Joined by commas, these lines would give as many values as lines."""
    found = refusal(b"\n".join(lines), Schema(features=1), json_rows.parse_lines)
    assert found
    good = [row for row, line in enumerate(lines, 1) if re.fullmatch(rb"\[\d\]", line)]
    assert [row for row, _, _ in named(json.loads(found.to_json()))] == [
        row for row in range(1, len(lines) + 1) if row not in good
    ]


def test_last_row_of_quotes_alone_is_a_row() -> None:
    for body in (b'1\n""', b'1\n""\n', b'""\n1'):
        assert csv_rows.parse(body, Schema(features=1)).shape == (2, 1)


def test_finding_bad_rows_reads_little_more_than_the_body() -> None:
    """Measured in bytes read, because seconds depend on the machine."""
    lines = [b"1,2"] * 1_000_000
    lines[123_456] = b"1,x"
    body, read = b"\n".join(lines), [0]

    def is_good(text: bytes) -> bool:
        read[0] += len(text)
        return b"x" not in text

    assert [fault.row for fault in csv_faults.find_faults(body, TWO, None, is_good)] == [123_457]
    assert read[0] < 2 * len(body)


def test_a_thousand_bad_rows_are_found_within_seconds() -> None:
    lines = [b"1"] * 3_000_000
    for row in range(0, len(lines), 2500):
        lines[row] = b"x"
    body, begun = b"\n".join(lines), time.process_time()
    found = refusal(body, Schema(features=1))
    assert found
    assert found.has_more
    assert len(found.faults) == MAX_NAMED_ROWS
    assert time.process_time() - begun < 8  # 1.5 on an idle machine; line by line it is 10
