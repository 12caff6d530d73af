"""Where a job says that something is: the file's row, column, name, line and byte, by our container's own parser."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
from dataclasses import replace
from typing import Any

import pytest

from dropscore.errors import RejectedError
from dropscore.events.submit import RetryRequest
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from dropscore.jobs.routes import errors_key
from tests.unit.dropscore import conftest
from tests.unit.dropscore.conftest import Account, model_error

INCHES = b"".join(
    b'%d,%d" pipe,1.5\n' % (row, row) if row in (3, 33) else b"%d,pipe,1.5\n" % row for row in range(1, 41)
)


@pytest.fixture
def strict(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account whose model refuses what our container refuses, in bodies of up to 100 bytes."""
    monkeypatch.setitem(conftest.MODELS, "fraud", replace(conftest.MODELS["fraud"], max_payload_bytes=100))
    parse = importlib.import_module("model.serving.formats.csv_rows").parse
    schema = importlib.import_module("model.serving.formats.schema").Schema
    refusal = importlib.import_module("model.serving.refusal").RefusalError

    def refuse(body: bytes) -> None:
        first = next(csv.reader(io.StringIO(body.decode(errors="replace"), newline="")))
        try:
            parse(body, schema(features=len(first)))
        except refusal as said:
            raise model_error(said.status, said.to_json().decode()) from None

    account.model.fail, account.model.is_by_digest = refuse, True
    return account


def _run(account: Account, data: bytes, *, key: str = "input/a.csv", **said: Any) -> Job:
    account.options = Options.parse(said, "test")
    return _finished(account, account.take(account.put(data, key)) or "")


def _finished(account: Account, job_id: str) -> Job:
    job = account.job(job_id)
    try:
        if job.shards == 1 and job.status is State.SUBMITTED:
            account.worker(job.batch_job_id or "").score(job_id)
        elif job.status is State.SUBMITTED:
            for index in reversed(range(job.shards)):
                account.worker(f"batch-1:{index}").score_shard(job_id, index)
            account.worker(job.batch_job_id or "").publish(job_id)
    except RejectedError as error:
        assert account.job(job_id).code == error.code  # noqa: PT017 - what was raised is what the table says
    return account.job(job_id)


def _listed(account: Account, job: Job) -> list[dict[str, str]]:
    text = account.outputs()[errors_key(job.output_key)].decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("shard_bytes", [1 << 20, 300, 100, 80])
@pytest.mark.parametrize("allowed", [0, "100%"])
def test_stray_quote_rejects_the_file_whatever_is_allowed(
    strict: Account, shard_bytes: int, allowed: int | str
) -> None:
    strict.shard_bytes = shard_bytes
    job = _run(strict, b"n,what,x\n" + INCHES, header=True, exclude=["what"], max_bad_rows=allowed)
    assert (job.status, job.code) == (State.REJECTED, "STRAY_QUOTE")
    at = 9 + INCHES.index(b'"')
    place = f'row 3 (line 4, at byte {at}): column 2 ("what"): '
    assert (job.message or "").startswith(place + "a double quote stands in the middle of a cell")
    assert strict.outputs() == {}


