from __future__ import annotations

import csv
import io
import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import PermanentError
from dropscore.files.requests import Request
from dropscore.scoring.replies import scores_of

THREE = Request(b"1\n2\n3\n", first_row=11, rows=3, offset=0)
ONE = Request(b"1\n", first_row=1, rows=1, offset=0)


@pytest.mark.parametrize(
    "reply",
    [
        b"0.1\n0.2\n3e-05\n",
        b"0.1\n0.2\n3e-05",
        b"0.1\n0.2\n3e-05\n\n",
        b"0.1,0.2,3e-05",
        b"0.1, 0.2, 3e-05\n",
        b"0.1\r\n0.2\r\n3e-05\r\n",
        b" 0.1\n0.2 \n3e-05\n",
    ],
)
def test_replies_of_every_usual_shape(reply: bytes) -> None:
    assert scores_of(reply, THREE) == b"0.1\n0.2\n3e-05\n"


@pytest.mark.parametrize(
    "reply",
    [
        b"[0.1, 0.20, 3e-05]",
        b"[[0.1], [0.20], [3e-05]]",
        b'{"predictions": [0.1, 0.20, 3e-05]}',
        b'{"predictions": [\n  [0.1],\n  [0.20],\n  [3e-05]\n]}\n',
        b"[0.1]\n[0.20]\n[3e-05]\n",
        b'{"score": 0.1}\n{"score": 0.20}\n{"score": 3e-05}',
    ],
)
def test_json_replies_keep_the_text_of_each_number(reply: bytes) -> None:
    assert scores_of(reply, THREE) == b"0.1\n0.20\n3e-05\n"


@pytest.mark.parametrize(
    "number", ["1", "-1.5", "+2", ".5", "5.", "1e-3", "1E+30", "0" * 200, "1" * 300, "1e-400", "1e300"]
)
def test_every_number_is_kept_as_it_came(number: str) -> None:
    two = Request(b"1\n2\n", first_row=1, rows=2, offset=0)
    assert scores_of(f"{number}\n0.5\n".encode(), two) == f"{number}\n0.5\n".encode()
    assert scores_of(json.dumps([number, "0.5"]).encode(), two) == f"{number}\n0.5\n".encode()


def test_a_single_row_answered_with_an_object() -> None:
    assert scores_of(b'{"score": 0.5}\n', ONE) == b"0.5\n"
    assert scores_of(b'{"predictions": [{"score": 0.5, "label": 1}]}', ONE) == b"0.5,1\n"


def test_several_outputs_a_row() -> None:
    assert scores_of(b"0.1,0.9", ONE) == b"0.1,0.9\n"
    assert scores_of(b"[[0.1, 0.9]]", ONE) == b"0.1,0.9\n"
    assert scores_of(b"[0.5]", ONE) == b"0.5\n"
    assert scores_of(b"1,2\n3,4\n5,6\n", THREE) == b"1,2\n3,4\n5,6\n"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"0.1\n0.2\n", "the reply has 2 scores for 3 rows"),
        (b"0.1\n0.2\n0.3\n0.4\n", "the reply has 4 scores for 3 rows"),
        (b"", "the reply has 0 scores for 3 rows"),
        (b"0.1\n\n0.3\n", "a score is not a finite number"),
        (b"0.1\nnan\n0.3\n", "a score is not a finite number"),
        (b"0.1\ninf\n0.3\n", "a score is not a finite number"),
        (b"0.1\nfraud\n0.3\n", "a score is not a finite number"),
        (b'{"predictions": [1, 2]}', "the reply has 2 scores for 3 rows"),
        (b'{"predictions": [1, true, 3]}', "a score is not a finite number"),
        (b'{"predictions": [1, null, NaN]}', "a score is not a finite number"),
        (b'{"error": "secret"}', "the reply has 1 scores for 3 rows"),
        (b'{"predictions": ["0.1\\n","0.2"]}', "the reply has 2 scores for 3 rows"),
        (b'{"predictions": ["0.1\\n","0.2","0.3"]}', "a score is not a finite number"),
        (b'{"predictions": ["0.1\\n0.2","0.3"]}', "the reply has 2 scores for 3 rows"),
        (b'{"predictions": ["0.1,0.2","0.3","0.4"]}', "a score is not a finite number"),
        (b'{"predictions": ["0.1,0.2","0.3,0.4","0.5,0.6"]}', "a score is not a finite number"),
        (b'["\\ud800", 1, 2]', "a score is not a finite number"),
        (b'["\\u0661", 1, 2]', "a score is not a finite number"),
        (b"[[[1]], [[2]], [[3]]]", "a score is not a finite number"),
        (b'[{"a": {"b": 1}}, 2, 3]', "a score is not a finite number"),
        (b"[[], [], []]", "a score is not a finite number"),
        (b"[%b, 1, 2]" % (b"9" * 5000), "a score is not a finite number"),
        (b"[1e999, 1, 2]", "a score is not a finite number"),
        (b"[Infinity, 1, 2]", "a score is not a finite number"),
        (b"[[1], [2], [3, 4]]", "the rows have different numbers of scores"),
        (
            b'{"predictions": [1, 2, 3], "predictions": [4, 5, 6]}',
            "the reply starts like JSON but is not valid JSON",
        ),
        (b"[" * 100_000, "the reply starts like JSON but is not valid JSON"),
        (b"[" * 900 + b"]" * 900, "the reply has 1 scores for 3 rows"),
        (b'["\xff", 1, 2]', "the reply starts like JSON but is not valid JSON"),
        ("[1, 2, 3]".encode("utf-16-be"), "a score is not a finite number"),
        (b"1_0\n0.2\n0.3\n", "a score is not a finite number"),
        (b"0.1\n0.2\t\n0.3\n", "a score is not a finite number"),
        (b"0.1\n0.2\r\r\n0.3\n", "a score is not a finite number"),
        (b"0.1\r0.2\r0.3\r", "the reply has 1 scores for 3 rows"),
        (b"0x1\n0.2\n0.3\n", "a score is not a finite number"),
        (b"0.1\n1e999\n0.3\n", "a score is not a finite number"),
        (b"0.1\n%b\n0.3\n" % (b"9" * 400), "a score is not a finite number"),
        (b"0.1\n0.2,0.3\n0.4\n", "the rows have different numbers of scores"),
        (b"0.1,0.2\n0.3\n0.4\n", "the rows have different numbers of scores"),
        (b"\n0.1\n0.2\n", "a score is not a finite number"),
        (b"0.1\n0.2\n0.3\x00\n", "a score is not a finite number"),
        (b"[1, 2, 3", "the reply starts like JSON but is not valid JSON"),
    ],
)
def test_anything_else_is_a_bad_response(reply: bytes, said: str) -> None:
    with pytest.raises(PermanentError) as caught:
        scores_of(reply, THREE)
    assert caught.value.code == "BAD_RESPONSE"
    assert caught.value.message.startswith(f"rows 11 to 13 (at byte 0): {said}")


