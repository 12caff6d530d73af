"""The command line against an account in this process (moto) whose stack outputs it has to find by itself."""

from __future__ import annotations

import fcntl
import io
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError
from moto import mock_aws

from dropscore.aws.table import JobsTable
from dropscore.cli import deployment, retry, score, watch
from dropscore.cli.deployment import Deployment, Scoring
from dropscore.cli.main import main
from dropscore.cli.options import Target
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job, State, job_id

TEXTS = ("job_id", "file", "status", "submitted_at")
TEMPLATE = {
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}},
        "Jobs": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in TEXTS],
                "KeySchema": [{"AttributeName": "job_id", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": f"by_{name}",
                        "KeySchema": [
                            {"AttributeName": name, "KeyType": "HASH"},
                            {"AttributeName": "submitted_at", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                    for name in ("file", "status")
                ],
            },
        },
    },
    "Outputs": {
        "BucketName": {"Value": {"Ref": "Bucket"}},
        "JobsTableName": {"Value": {"Ref": "Jobs"}},
        "InputNames": {"Value": '["*.csv", "*.csv.gz"]'},
        "RouteNames": {"Value": '["claims", "default"]'},
    },
}


class Commands:
    """Runs `dropscore …` in this process; what it printed and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        stack = boto3.client("cloudformation").describe_stacks()["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.bucket = outputs["BucketName"]
        self.s3 = boto3.client("s3")
        self.table = JobsTable(boto3.resource("dynamodb").Table(outputs["JobsTableName"]))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["dropscore", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json")[1])

    def job(self, number: int, status: State = State.SUCCEEDED, **changes: Any) -> Job:
        job = Job(
            job_id=f"{number:032x}",
            file="input/march.csv",
            version_id="v",
            route="default",
            model="fraud",
            model_version="0123456789ab",
            status=status,
            submitted_at=f"2026-11-21T00:00:0{number}.000Z",
            output_key=f"output/{number}-march.csv",
            size_bytes=1,
        )
        job = replace(job, **changes)
        assert self.table.claim(job)
        return job


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    with mock_aws():
        boto3.client("cloudformation").create_stack(
            StackName="dropscore-dev-storage", TemplateBody=json.dumps(TEMPLATE)
        )
        commands = Commands(capsys, monkeypatch)
        enabled: Any = {"Status": "Enabled"}  # moto's CloudFormation leaves it out
        commands.s3.put_bucket_versioning(Bucket=commands.bucket, VersioningConfiguration=enabled)
        yield commands


def test_score_uploads_and_prints_the_job_id_of_that_very_version(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_bytes(b"1\n")
    code, out, err = cli.run("score", str(tmp_path / "a b.csv"), "--route", "claims")
    version = cli.s3.head_object(Bucket=cli.bucket, Key="input/claims/a b.csv")["VersionId"]
    assert (code, out.strip()) == (0, job_id(cli.bucket, "input/claims/a b.csv", version))
    assert "is uploaded" in err


def test_score_uploads_the_options_that_lie_beside_a_file_before_it(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    (tmp_path / "a.csv.job.json").write_text('{"header": false}')
    code, _, err = cli.run("score", str(tmp_path / "a.csv"))
    assert (code, "uses the options in" in err) == (0, True)
    said = cli.s3.get_object(Bucket=cli.bucket, Key="input/a.csv.job.json")
    assert said["Body"].read() == b'{"header": false}'
    assert said["LastModified"] <= cli.s3.head_object(Bucket=cli.bucket, Key="input/a.csv")["LastModified"]


def test_score_finds_the_version_of_an_upload_in_parts(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"1\n" * (9 << 19))
    found = cli.json("score", str(tmp_path / "big.csv"))
    version = cli.s3.head_object(Bucket=cli.bucket, Key="input/big.csv")["VersionId"]
    assert found == [{"job_id": job_id(cli.bucket, "input/big.csv", version), "file": "input/big.csv"}]


@pytest.mark.parametrize(("final", "expected"), [(State.SUCCEEDED, 0), (State.FAILED, 1), (State.REJECTED, 1)])
def test_watch_waits_for_the_end_and_tells_it_by_the_exit_code(
    cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, final: State, expected: int
) -> None:
    (tmp_path / "march.csv").write_bytes(b"1\n")
    looks = 0

    def later(self: JobsTable, identity: str) -> Job | None:
        nonlocal looks
        looks += 1
        states = [None, State.RUNNING, final]
        state = states[min(looks, 3) - 1]
        return cli.job(looks, state, job_id=f"{looks}{identity}") if state else None

    monkeypatch.setattr(JobsTable, "find", later)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0)
    code, out, _ = cli.run("score", str(tmp_path / "march.csv"), "--watch")
    assert (code, looks) == (expected, 3)
    assert final in out


def _keys(cli: Commands) -> list[str]:
    return [each["Key"] for each in cli.s3.list_objects_v2(Bucket=cli.bucket).get("Contents", [])]


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"1\n")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("march.txt", "'*.csv', '*.csv.gz', which `names` of [inputs]"),
        ("march", "which `names` of [inputs]"),
        ("._march.csv", "are hidden"),
        ("~$march.csv", "temporary"),
        ("march.csv.job.json", "job options file"),
        ("m\udcff.csv", "is not UTF-8"),
    ],
)
def test_score_refuses_what_would_not_be_scored(cli: Commands, tmp_path: Path, name: str, why: str) -> None:
    _files(tmp_path, name, "good.csv")
    code, out, err = cli.run("score", str(tmp_path / "good.csv"), str(tmp_path / name))
    assert (code, out) == (2, "")
    assert why in err
    assert _keys(cli) == []


def test_score_refuses_a_route_that_is_not_deployed(cli: Commands, tmp_path: Path) -> None:
    _files(tmp_path, "a.csv")
    for route in ("clams", "claims/2026", ""):
        code, out, err = cli.run("score", str(tmp_path / "a.csv"), "--route", route)
        assert (code, out) == (2, "")
        assert f"there is no route {route!r}; deployed routes: claims, default" in err
    assert _keys(cli) == []


def test_score_refuses_two_files_of_one_name(cli: Commands, tmp_path: Path) -> None:
    _files(tmp_path, "x/a.csv", "y/a.csv")
    code, out, err = cli.run("score", str(tmp_path / "x/a.csv"), str(tmp_path / "y/a.csv"))
    assert (code, out) == (2, "")
    assert "would both be uploaded as input/a.csv; name the folder that contains both" in err
    assert _keys(cli) == []


def test_score_keeps_the_paths_of_a_folders_files(cli: Commands, tmp_path: Path) -> None:
    _files(tmp_path, "x/a.csv", "y/a.csv", "b.csv.gz", "_SUCCESS", "_temporary/c.csv", "y/a.csv.job.json", "readme.txt")
    (tmp_path / "y/a.csv.job.json").write_text("{}")
    code, out, err = cli.run("score", str(tmp_path), "--route", "claims")
    assert (code, len(out.splitlines())) == (0, 3)
    below = ["b.csv.gz", "x/a.csv", "y/a.csv", "y/a.csv.job.json"]
    assert _keys(cli) == [f"input/claims/{name}" for name in below]
    assert f"not uploaded: {tmp_path / 'readme.txt'}; the name matches none" in err
    assert "_SUCCESS" not in err


def test_score_of_a_folder_without_inputs_is_refused(cli: Commands, tmp_path: Path) -> None:
    _files(tmp_path, "_SUCCESS", "a.txt")
    code, _, err = cli.run("score", str(tmp_path))
    assert (code, "contains no file to score" in err) == (2, True)


def test_score_of_an_older_deployment_says_so(cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _files(tmp_path, "a.csv")
    monkeypatch.setattr(deployment, "_outputs", lambda *_: {"BucketName": cli.bucket, "JobsTableName": "jobs"})
    code, _, err = cli.run("score", str(tmp_path / "a.csv"))
    assert (code, "the storage stack has no output InputNames" in err) == (3, True)


def test_jobs_lists_the_newest_first(cli: Commands) -> None:
    cli.job(1, State.FAILED, code="MODEL_FAILED")
    cli.job(2)
    cli.job(3, file="input/april.csv")
    assert [job["job_id"][-1] for job in cli.json("jobs")] == ["3", "2", "1"]
    assert [job["job_id"][-1] for job in cli.json("jobs", "--limit", "1")] == ["3"]
    assert [job["job_id"][-1] for job in cli.json("jobs", "--status", "FAILED")] == ["1"]
    assert [job["job_id"][-1] for job in cli.json("jobs", "--file", "march.csv")] == ["2", "1"]
    assert [job["job_id"][-1] for job in cli.json("jobs", "--file", "march.csv", "--status", "FAILED")] == ["1"]
    code, out, _ = cli.run("jobs")
    assert code == 0
    assert "MODEL_FAILED" in out


@pytest.mark.parametrize("which", [f"{2:032x}", "march.csv", "input/march.csv"])
def test_status_shows_one_job_by_id_or_by_file(cli: Commands, which: str) -> None:
    cli.job(1)
    cli.job(2)
    assert cli.json("status", which)["job_id"] == f"{2:032x}"
    assert f"{2:032x}" in cli.run("status", which)[1]


@pytest.mark.parametrize("which", [f"{9:032x}", "nothing.csv"])
def test_a_job_that_is_not_there_is_a_usage_of_configuration(cli: Commands, which: str) -> None:
    code, out, err = cli.run("status", which)
    assert (code, out) == (3, "")
    assert "there is no job" in err


def test_result_writes_the_scores(cli: Commands, tmp_path: Path) -> None:
    job = cli.job(1, rows=2)
    cli.s3.put_object(Bucket=cli.bucket, Key=job.output_key, Body=b"0.1\n0.2\n")
    out = tmp_path / "scores.csv"
    assert cli.run("result", job.job_id, "-o", str(out))[0] == 0
    assert out.read_bytes() == b"0.1\n0.2\n"
    assert list(tmp_path.iterdir()) == [out]


def test_result_of_a_job_without_one_says_why(cli: Commands) -> None:
    cli.job(1, State.REJECTED, code="NOT_A_NUMBER", message="row 3, column 2: …")
    code, out, err = cli.run("result", "march.csv")
    assert (code, out) == (1, "")
    assert "REJECTED (NOT_A_NUMBER: row 3, column 2" in err


def test_a_deployment_that_is_not_there_is_named(cli: Commands) -> None:
    code, _, err = cli.run("jobs", "--env", "prod")
    assert code == 3
    assert "there is no stack dropscore-prod-storage in us-east-1" in err


def test_an_unknown_profile_is_a_matter_of_configuration(cli: Commands) -> None:
    code, _, err = cli.run("--profile", "nobody", "jobs")
    assert code == 3
    assert "nobody" in err


def test_what_aws_refuses_is_exit_code_4(cli: Commands) -> None:
    job = cli.job(1)
    code, _, err = cli.run("result", job.job_id)
    assert code == 4
    assert "NoSuchKey" in err


def test_no_embedded_cloud_is_said(cli: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(deployment, "EMBEDDED_CLOUD", tmp_path / "cloud.json")
    for arguments in (["--local", "jobs"], ["jobs", "--local"]):
        code, _, err = cli.run(*arguments)
        assert code == 3
        assert "dropscore local up" in err


def test_an_embedded_cloud_that_was_killed_is_said_at_once(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "cloud.json"
    monkeypatch.setattr(deployment, "EMBEDDED_CLOUD", file)
    keys = {"access_key_id": "AKIA", "secret_access_key": "s", "region": "us-east-1"}
    outputs = {"BucketName": "b", "JobsTableName": "t"}
    with socket.create_server(("127.0.0.1", 0)) as other:  # who took the port: it must not be asked
        file.write_text(json.dumps({**keys, "outputs": outputs, "endpoint_url": url(other)}))
        assert_it_has_ended(cli, seconds=1)
    with (tmp_path / "alive").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # it ends right after it was seen alive: nobody listens
        assert_it_has_ended(cli, seconds=3)


def url(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def assert_it_has_ended(cli: Commands, *, seconds: float) -> None:
    began = time.monotonic()
    code, _, err = cli.run("--local", "jobs")
    assert code == 4
    assert "the embedded cloud has ended; start it again with `dropscore local up`" in err
    assert time.monotonic() - began < seconds


def test_a_command_that_is_not_there_is_exit_code_2(cli: Commands) -> None:
    assert cli.run("scroe")[0] == 2


def test_version(cli: Commands) -> None:
    assert cli.run("--version")[1].strip().count(".") == 2


def test_a_bucket_without_versions_is_named(cli: Commands, tmp_path: Path) -> None:
    suspended: Any = {"Status": "Suspended"}
    cli.s3.put_bucket_versioning(Bucket=cli.bucket, VersioningConfiguration=suspended)
    (tmp_path / "a.csv").write_bytes(b"1\n")
    code, _, err = cli.run("score", str(tmp_path / "a.csv"))
    assert code == 3
    assert "keeps no versions" in err


class Functions:
    """`submit` as `dropscore retry` sees it."""

    def __init__(self, answer: dict[str, Any], *, fails: bool = False) -> None:
        self.answer, self.fails = answer, fails
        self.asked: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "submit-function"
        self.asked.append(json.loads(Payload)["retry"])
        error = {"FunctionError": "Unhandled"} if self.fails else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **error}


def _retry(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, functions: Functions, *arguments: str
) -> tuple[int, str, str]:
    found = deployment.connect

    def with_submit(target: Target) -> Deployment:
        scoring = Scoring(functions=functions, queues=None, outputs={"SubmitFunctionName": "submit-function"})  # type: ignore[arg-type]
        return replace(found(target), find_scoring=lambda: scoring)

    monkeypatch.setattr(retry, "connect", with_submit)
    return cli.run("retry", *arguments)


def _own_id(cli: Commands) -> str:
    return job_id(cli.bucket, "input/march.csv", "v")


def test_retry_asks_for_the_version_of_the_job(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    job, functions = cli.job(1, State.FAILED, job_id=_own_id(cli)), Functions({"job_id": "again"})
    assert _retry(cli, monkeypatch, functions, job.job_id, "--model", "other")[:2] == (0, "again\n")
    upload = {"bucket": cli.bucket, "key": "input/march.csv", "version_id": "v", "size_bytes": 1}
    assert functions.asked == [{"upload": upload, "request": {"model": "other", "rejected_only": False}}]


def test_retry_of_an_expired_job_takes_the_files_newest_version(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    version = cli.s3.put_object(Bucket=cli.bucket, Key="input/old.csv", Body=b"1\n")["VersionId"]
    functions = Functions({"job_id": "again"})
    assert _retry(cli, monkeypatch, functions, "old.csv", "--rejected-only")[0] == 0
    (asked,) = functions.asked
    assert (asked["upload"]["version_id"], asked["upload"]["size_bytes"]) == (version, 2)
    assert asked["request"]["rejected_only"]


def _with_follow_ups(cli: Commands) -> Job:
    """A job of a file, and three that took up its rejected rows."""
    own = cli.job(1, job_id=_own_id(cli), rows=3, rows_scored=1, rows_rejected=2)
    cli.s3.put_object(Bucket=cli.bucket, Key=own.output_key, Body=b"0.1\n\n\n")
    for number, status in ((2, State.SUCCEEDED), (3, State.FAILED), (4, State.RUNNING)):
        later = cli.job(number, status, rejected_of=own.job_id, rows=2, rows_scored=1)
        cli.s3.put_object(Bucket=cli.bucket, Key=later.output_key, Body=b"0.2\n\n")
    return own


def test_result_of_a_file_is_its_own_after_a_retry_of_rejected_rows(cli: Commands, tmp_path: Path) -> None:
    own, out = _with_follow_ups(cli), tmp_path / "scores.csv"
    code, _, err = cli.run("result", "march.csv", "-o", str(out))
    assert (code, out.read_bytes()) == (0, b"0.1\n\n\n")
    assert f"job {2:032x} scored its rejected rows again (SUCCEEDED, 1 rows scored): dropscore result {2:032x}" in err
    for command in ("status", "result"):
        assert cli.json(command, "march.csv")["job_id"] == own.job_id
    assert "rejected rows only" in cli.run("jobs", "--file", "march.csv")[1]


def test_result_of_a_follow_up_says_that_it_is_no_more(cli: Commands, tmp_path: Path) -> None:
    own, out = _with_follow_ups(cli), tmp_path / "scores.csv"
    code, _, err = cli.run("result", f"{2:032x}", "-o", str(out))
    assert (code, out.read_bytes()) == (0, b"0.2\n\n")
    assert f"scored only the rows that job {own.job_id} rejected" in err


def test_verify_of_a_file_looks_at_its_own_job(cli: Commands) -> None:
    own = _with_follow_ups(cli)
    assert f"there is no manifest {own.output_key[:-4]}.manifest.json" in cli.run("verify", "march.csv")[2]


def test_retry_of_a_file_with_follow_ups_begins_at_its_own_job(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    own, functions = _with_follow_ups(cli), Functions({"job_id": "again"})
    assert _retry(cli, monkeypatch, functions, "march.csv", "--rejected-only")[0] == 0
    assert functions.asked[0]["upload"]["version_id"] == own.version_id
    code, _, err = _retry(cli, monkeypatch, functions, f"{3:032x}")
    assert (code, len(functions.asked)) == (3, 1)
    assert f"job {3:032x} is itself a retry; retry the original job: dropscore retry {own.job_id}" in err


def test_another_models_scores_are_the_files_newest(cli: Commands) -> None:
    _with_follow_ups(cli)
    newest = cli.job(5, model="other")
    assert cli.json("status", "march.csv")["job_id"] == newest.job_id


def test_a_file_whose_name_looks_like_a_job_is_found(cli: Commands) -> None:
    name = "0" * 31 + "f"
    cli.job(1, file=f"input/{name}")
    assert cli.json("status", name)["job_id"] == f"{1:032x}"


def test_retry_of_nothing_is_said(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = _retry(cli, monkeypatch, Functions({}), "none.csv")
    assert code == 3
    assert "neither a job nor a file" in err


def test_a_refusal_of_submit_is_told(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.job(1)
    functions = Functions({"code": "NOTHING_TO_RETRY", "message": "it succeeded"})
    code, out, err = _retry(cli, monkeypatch, functions, "march.csv")
    assert (code, out) == (1, "")
    assert "NOTHING_TO_RETRY: it succeeded" in err
    assert _retry(cli, monkeypatch, Functions({"errorType": "KeyError"}, fails=True), "march.csv")[0] == 4


def test_verify_wants_a_job_with_scores_and_a_manifest(cli: Commands) -> None:
    cli.job(1, State.FAILED)
    assert cli.run("verify", "march.csv")[0] == 1
    cli.job(2)
    code, _, err = cli.run("verify", "march.csv")
    assert code == 1
    assert "there is no manifest output/2-march.manifest.json" in err


@pytest.mark.parametrize(
    "error",
    [
        S3UploadFailedError("not allowed (AccessDenied)"),
        PermanentError("ACCESS_DENIED", "not allowed (AccessDenied); start the job again"),
    ],
)
def test_a_refusal_of_aws_is_a_line_and_exit_code_4(
    cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")

    def refused(*_: object) -> str:
        raise error

    monkeypatch.setattr(score, "upload", refused)
    code, out, err = cli.run("score", str(tmp_path / "a.csv"))
    assert (code, out, len(err.splitlines())) == (4, "", 1)
    assert "not allowed (AccessDenied)" in err
    assert "start the job again" not in err