@pytest.mark.parametrize("shard_bytes", [1 << 20, 300, 90])
def test_stray_quote_far_in_is_named_the_same_in_shards(
    strict: Account, shard_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dropscore.files.input.HEAD_BYTES", 60)
    monkeypatch.setattr("dropscore.files.head.HEAD_BYTES", 60)
    strict.shard_bytes = shard_bytes
    data = b"n,what,x\n" + b'1,"a\nb",2\n\n' * 20 + INCHES
    job = _run(strict, data, header=True, exclude=["what"])
    assert (job.status, job.code) == (State.REJECTED, "STRAY_QUOTE")
    at = data.index(b'3" pipe') + 1
    line = data.count(b"\n", 0, at) + 1
    assert (job.message or "").startswith(f'row 23 (line {line}, at byte {at}): column 2 ("what")')


def test_stray_quote_in_a_packed_file_is_named(strict: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dropscore.files.input.HEAD_BYTES", 30)
    monkeypatch.setattr("dropscore.files.head.HEAD_BYTES", 30)
    job = _run(strict, gzip.compress(b"n,what,x\n" + INCHES), key="input/a.csv.gz", header=True, exclude=[2])
    assert (job.code, (job.message or "")[:14]) == ("STRAY_QUOTE", "row 3 (line 4,")


def test_stray_quote_in_the_header_is_named(strict: Account) -> None:
    job = _run(strict, b'n,5" x,y\n1,2,3\n', header=True)
    assert (job.message or "").startswith("line 1, at byte 3: in the header, column 2: a double quote stands in")


def test_quotes_are_ordinary_when_the_option_says_so(strict: Account) -> None:
    strict.shard_bytes = 100
    job = _run(strict, b"n,what,x\n" + INCHES, header=True, exclude=["what"], quote="none")
    assert (job.status, job.rows) == (State.SUCCEEDED, 40)
    assert strict.read(job.output_key).count(b"\n") == 40


def test_escaped_quotes_are_read_when_the_option_says_so(strict: Account) -> None:
    data = b"".join(b'%d,"%d\\" pipe,\n\\\\",1.5\n' % (row, row) for row in range(20))
    strict.shard_bytes = 100
    job = _run(strict, data, exclude=[2], escape="\\", header=False)
    assert (job.status, job.rows, job.shards) == (State.SUCCEEDED, 20, 1)


@pytest.mark.parametrize("shard_bytes", [1 << 20, 60])
def test_bad_cell_is_named_by_the_files_column_and_line(strict: Account, shard_bytes: int) -> None:
    strict.shard_bytes = shard_bytes
    rows = [b'i%d,"a\nb",%d,%s\n\r\n' % (row, row, b"oops" if row in (7, 19) else b"2") for row in range(24)]
    data = b"\n\nid,text,first,second\n\n" + b"".join(rows)
    said: dict[str, Any] = {"header": True, "id": "id", "columns": ["second", "first"]}
    job = _run(strict, data, **said)
    assert (job.status, job.code) == (State.REJECTED, "NOT_A_NUMBER")
    at, line = data.index(b"i7,"), data.count(b"\n", 0, data.index(b"i7,")) + 1
    later = data.index(b"i19,")
    places = [
        f"row {row} (line {data.count(10, 0, where) + 1}, at byte {where}): " for row, where in ((8, at), (20, later))
    ]
    assert any((job.message or "").startswith(place) for place in places[: 1 if job.shards == 1 else 2])
    assert 'a cell is not a number, column 4 ("second")' in (job.message or "")
    job = _run(strict, data, max_bad_rows=2, **said)
    assert job.status is State.SUCCEEDED
    assert [(int(bad["row"]), int(bad["offset"]), int(bad["line"])) for bad in _listed(strict, job)] == [
        (8, at, line),
        (20, later, data.count(b"\n", 0, later) + 1),
    ]
    assert {(bad["column"], bad["column_name"]) for bad in _listed(strict, job)} == {("4", "second")}


def test_quoted_bad_cell_is_named_by_its_column(strict: Account) -> None:
    job = _run(strict, b'a,b,c\n1,2,3\n1,"x,y",3\n1,2,"z"\n', header=True, max_bad_rows=2)
    assert [(bad["row"], bad["column"], bad["column_name"]) for bad in _listed(strict, job)] == [
        ("2", "2", "b"),
        ("3", "3", "c"),
    ]


def test_rows_of_a_list_with_columns_are_scored_again(strict: Account) -> None:
    strict.options = Options(max_bad_rows=2, header=True)
    upload = strict.put(b'a,"b,\nc"\n1,2\n1,oops\n\n1,3\n1,oops\n')
    first = _finished(strict, strict.take(upload) or "")
    assert [bad["line"] for bad in _listed(strict, first)] == ["4", "7"]
    again = _finished(strict, strict.submitter().retry(upload, RetryRequest(rejected_only=True)))
    assert (again.status, again.rows, again.rows_rejected) == (State.SUCCEEDED, 2, 2)
    assert [(bad["row"], bad["line"], bad["column_name"]) for bad in _listed(strict, again)] == [
        ("1", "4", "b,�c"),
        ("2", "7", "b,�c"),
    ]


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        (b"NA", 'set na_values = ["NA"]'),
        (b"null", 'set na_values = ["null"]'),
        (b"\\N", 'set na_values = ["\\\\N"]'),
        (b" none", 'set na_values = [" none"]'),
        (b'"1,5"', 'set decimal = ","'),
        (b"x", ""),
    ],
)
def test_refused_value_names_the_option_that_reads_it(strict: Account, cell: bytes, hint: str) -> None:
    job = _run(strict, b"1,2\n1," + cell + b"\n3,4\n", header=False)
    message = job.message or ""
    assert job.code == "NOT_A_NUMBER"
    assert hint in message if hint else "set " not in message
    assert "a cell is not a number, column 2; " in message


