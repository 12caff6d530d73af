"""Malformed and unusual files: their content, and how their jobs must end."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

GOOD = b"7,2,3\n4,5,6\n"
SMALL_BOMB = {"constants": {"dropscore.files.gunzip.ALWAYS_ALLOWED_BYTES": 1 << 20}}


@dataclass(frozen=True, kw_only=True)
class File:
    """`sent`: the rows that the model receives, unless they are the file's. `job_options`: content of `.job.json`."""

    name: str
    data: bytes
    ends: str
    sent: bytes | None = None
    key: str = "input/a.csv"
    job_options: bytes | None = None
    features: int | None = None


def _bad(name: str, data: bytes, code: str) -> File:
    return File(name=name, data=data, ends=f"REJECTED {code}")


def _after_good_rows(name: str, row: bytes, code: str) -> File:
    return _bad(name, GOOD + row + GOOD, code)


def _good(name: str, data: bytes, sent: bytes | None = None) -> File:
    return File(name=name, data=data, ends="SUCCEEDED", sent=sent)


def _compressed(name: str, data: bytes, ends: str = "SUCCEEDED", sent: bytes | None = GOOD) -> File:
    return File(name=name, data=data, ends=ends, sent=sent, key="input/a.csv.gz")


def _with(name: str, job_options: object, ends: str, data: bytes = GOOD, sent: bytes | None = None) -> File:
    text = job_options if isinstance(job_options, bytes) else json.dumps(job_options).encode()
    return File(name=name, data=data, ends=ends, sent=sent, job_options=text)


PLAIN = [
    _bad("an empty file", b"", "EMPTY_FILE"),
    _bad("one line end", b"\n", "EMPTY_FILE"),
    _bad("only blank lines", b"\r\n\n\r\n", "EMPTY_FILE"),
    _bad("only a header", b"canary7391,b,c\n", "EMPTY_FILE"),
    _bad("too few columns", b"5,2\n3,4\n", "WRONG_COLUMN_COUNT"),
    _bad("decimal commas", b"1,5,2,5,3,5\n", "WRONG_COLUMN_COUNT"),
    _bad("semicolons", GOOD.replace(b",", b";"), "WRONG_COLUMN_COUNT"),
    _bad("tabs", GOOD.replace(b",", b"\t"), "WRONG_COLUMN_COUNT"),
    _bad("CR alone", GOOD.replace(b"\n", b"\r"), "BAD_LINE_ENDS"),
    _bad("UTF-16", "1,2,3\n4,5,6\n".encode("utf-16"), "ENCODING"),
    _bad("UTF-16 without a byte order mark", "1,2,3\n".encode("utf-16-le"), "ENCODING"),
    _bad("a NUL", GOOD + b"1,\0,3\n", "ENCODING"),
    _bad("gzip under the name .csv", gzip.compress(GOOD, mtime=0), "ENCODING"),
    _bad("a Parquet file", b"PAR1\x15\x04\x15\n\x00\x00PAR1", "ENCODING"),
    _bad("a zip archive", b"PK\x03\x04\x14\x00\x00\x00\x08\x00canary7391", "ENCODING"),
    _bad("JSON lines", b'{"canary7391": 1}\n{"b": 2}\n', "STRAY_QUOTE"),
    _bad("HTML", b"<html>\n<body>canary7391</body>\n</html>\n", "WRONG_COLUMN_COUNT"),
    _bad("only missing values", b"NA,NA,NA\n" + GOOD, "AMBIGUOUS_HEADER"),
    _bad("numbers of columns above the rows", b"0,1,2\n" + GOOD, "AMBIGUOUS_HEADER"),
    _bad("a line of text above the rows", b"# exported by canary7391\n" + GOOD, "AMBIGUOUS_HEADER"),
    _bad("a quote that is never closed, over the limit", GOOD + b'1,"2,3\n' + GOOD * 9, "STRAY_QUOTE"),
    _bad("an inch mark within a cell", GOOD + b'1,5" canary7391,3\n' + GOOD, "STRAY_QUOTE"),
    _bad("a quote escaped by a backslash", GOOD + b'1,"canary\\"7391",3\n' + GOOD, "STRAY_QUOTE"),
    _bad("Latin-1 in the header", b"a,gr\xf6\xdfe,c\n" + GOOD, "ENCODING"),
    _bad("the line that tells Excel the delimiter", b"sep=;\n" + GOOD.replace(b",", b";"), "OTHER_DELIMITER"),
    _after_good_rows("too many columns in one row", b"1,2,3,canary7391\n", "WRONG_COLUMN_COUNT"),
    _after_good_rows("a word", b"1,canary7391,3\n", "NOT_A_NUMBER"),
    _after_good_rows("a quoted text with a line end", b'1,"canary\n7391",3\n', "NOT_A_NUMBER"),
    _after_good_rows("a quote that is never closed", b'1,"2,3\n', "STRAY_QUOTE"),
    _after_good_rows("NA", b"1,NA,3\n", "NOT_A_NUMBER"),
    _after_good_rows("a row over the limit", b"1,2," + b"3" * 200 + b"\n", "ROW_TOO_LARGE"),
    _after_good_rows("infinity", b"1,inf,3\n", "NOT_FINITE"),
    _after_good_rows("too large a number", b"1,1e999,3\n", "NOT_FINITE"),
    _after_good_rows("a hexadecimal number", b"1,0x1f,3\n", "NOT_A_NUMBER"),
    _after_good_rows("a nan with a payload", b"1,nan(7391),3\n", "NOT_A_NUMBER"),
    _after_good_rows("no UTF-8", b"1,\xe9\xff,3\n", "ENCODING"),
    _after_good_rows("digits of another script", "1,２,3\n".encode(), "NOT_A_NUMBER"),
    _after_good_rows("a formula", b"1,=cmd|'canary7391'!A0,3\n", "NOT_A_NUMBER"),
    _after_good_rows("a CR in the middle of a row", b"1,2\r,3\n", "BAD_LINE_END"),
    _good("a header and rows", b"canary7391,b,c\n" + GOOD, GOOD),
    _good("a UTF-8 byte order mark", b"\xef\xbb\xbf" + GOOD, GOOD),
    _good("CR LF", GOOD.replace(b"\n", b"\r\n"), GOOD),
    _good("a blank line between rows", GOOD + b"\n" + GOOD, GOOD * 2),
    _good("blank lines at the end", GOOD + b"\n\n", GOOD),
    _good("no line end at the end", GOOD[:-1]),
    _good("quoted numbers", b'"7","2","3"\n'),
    _good("missing values", b"1,,3\n,,\n"),
]

