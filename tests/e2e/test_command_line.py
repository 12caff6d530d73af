"""The command line against a deployment: which files are scored, and which scores are returned."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dropscore.jobs.job import Job, State
from tests.e2e.conftest import Driver
from tests.e2e.people import Person, assumed, user


@pytest.fixture(scope="module")
def person(driver: Driver) -> Person:
    return user(driver, upload="UploadersPolicyArn", read="ReadersPolicyArn")


@pytest.fixture(scope="module")
def operator(driver: Driver) -> Person:
    return Person(driver, assumed(driver, driver.cloud.outputs["OperatorsRoleArn"]))


def _json(person: Person, *arguments: str, code: int = 0) -> Any:
    done = person.run(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_result_of_a_file_stays_whole_after_its_rejected_rows_are_retried(
    person: Person, operator: Person, sample: list[bytes], tmp_path: Path
) -> None:
    rows = [
        sample[0].replace(sample[0].split(b",")[3], b"oops", 1) if number in (9, 120) else sample[0]
        for number in range(300)
    ]
    (tmp_path / "merged.csv").write_bytes(b"\n".join(rows) + b"\n")
    (own,) = _json(person, "score", str(tmp_path / "merged.csv"), "--route", "forgiving", "--watch", code=1)
    assert (own["status"], own["rows"], own["rows_rejected"]) == ("SUCCEEDED", 300, 2)
    name, first, again = "forgiving/merged.csv", tmp_path / "first.csv", tmp_path / "again.csv"
    person.run_allowed("result", name, "-o", str(first))

    (later,) = _json(operator, "retry", name, "--rejected-only", "--watch", code=1)
    assert (later["rejected_of"], later["rows"], later["rows_rejected"]) == (own["job_id"], 2, 2)

    done = person.run("result", name, "-o", str(again))
    assert (done.returncode, again.read_bytes()) == (0, first.read_bytes())
    assert len(first.read_bytes().splitlines()) == 300
    assert f"dropscore result {later['job_id']}" in done.stderr
    assert _json(person, "status", name)["job_id"] == own["job_id"]
    assert "DIFFERS" not in person.run_allowed("verify", name)
    assert {job["job_id"] for job in _json(person, "jobs", "--file", name)} == {own["job_id"], later["job_id"]}
    done = person.run("result", later["job_id"], "-o", str(again))
    assert (done.returncode, len(again.read_bytes().splitlines())) == (0, 2)
    assert f"only the rows that job {own['job_id']} rejected" in done.stderr


def test_names_decide_what_is_scored(driver: Driver, person: Person, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:5]) + b"\n"
    nobodys = ["_SUCCESS", "x/_temporary/0/part-0.csv", "x/._a.csv", "x/.~lock.a.csv#", "x/a.csv.part", "x/a_$folder$"]
    ignored = [driver.drop(f"input/{name}", body) for name in nobodys]
    rejected = driver.ended(driver.drop("input/x/march.tsv", body))
    assert (rejected.status, rejected.code) == (State.REJECTED, "NOT_AN_INPUT")
    assert "`names` of [inputs] in dropscore.toml" in (rejected.message or "")
    assert driver.batch_jobs(rejected.job_id) == []
    assert _json(person, "status", "x/march.tsv")["code"] == "NOT_AN_INPUT"
    for key, data in (("claims_0000_part_00", body), ("unload/y=1/000.gz", gzip.compress(body))):
        job = driver.ended(driver.drop(f"input/{key}", data))
        assert (job.status, job.rows) == (State.SUCCEEDED, 5)
        assert len(driver.read(job.output_key).splitlines()) == 5
        assert "DIFFERS" not in person.run_allowed("verify", job.job_id)
    assert [driver.find(identity) for identity in ignored] == [None] * len(ignored)


def test_what_would_go_wrong_is_refused_before_the_upload(
    driver: Driver, person: Person, sample: list[bytes], tmp_path: Path
) -> None:
    for name in ("x/a.csv", "y/a.csv", "y/readme.txt", "y/_SUCCESS"):
        (tmp_path / "drop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "drop" / name).write_bytes(b"\n".join(sample[:5]) + b"\n")
    a, b = str(tmp_path / "drop/x/a.csv"), str(tmp_path / "drop/y/a.csv")
    for arguments, why in (
        ([a, "--route", "forgivin"], "there is no route 'forgivin'; deployed routes: default, forgiving, ids, wide"),
        ([a, b], "would both be uploaded as input/a.csv"),
        ([str(tmp_path / "drop/y/readme.txt")], "would not be scored: the name matches none of the patterns"),
    ):
        done = person.run("score", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert why in done.stderr
    jobs = [Job(**job) for job in _json(person, "score", str(tmp_path / "drop"), "--route", "forgiving", "--watch")]
    assert [(job.file, job.route, job.status) for job in jobs] == [
        (f"input/forgiving/{name}/a.csv", "forgiving", State.SUCCEEDED) for name in "xy"
    ]