SHAPES = {
    "lines": lambda rows: "\n".join(",".join(row) for row in rows),
    "ended lines": lambda rows: "".join(",".join(row) + "\r\n" for row in rows),
    "json": lambda rows: json.dumps({"predictions": [[json.loads(cell) for cell in row] for row in rows]}),
    "json strings": lambda rows: json.dumps(rows),
    "json lines": lambda rows: "\n".join(json.dumps(row) for row in rows),
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr)


@given(st.data(), st.sampled_from(sorted(SHAPES)), st.integers(2, 6), st.integers(1, 4))
def test_what_a_model_says_is_what_is_written(data: st.DataObject, shape: str, rows: int, outputs: int) -> None:
    table = [data.draw(st.lists(NUMBERS, min_size=outputs, max_size=outputs)) for _ in range(rows)]
    lines = scores_of(SHAPES[shape](table).encode(), Request(b"", first_row=1, rows=rows, offset=0))
    written = list(csv.reader(io.StringIO(lines.decode("ascii"))))
    assert [[float(cell) for cell in row] for row in written] == [[float(cell) for cell in row] for row in table]


PIECES = [
    *"0123456789",
    *'+-.eE,_ \t\r\n\x00"[]{}:',
    "predictions",
    "null",
    "NaN",
    "1e999",
    "\\n",
    "\\ud800",
    "\u0661",
    "0.5",
]
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("0123456789.eE+-_,\n\r\t \ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["predictions", "score", "a"]), inner),
)
REPLIES = (
    st.binary()
    | st.lists(st.sampled_from(PIECES)).map(lambda pieces: "".join(pieces).encode())
    | NESTED.map(lambda value: json.dumps(value).encode())
    | st.lists(NESTED, max_size=3).map(lambda values: "\n".join(map(json.dumps, values)).encode())
)


@given(REPLIES, st.integers(1, 3))
def test_no_reply_is_passed_on_unless_it_is_scores(reply: bytes, rows: int) -> None:
    code: str | None = None
    try:
        lines = scores_of(reply, Request(b"", first_row=1, rows=rows, offset=0))
    except PermanentError as error:
        code = error.code
    else:
        _assert_scores(lines, rows)
    assert code in (None, "BAD_RESPONSE")


def _assert_scores(lines: bytes, rows: int) -> None:
    table = list(csv.reader(io.StringIO(lines.decode("ascii"), newline="")))
    assert len(table) == rows == lines.count(b"\n")
    assert len({len(row) for row in table}) == 1
    for cell in (cell for row in table for cell in row):
        assert not set(cell) - set("0123456789+-.eE"), cell
        assert Decimal(cell).is_finite()
        assert math.isfinite(float(cell))
