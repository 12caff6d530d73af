"""Files with headers for a model whose features have names: what is sent, when the model changes, what is recorded."""

from __future__ import annotations

import gzip
import random
from zlib import crc32

import pytest

from dropscore.errors import PermanentError, TransientError
from dropscore.events.submit import RetryRequest
from dropscore.files.feature_names import digest_of, read_names
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from dropscore.jobs.routes import Model, StoredNames
from tests.unit.dropscore.conftest import BUCKET, MODELS, Account

NAMES = ("a", "b", "c", "d")
RANDOM = random.Random(0)
ROWS = [[str(RANDOM.randint(10, 99)) for _ in NAMES] for _ in range(60)]


def _file(header: str, end: str = "\n", ids: bool = False) -> bytes:
    order = [NAMES.index(name) for name in header.split(",") if name in NAMES]
    lines = [",".join([f"id{number}"] * ids + [row[place] for place in order]) for number, row in enumerate(ROWS)]
    return end.join([header, *lines, ""]).encode()


def _scores(order: str = "abcd") -> bytes:
    rows = [",".join(row[NAMES.index(name)] for name in order).encode() for row in ROWS]
    return b"".join(b"0.%d\n" % crc32(row + b"\n") for row in rows)


def _taken(account: Account, data: bytes, key: str = "input/a.csv") -> Job:
    return account.job(account.take(account.put(data, key)) or "")


def _run(account: Account, job: Job) -> Job:
    if job.shards == 1:
        account.worker().score(job.job_id)
    else:
        for index in range(job.shards):
            account.worker(f"batch-1:{index}").score_shard(job.job_id, index)
        account.worker("batch-2").publish(job.job_id)
    return account.job(job.job_id)


@pytest.fixture
def named(account: Account) -> Account:
    account.deploy(*NAMES)
    return account


@pytest.mark.parametrize("shard_bytes", [1 << 20, 300, 100])
@pytest.mark.parametrize(("end", "ids"), [("\n", False), ("\r\n", True)])
def test_columns_in_another_order_are_matched_by_name(named: Account, shard_bytes: int, end: str, ids: bool) -> None:
    named.shard_bytes, named.options = shard_bytes, Options(id="x" if ids else None)
    job = _run(named, _taken(named, _file(("x," if ids else "") + "d,c,b,a", end, ids)))
    assert (job.status, job.rows) == (State.SUCCEEDED, 60), job
    assert named.read(job.output_key) == _scores()
    assert named.manifest(job)["columns"] == {
        "matched": "by name",
        "reordered": True,
        "feature_names": digest_of(NAMES),
    }


def test_position_switches_the_match_off(named: Account) -> None:
    named.options = Options(match_columns="position")
    job = _run(named, _taken(named, _file("d,c,b,a")))
    assert named.read(job.output_key) == _scores("dcba")
    assert named.manifest(job)["columns"] == {"matched": "by position", "why": 'match_columns = "position"'}


def test_a_file_without_header_goes_by_position(named: Account) -> None:
    job = _run(named, _taken(named, _file("d,c,b,a").split(b"\n", 1)[1]))
    assert named.read(job.output_key) == _scores("dcba")
    assert named.manifest(job)["columns"] == {"matched": "by position", "why": "no header"}


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        ("customer_id,a,b,c,d", "NOT_A_FEATURE", '`customer_id` is not a feature; add `id = "customer_id"`'),
        ("a,b,c", "COLUMN_MISSING", "the header lacks `d`"),
        ("a,a,b,c,d", "DUPLICATE_COLUMN", "the header has the feature `a` 2 times"),
    ],
)
def test_a_file_with_other_columns_is_rejected_at_once(named: Account, header: str, code: str, words: str) -> None:
    job = _taken(named, f"{header}\n{','.join('7' for _ in header.split(','))}\n".encode())
    assert (job.status, job.code) == (State.REJECTED, code)
    assert words in (job.message or "")
    assert named.batch.submitted == []


@pytest.mark.parametrize("data", [b"a,b,c,d", b"a,b,c,d\n", b"\xef\xbb\xbfd,c,b,a\r\n", b"a,b,c,d\r\n\r\n"])
@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("shard_bytes", [1 << 20, 3])
def test_a_header_alone_is_an_empty_file(account: Account, data: bytes, is_compressed: bool, shard_bytes: int) -> None:
    account.shard_bytes = shard_bytes
    for names in ((), NAMES):
        if names:
            account.deploy(*names)
        job = _taken(account, gzip.compress(data) if is_compressed else data, "input/a.csv" + ".gz" * is_compressed)
        assert (job.status, job.code) == (State.REJECTED, "EMPTY_FILE"), job


