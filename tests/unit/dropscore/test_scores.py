from __future__ import annotations

import pytest

from dropscore.errors import PermanentError
from dropscore.lines import Body
from dropscore.scores import scores_of

THREE = Body(b"1\n2\n3\n", first_row=11, rows=3, offset=0)
ONE = Body(b"1\n", first_row=1, rows=1, offset=0)


@pytest.mark.parametrize(
    "reply", [b"0.1\n0.2\n3e-05\n", b"0.1\n0.2\n3e-05", b"0.1,0.2,3e-05", b"0.1\r\n0.2\r\n3e-05\r\n"]
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


def test_several_outputs_a_row() -> None:
    assert scores_of(b"0.1,0.9", ONE) == b"0.1,0.9\n"
    assert scores_of(b"[[0.1, 0.9]]", ONE) == b"0.1,0.9\n"
    assert scores_of(b"[0.5]", ONE) == b"0.5\n"
    assert scores_of(b"1,2\n3,4\n5,6\n", THREE) == b"1,2\n3,4\n5,6\n"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"0.1\n0.2\n", "2 scores came back for 3 rows"),
        (b"0.1\n0.2\n0.3\n0.4\n", "4 scores came back for 3 rows"),
        (b"", "0 scores came back for 3 rows"),
        (b"0.1\n\n0.3\n", "a score is not a finite number"),
        (b"0.1\nnan\n0.3\n", "a score is not a finite number"),
        (b"0.1\ninf\n0.3\n", "a score is not a finite number"),
        (b"0.1\nfraud\n0.3\n", "a score is not a finite number"),
        (b'{"predictions": [1, 2]}', "2 scores came back for 3 rows"),
        (b'{"predictions": [1, true, 3]}', "a score is not a finite number"),
        (b'{"predictions": [1, null, NaN]}', "a score is not a finite number"),
        (b'{"error": "secret"}', "1 scores came back for 3 rows"),
        (b"[1, 2, 3", "the reply begins like JSON and is none"),
    ],
)
def test_anything_else_is_a_bad_response(reply: bytes, said: str) -> None:
    with pytest.raises(PermanentError) as caught:
        scores_of(reply, THREE)
    assert caught.value.code == "BAD_RESPONSE"
    assert caught.value.message.startswith(f"rows 11 to 13 (at byte 0): {said}")
