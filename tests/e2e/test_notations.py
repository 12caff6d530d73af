"""Quotes, missing values and decimal commas with `dropscore local run`, in one cloud for all files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Driver
from tests.e2e.test_run import dropscore

INCHES = {3: b'17,5" pipe', 1003: b'18,6" pipe'}
NAMES = b"note," + b",".join(b"V%d" % number for number in range(1, 31)) + b"\n"


def _with_notes(sample: list[bytes], notes: dict[int, bytes], rows: int = 1010) -> bytes:
    """The sample, repeated, with a leading column of text; `notes` by row number, as written in the file."""
    lines = [notes.get(row, b"plain") + b"," + sample[row % len(sample)] for row in range(1, rows + 1)]
    return NAMES + b"\n".join(lines) + b"\n"


def test_every_notation_is_scored_or_refused_when_run_from_the_command_line(
    tmp_path: Path, sample: list[bytes]
) -> None:
    inches = {row: note.replace(b",", b".") for row, note in INCHES.items()}
    escaped = {row: b'"' + note.replace(b'"', b'\\"') + b'"' for row, note in INCHES.items()}
    cells = sample[0].split(b",")
    noted = {"header": True, "exclude": ["note"]}
    files: dict[str, tuple[bytes, dict[str, Any]]] = {
        "inches": (_with_notes(sample, inches), {**noted, "max_bad_rows": "100%"}),
        "ordinary": (_with_notes(sample, inches), {**noted, "quote": "none"}),
        "backslashes": (_with_notes(sample, escaped), noted),
        "escaped": (_with_notes(sample, escaped), {**noted, "escape": "\\"}),
        "doubled": (_with_notes(sample, {5: b'"17,5"" pipe\nin two lines"'}), noted),
        "missing": (b",".join([b"NA", *cells[1:]]) + b"\n", {"header": False}),
        "named": (b",".join([b"NA", *cells[1:]]) + b"\n", {"header": False, "na_values": ["NA"]}),
        "commas": (
            b";".join(cell.replace(b".", b",") for cell in cells) + b"\n",
            {"header": False, "delimiter": ";", "decimal": ","},
        ),
        "excel": (b"sep=;\r\n" + b";".join(cells) + b"\r\n", {"header": False}),
        "empty": (sample[0] + b"\n" + b"," * (len(cells) - 1) + b"\n", {"header": False, "skip_empty_rows": True}),
        "plain": (sample[0] + b"\n", {"header": False}),
    }
    for name, (data, options) in files.items():
        (tmp_path / f"{name}.csv").write_bytes(data)
        (tmp_path / f"{name}.csv.job.json").write_text(json.dumps(options))

    done = dropscore(*(f"{name}.csv" for name in files), "--json", folder=tmp_path)

    jobs = dict(zip(files, json.loads(done.stdout), strict=True))
    ends = {name: job.get("code", job["status"]) for name, job in jobs.items()}
    assert ends == {
        **dict.fromkeys(files, "SUCCEEDED"),
        "inches": "STRAY_QUOTE",
        "backslashes": "STRAY_QUOTE",
        "missing": "NOT_A_NUMBER",
        "excel": "OTHER_DELIMITER",
    }, done.stderr
    assert jobs["inches"]["message"].startswith("row 3 (line 4, at byte ")
    assert 'column 1 ("note")' in jobs["inches"]["message"]
    assert 'quote = "none"' in jobs["inches"]["message"]
    assert 'escape = "\\\\"' in jobs["backslashes"]["message"]
    assert 'column 1; if its text means a missing value, set na_values = ["NA"]' in jobs["missing"]["message"]
    assert 'set delimiter = ";"' in jobs["excel"]["message"]
    assert (jobs["empty"]["rows"], jobs["empty"]["rows_empty"]) == (1, 1)
    assert "empty.csv: 1 rows with empty cells only were skipped" in done.stderr
    scores = {name: _scores(tmp_path, name) for name, end in ends.items() if end == "SUCCEEDED"}
    assert scores["ordinary"] == scores["escaped"] == scores["doubled"]
    assert len(scores["ordinary"]) == 1010
    assert scores["commas"] == scores["plain"] == scores["empty"]
    assert len(scores["named"]) == 1


def _scores(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.scores.csv").read_text().splitlines()


def test_stray_quote_far_into_a_file_of_shards_is_named(driver: Driver, sample: list[bytes]) -> None:
    rows = sample * (9_000_000 // sum(map(len, sample)))
    notes = {len(rows) - 7: b'5" pipe', len(rows) - 2: b'6" pipe'}
    data = _with_notes(sample, notes, len(rows))
    driver.client("s3").put_object(
        Bucket=driver.bucket, Key="input/far.csv.job.json", Body=b'{"header": true, "exclude": ["note"]}'
    )
    job = driver.ended(driver.drop("input/far.csv", data))
    at = data.index(b'5" pipe') + 1
    assert (job.shards > 2, job.code) == (True, "STRAY_QUOTE"), job
    assert (job.message or "").startswith(
        f'row {len(rows) - 7} (line {len(rows) - 6}, at byte {at}): column 1 ("note"): '
    )
    assert driver.outputs("far.csv") == []