def test_a_hint_stays_on_one_line(strict: Account) -> None:
    """The list of bad rows has one line for each row; a hint that repeated this cell's line break would break it."""
    strict.shard_bytes = 20
    job = _run(strict, b"1,2\n" * 5 + b'1,"-\n"\n' + b"3,4\n" * 5, header=False, max_bad_rows=1)
    assert (job.status, job.rows, job.rows_rejected) == (State.SUCCEEDED, 11, 1)
    (bad,) = _listed(strict, job)
    assert (bad["row"], bad["code"], bad["reason"]) == ("6", "NOT_A_NUMBER", "a cell is not a number, column 2")


def test_point_under_decimal_commas_is_refused_as_a_group(strict: Account) -> None:
    job = _run(strict, b"1,5;2\n1.234;5\n", header=False, delimiter=";", decimal=",")
    assert job.code == "NOT_A_NUMBER"
    assert 'row 2 (line 2, at byte 6): the model refused it: a cell is not a number, column 1; with decimal = ","' in (
        job.message or ""
    )


def test_latin_1_is_named_where_the_model_gets_it(strict: Account) -> None:
    job = _run(strict, b"1,2\n3,4\xe4\n", header=False)
    assert (job.status, job.code) == (State.REJECTED, "ENCODING")
    assert (job.message or "").startswith(
        "row 2 (line 2, at byte 4): the model refused it: it is not UTF-8 text, column 2; "
    )
    assert "Latin-1 or Windows-1252" in (job.message or "")
    job = _run(strict, b"a,gr\xf6\xdfe\n1,2\n", header=True)
    assert (job.code, "header is not UTF-8 text, it may be Latin-1" in (job.message or "")) == ("ENCODING", True)


def test_latin_1_in_a_column_that_is_not_sent_is_carried_through(strict: Account) -> None:
    job = _run(strict, b"name,x\nM\xfcller,2\n", header=True, id="name", output="id")
    assert job.status is State.SUCCEEDED
    assert strict.read(job.output_key).startswith(b"name,score\nM\xfcller,0.")


def test_line_for_excel_is_skipped_when_it_agrees(strict: Account) -> None:
    job = _run(strict, b"\xef\xbb\xbfsep=;\r\na;b\r\n1;2\r\n1;x\r\n", delimiter=";", header=True, max_bad_rows=1)
    assert (job.status, job.rows) == (State.SUCCEEDED, 2)
    (bad,) = _listed(strict, job)
    assert (bad["row"], bad["line"], bad["column_name"]) == ("2", "4", "b")
    job = _run(strict, b"sep=;\r\na;b\r\n1;2\r\n")
    assert (job.status, job.code) == (State.REJECTED, "OTHER_DELIMITER")
    assert 'set delimiter = ";", and the line is skipped' in (job.message or "")


@pytest.mark.parametrize("shard_bytes", [1 << 20, 30])
def test_rows_of_empty_cells_are_counted_or_skipped(strict: Account, shard_bytes: int) -> None:
    strict.shard_bytes = shard_bytes
    data = b"a,b\n" + b"1,2\n" * 10 + b",\r\n" * 3 + b'"",""\n' + b"3,4\n" * 10 + b",\n" * 5
    job = _run(strict, data, header=True)
    assert (job.status, job.code, job.rows, job.rows_empty) == (State.SUCCEEDED, None, 29, 9)
    assert "9 rows hold empty cells only and were sent to the model; skip_empty_rows = true" in (job.message or "")
    assert strict.manifest(job)["rows"] == {"in": 29, "scored": 29, "rejected": 0, "empty": 9}
    job = _run(strict, data, header=True, skip_empty_rows=True)
    assert (job.status, job.rows, job.rows_empty) == (State.SUCCEEDED, 20, 9)
    assert strict.read(job.output_key).count(b"\n") == 20
    assert "9 rows with empty cells only were skipped" in (job.message or "")


def test_last_empty_cell_without_a_line_end_is_missing(strict: Account) -> None:
    job = _run(strict, b'1\n""', header=False)
    assert (job.status, job.rows, strict.read(job.output_key).count(b"\n")) == (State.SUCCEEDED, 2, 2)
