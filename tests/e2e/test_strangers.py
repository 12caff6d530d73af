"""Only the owner can use the embedded cloud: other users of the machine and web pages cannot."""

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
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="ANOTHER USER IS NOT TRIED: only root can act as another user"
)


def ports(home: Path) -> set[int]:
    """Every port that a process of the cloud listens on."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in (PROC / "net" / table).read_text().splitlines()[1:]]
    held = {row[9]: int(row[1].split(":")[1], 16) for row in rows if row[3] == LISTENING}
    links = [str(link.readlink()) for pid in belonging_to(home) for link in (PROC / str(pid) / "fd").iterdir()]
    return {port for inode, port in held.items() if f"socket:[{inode}]" in links}


@pytest.fixture(scope="module")
def target(driver: Driver, sample: list[bytes]) -> dict[str, Any]:
    """The ports, all names and root's access key. A function has run, so its role is included."""
    job = driver.ended(driver.drop("input/private.csv", b"\n".join(sample[:5]) + b"\n"))
    cloud, functions = driver.cloud, driver.client("lambda")
    function = next(
        function for function in functions.list_functions()["Functions"] if "Submit" in function["FunctionName"]
    )
    kept = json.loads((cloud.home / "shim.json").read_text())["resources"]
    names = {resource["type"]: resource["name"] for resource in kept}
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
    """Opens all folders above the cloud's folder to other users."""
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
def test_another_user_gets_nothing(target: dict[str, Any]) -> None:
    command = [sys.executable, str(Path(__file__).with_name("stranger.py"))]
    done = subprocess.run(command, input=json.dumps(target), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout)
    assert len(outcomes) > 150
    assert {
        name: outcome for name, outcome in outcomes.items() if not outcome.startswith(("403 ", "PermissionError"))
    } == {}


@needs_proc
def test_no_other_port_is_open_and_the_models_only_serves(driver: Driver, target: dict[str, Any]) -> None:
    (model,) = ports(driver.cloud.home) - {target["emulator_port"], target["shim_port"]}

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
    command_lines = b"".join((PROC / str(pid) / "cmdline").read_bytes() for pid in belonging_to(cloud.home))
    assert cloud.root["aws_secret_access_key"].encode() not in command_lines
    assert cloud.home.stat().st_mode & 0o077 == 0
    for name in ("root.json", "cloud.json", "processes.json", "shim.json", "shim/jobs.json", "logs/emulator.log"):
        assert (cloud.home / name).exists()
    assert all((cloud.home / name).stat().st_mode & 0o077 == 0 for name in ("root.json", "cloud.json", "shim.json"))


@pytest.mark.parametrize(("service", "path"), [("s3", "/"), ("batch", "/_dropscore/status")])
@pytest.mark.parametrize(
    "page", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:80"}], ids=str
)
def test_a_web_page_of_the_owner_gets_nothing(driver: Driver, service: str, path: str, page: dict[str, str]) -> None:
    """Web pages are refused even with a signature, which they cannot have."""
    assert answered(driver, service, path, {}) == (200, None)
    assert answered(driver, service, path, page) == (403, None)


def answered(driver: Driver, service: str, path: str, page: dict[str, str]) -> tuple[int, str | None]:
    """The status for root, and which pages may read the answer."""
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