COMPRESSED = [
    _compressed("gzip", gzip.compress(GOOD, mtime=0)),
    _compressed("gzip of two members", gzip.compress(GOOD[:4], mtime=0) + gzip.compress(GOOD[4:], mtime=0)),
    _compressed("gzip of an empty file", gzip.compress(b"", mtime=0), "REJECTED EMPTY_FILE"),
    _compressed("an empty file named .gz", b"", "REJECTED GZIP_BROKEN"),
    _compressed("gzip cut short", gzip.compress(GOOD, mtime=0)[:-9], "REJECTED GZIP_BROKEN"),
    _compressed("gzip with a wrong checksum", gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8, "REJECTED GZIP_BROKEN"),
    _compressed("gzip with trailing data", gzip.compress(GOOD, mtime=0) + b"canary7391", "REJECTED GZIP_BROKEN"),
    _compressed("plain text named .gz", GOOD, "REJECTED GZIP_BROKEN"),
    _compressed("a bomb", gzip.compress(b"7,2,3\n" * (1 << 19), mtime=0), "REJECTED GZIP_TOO_LARGE"),
]

OPTIONS = [
    _with("job options that are not JSON", b"{canary7391", "REJECTED INVALID_OPTIONS"),
    _with("job options that are a list", ["canary"], "REJECTED INVALID_OPTIONS"),
    _with("job options nested too deeply", b"[" * 60_000, "REJECTED INVALID_OPTIONS"),
    _with("job options that are not UTF-8", b'{"id": "\xff"}', "REJECTED INVALID_OPTIONS"),
    _with("job options of 65 KiB", b" " * 66_561, "REJECTED INVALID_OPTIONS"),
    _with("an unknown option", {"heder": True}, "REJECTED INVALID_OPTIONS"),
    _with("an option of the wrong type", {"header": 1}, "REJECTED INVALID_OPTIONS"),
    _with("an unknown model", {"model": "another"}, "REJECTED INVALID_OPTIONS"),
    _with("a name without a header", {"id": "a"}, "REJECTED COLUMNS_NEED_HEADER"),
    _with(
        "a name that is not in the header", {"id": "z", "header": True}, "REJECTED COLUMN_MISSING", b"a,b,c\n" + GOOD
    ),
    _with("a number without a column", {"columns": [1, 9]}, "REJECTED COLUMN_MISSING"),
    _with("a name that occurs twice", {"id": "a", "header": True}, "REJECTED DUPLICATE_COLUMN", b"a,a,c\n" + GOOD),
    _with("semicolons with the option", {"delimiter": ";"}, "SUCCEEDED", GOOD.replace(b",", b";"), GOOD),
    _with("a header despite header = false", {"header": False}, "REJECTED UNEXPECTED_HEADER", b"a,b,c\n" + GOOD),
    _with("quotes as ordinary characters", {"quote": "none"}, "REJECTED NOT_A_NUMBER", b'1,5" canary7391,3\n'),
    _with("words for missing values", {"na_values": ["NA"]}, "SUCCEEDED", b"1,NA,3\n", b"1,,3\n"),
    _with("decimal commas", {"delimiter": ";", "decimal": ","}, "SUCCEEDED", b"1,5;2;3\n", b"1.5,2,3\n"),
    _with("empty rows that are skipped", {"skip_empty_rows": True}, "SUCCEEDED", GOOD + b",,\n", GOOD),
    File(name="as many columns as the model has", data=GOOD, ends="SUCCEEDED", features=3),
    File(name="too few columns for the model", data=GOOD, ends="REJECTED WRONG_COLUMN_COUNT", features=4),
]
FILES = [*PLAIN, *COMPRESSED, *OPTIONS]
