"""Realistic keys: each is scored, refused with its own code, or ignored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.case import sampled
from tests.faults.laboratory import Laboratory
from tests.faults.upload import rows
from tests.faults.verdict import end_of, violations

ReportLine = Callable[[str, str, str], None]


def _long(character: str, size_bytes: int) -> str:
    """A key of exactly this size."""
    room = size_bytes - len("input/.csv")
    filled = character * (room // len(character.encode()))
    return f"input/{filled}{'x' * (room - len(filled.encode()))}.csv"


def _shown(key: str) -> str:
    size_bytes = len(key.encode())
    return ascii(key) if size_bytes < 100 else f"{key[:10]!a} … of {size_bytes} bytes"


KEYS = [
    ("input/a.csv", "SUCCEEDED"),
    ("input/ü – 漢字 🙂.csv", "SUCCEEDED"),
    ("input/u\N{COMBINING DIAERESIS}.csv", "SUCCEEDED"),
    ("input/a b  c.csv", "SUCCEEDED"),
    ("input/100%.csv", "SUCCEEDED"),
    ("input/a%20b%2Fc.csv", "SUCCEEDED"),
    ("input/a+b.csv", "SUCCEEDED"),
    ("input/a&b=c?d#e.csv", "SUCCEEDED"),
    ("input/'\"<>|*\\.csv", "SUCCEEDED"),
    ("input/line\nend\ttab.csv", "SUCCEEDED"),
    ("input/a/b/c/d/e.csv", "SUCCEEDED"),
    ("input/default/a.csv", "SUCCEEDED"),
    ("input/A.CSV", "SUCCEEDED"),
    ("input//a.csv", "SUCCEEDED"),
    ("input/a//b.csv", "SUCCEEDED"),
    ("input/a.errors.csv", "SUCCEEDED"),
    ("input/a.csv.csv", "SUCCEEDED"),
    (_long("x", 980), "SUCCEEDED"),
    (_long("漢", 980), "SUCCEEDED"),
    ("input/a.csv ", "REJECTED NOT_AN_INPUT"),
    ("input/a.txt", "REJECTED NOT_AN_INPUT"),
    ("input/0000_part_00", "REJECTED NOT_AN_INPUT"),
    ("input/000.gz", "REJECTED NOT_AN_INPUT"),
    ("input/line\nend.txt", "REJECTED NOT_AN_INPUT"),
    (_long("x", 1002), "REJECTED KEY_TOO_LONG"),
    (_long("x", 1024), "REJECTED KEY_TOO_LONG"),
    (_long("漢", 1024), "REJECTED KEY_TOO_LONG"),
    ("input/.csv", "nothing"),
    ("input/a/.csv", "nothing"),
    ("input/folder/", "nothing"),
    ("input/a.csv/", "nothing"),
    ("input/a.csv.job.json", "nothing"),
    ("input/./a.csv", "nothing"),
    ("input/../a.csv", "nothing"),
    ("input/.csv.gz", "nothing"),
    ("input/_SUCCESS", "nothing"),
    ("input/_temporary/0/part-0000.csv", "nothing"),
    ("input/~$a.csv", "nothing"),
    ("input/a.csv.part", "nothing"),
    ("input/a_$folder$", "nothing"),
    ("inputs/a.csv", "nothing"),
    ("Input/a.csv", "nothing"),
    ("/input/a.csv", "nothing"),
    ("output/a.csv", "nothing"),
    ("a.csv", "nothing"),
]
PARAMETERS = [pytest.param(*pair, id=_shown(pair[0]), marks=sampled(number)) for number, pair in enumerate(KEYS)]


@pytest.mark.parametrize(("key", "expected"), PARAMETERS)
def test_a_key_is_scored_or_left_alone(key: str, expected: str, lab: Laboratory, report_line: ReportLine) -> None:
    upload = lab.score(lab.put(rows(5), key))
    found = violations(lab, upload) if expected != "nothing" else [str(item) for item in lab.cloud.items()]
    seen = [end_of(lab, upload), *found]
    report_line(f"key: {_shown(key)}", expected, "; ".join(seen))
    assert seen == [expected]
    assert lab.batch.attempts == (1 if expected == "SUCCEEDED" else 0)
