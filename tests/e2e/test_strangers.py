"""Who is not the owner gets nothing of the embedded cloud: another user of this machine, or a web page."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.conftest import ROOT, Driver
from tests.e2e.test_processes import LISTENING, PROC, belonging_to

needs_proc = pytest.mark.skipif(not (PROC / "self").exists(), reason="needs /proc to find the ports")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="ANOTHER USER IS NOT TRIED: only root can become one")


def ports(home: Path) -> set[int]:
    """Every port that a process of the cloud listens on."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in (PROC / "net" / table).read_text().splitlines()[1:]]
    held = {row[9]: int(row[1].split(":")[1], 16) for row in rows if row[3] == LISTENING}
    links = [str(one.readlink()) for pid in belonging_to(home) for one in (PROC / str(pid) / "fd").iterdir()]
    return {port for inode, port in held.items() if f"socket:[{inode}]" in links}


@pytest.fixture(scope="module")
def known(driver: Driver, sample: list[bytes]) -> dict[str, Any]:
    """More than the ports: names of everything, and root's access key. A function has run, so its role is known."""
    job = driver.ended(driver.drop("input/private.csv", b"\n".join(sample[:5]) + b"\n"))
    cloud, functions = driver.cloud, driver.client("lambda")
    function = next(one for one in functions.list_functions()["Functions"] if "Submit" in one["FunctionName"])
    kept = json.loads((cloud.home / "shim.json").read_text())["resources"]
    names = {one["type"]: one["name"] for one in kept}
    return {
        "emulator_port": int(cloud.endpoint_url.rsplit(":", 1)[1]),
        "shim_port": int(cloud.shim_url.rsplit(":", 1)[1]),
        "root": cloud.root["aws_access_key_id"],
        "home": str(cloud.home),
        "files": [str(file) for file in cloud.home.rglob("*") if file.is_file()],
        "pids": belonging_to(cloud.home),
        "bucket": driver.bucket,
        "key": job.output_key,
        "table": cloud.outputs["JobsTableName"],
        "function_arn": function["FunctionArn"],
        "role_arn": function["Role"],
        "queue": names["AWS::Batch::JobQueue"],
        "definition": names["AWS::Batch::JobDefinition"],
        "endpoint": names["AWS::SageMaker::Endpoint"],
        "job": job.batch_job_id,
    }


@pytest.fixture
def reachable_folder(driver: Driver) -> Iterator[None]:
    """Nothing above the cloud's folder keeps others out of it."""
    above = [folder for folder in driver.cloud.home.parents if not folder.stat().st_mode & 0o001]
    modes = {folder: folder.stat().st_mode for folder in above}
    for folder in above:
        folder.chmod(0o755)
    yield
    for folder, mode in modes.items():
        folder.chmod(mode)


@needs_proc
@needs_root
@pytest.mark.usefixtures("reachable_folder")
def test_another_user_gets_nothing(known: dict[str, Any]) -> None:
    command = [sys.executable, str(Path(__file__).with_name("stranger.py"))]
    done = subprocess.run(command, input=json.dumps(known), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout)
    assert len(outcomes) > 150
    assert {name: said for name, said in outcomes.items() if not said.startswith(("403 ", "PermissionError"))} == {}


@needs_proc
def test_no_other_port_is_open_and_the_models_only_serves(driver: Driver, known: dict[str, Any]) -> None:
    (model,) = ports(driver.cloud.home) - {known["emulator_port"], known["shim_port"]}

    def answer(method: str, path: str) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", model, timeout=20)) as connection:
            connection.request(method, path, b"" if method == "POST" else None)
            return connection.getresponse().status

    assert answer("GET", "/ping") == 200
    assert answer("POST", "/invocations") in {400, 415}
    others = ("/", "/models", "/models/x", "/metrics", "/shutdown", "/../ping", "/invocations/", "/_dropscore/status")
    assert {path: answer(method, path) for path in others for method in ("GET", "POST")} == dict.fromkeys(others, 404)


@needs_proc
def test_no_secret_is_in_a_command_line_or_a_readable_folder(driver: Driver) -> None:
    cloud = driver.cloud
    told = b"".join((PROC / str(pid) / "cmdline").read_bytes() for pid in belonging_to(cloud.home))
    assert cloud.root["aws_secret_access_key"].encode() not in told
    assert cloud.home.stat().st_mode & 0o077 == 0
    for name in ("root.json", "cloud.json", "processes.json", "shim.json", "shim/jobs.json", "logs/emulator.log"):
        assert (cloud.home / name).exists()
    assert all((cloud.home / name).stat().st_mode & 0o077 == 0 for name in ("root.json", "cloud.json", "shim.json"))


@pytest.mark.parametrize(("service", "path"), [("s3", "/"), ("batch", "/_dropscore/status")])
@pytest.mark.parametrize(
    "page", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:80"}], ids=str
)
def test_a_web_page_of_the_owner_gets_nothing(driver: Driver, service: str, path: str, page: dict[str, str]) -> None:
    """Not even with a signature, which it cannot have."""
    assert answered(driver, service, path, {}) == (200, None)
    assert answered(driver, service, path, page) == (403, None)


def answered(driver: Driver, service: str, path: str, page: dict[str, str]) -> tuple[int, str | None]:
    """The status that root gets, and which pages may read the answer."""
    url = driver.cloud.shim_url if service == "batch" else driver.cloud.endpoint_url
    request = AWSRequest(method="GET", url=url + path, headers=dict(page))
    SigV4Auth(Credentials(*driver.cloud.root.values()), service, "us-east-1").add_auth(request)
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)) as connection:
        connection.request("GET", path, headers={**dict(request.headers), **page})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Access-Control-Allow-Origin")


def test_the_owner_gets_in_by_the_printed_credentials(driver: Driver) -> None:
    environment = {"PATH": os.environ["PATH"], **driver.cloud.environment()}
    program = "import boto3; print([b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert driver.bucket in done.stdout, done.stderr


def test_a_state_is_on_disk_soon_after_it_changed(driver: Driver, sample: list[bytes]) -> None:
    job = driver.ended(driver.drop("input/kept.csv", b"\n".join(sample[:5]) + b"\n"))
    deadline = time.monotonic() + 10
    kept = driver.cloud.home / "emulator" / "dynamodb.json"
    while f'"{job.output_key}"' not in kept.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert f'"{job.output_key}"' in kept.read_text()