@pytest.mark.parametrize("shard_bytes", [1 << 20, 40_000])
def test_a_header_above_blank_lines_is_an_empty_file(named: Account, shard_bytes: int) -> None:
    named.shard_bytes = shard_bytes
    job = _taken(named, b"d,c,b,a\n" + b"\n" * 100_000)
    with pytest.raises(PermanentError, match="EMPTY_FILE"):
        _run(named, job)
    assert named.job(job.job_id).status is State.REJECTED


def test_rows_matched_by_name_are_not_scored_by_other_features(named: Account) -> None:
    job = _taken(named, _file("d,c,b,a"))
    named.model.names = ("d", "c", "b", "a")  # the endpoint is ahead of the workers
    for names in (("d", "c", "b", "a"), ()):
        named.model.names = names
        with pytest.raises(TransientError, match="MODEL_CHANGED: endpoint endpoint serves a model whose feature names"):
            named.worker().score(job.job_id)
        assert named.outputs() == {}
    named.model.names = NAMES
    assert _run(named, named.job(job.job_id)).status is State.SUCCEEDED


def test_rows_by_position_are_scored_by_whatever_answers(named: Account) -> None:
    named.options = Options(match_columns="position")
    named.model.names = ("d", "c", "b", "a")
    assert _run(named, _taken(named, _file("d,c,b,a"))).status is State.SUCCEEDED


def test_a_model_with_other_names_scores_all_shards_again(named: Account) -> None:
    named.shard_bytes = 300
    job = _taken(named, _file("d,c,b,a"))
    for index in range(3):
        named.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    named.deploy("d", "c", "b", "a", version="ba9876543210")
    for index in range(3, job.shards):
        named.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    named.worker("batch-2").publish(job.job_id)
    assert named.read(job.output_key) == _scores("dcba")
    assert named.manifest(job)["columns"]["feature_names"] == digest_of(("d", "c", "b", "a"))


def test_parts_of_before_the_names_were_known_are_not_mixed_in(account: Account) -> None:
    account.shard_bytes, account.model.is_by_digest, account.model.version = 300, True, "0123456789ab"
    account.models = {"fraud": Model(**{**vars(MODELS["fraud"]), "max_payload_bytes": 100})}
    job = _taken(account, _file("d,c,b,a"))
    for index in range(2):
        account.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    account.deploy(*NAMES)  # the same model, imported again: its version is the same
    for index in range(2, job.shards):
        account.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    account.worker("batch-2").publish(job.job_id)
    assert account.read(job.output_key) == _scores()


def test_a_retry_by_another_model_matches_its_names(named: Account) -> None:
    upload = named.put(_file("d,c,b,a"))
    _run(named, named.job(named.take(upload) or ""))
    first = named.models
    named.deploy("b", "a", "d", "c", version="ba9876543210")
    named.models = {**first, "other": Model(**{**vars(named.models["fraud"]), "name": "other"})}
    again = named.job(named.submitter().retry(upload, RetryRequest(model="other")))
    assert named.read(_run(named, again).output_key) == _scores("badc")


def test_names_that_cannot_be_read_fail_the_job_and_say_what_to_do(named: Account) -> None:
    named.s3.delete_object(Bucket=BUCKET, Key=named.models["fraud"].feature_names.key)  # type: ignore[union-attr]
    job = _taken(named, _file("d,c,b,a"))
    assert job.status is State.FAILED
    assert "`dropscore retry`" in (job.message or "")


def test_a_model_without_names_reads_none(account: Account) -> None:
    assert read_names(account.s3, MODELS["fraud"]) == ()
    assert read_names(None, MODELS["fraud"]) == ()  # type: ignore[arg-type]


def test_names_are_read_as_they_were_written(named: Account) -> None:
    named.deploy("größe", "a b", "日本")
    stored = named.models["fraud"].feature_names
    assert isinstance(stored, StoredNames)
    assert read_names(named.s3, named.models["fraud"]) == ("größe", "a b", "日本")
