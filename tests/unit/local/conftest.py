"""Fixtures: the shim on a free port, with small programs instead of images and a stand-in for the emulator's IAM."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from local.deployment.account import client, new_root
from local.emulator.signature import Request, read_signature, verify
from local.shim.authority import Authority, Session
from local.shim.batch.attempt import ContainerHost
from local.shim.batch.queue import Jobs
from local.shim.batch.service import Batch
from local.shim.errors import access_denied
from local.shim.image import Image
from local.shim.resources import Resources, parse
from local.shim.sagemaker.endpoint import ModelServer
from local.shim.server import Shim

KEYS = new_root()
ROLE = "arn:aws:iam::000000000000:role/worker"
MODEL = """
import http.server, os, sys
class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die": os._exit(3)
        if body == b"slow": __import__("time").sleep(5)
        status = 400 if body == b"bad" else 500 if body == b"broken" else 200
        files = sorted(os.listdir(os.environ["SM_MODEL_DIR"]))
        self.answer(status, b'{"code": "BAD"}' if status != 200 else repr((sys.argv[1:], files, len(body))).encode())
    def answer(self, status, body):
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        self.send_response(status); self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/csv")
        if attributes: self.send_header("X-Amzn-SageMaker-Custom-Attributes", "received:" + attributes)
        self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
address = (os.environ["DROPSCORE_BIND_HOST"], int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
http.server.ThreadingHTTPServer(address, Model).serve_forever()
"""
JOB = """
import json, os, signal, sys, time
print(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ), "cwd": os.getcwd()}), flush=True)
if sys.argv[1:2] == ["sleep"]:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(75)); time.sleep(30)
if sys.argv[1:2] == ["index"]: sys.exit(int(os.environ["AWS_BATCH_JOB_ARRAY_INDEX"]))
sys.exit(int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 0)
"""


class StandIn(Authority):
    """Every caller is `worker`, which may do everything except the actions in `denied`."""

    def __init__(self) -> None:
        self.emulator_url = "http://127.0.0.1:1"
        self.denied: set[str] = set()
        self.assumed: list[tuple[str, str]] = []

    def caller(self, request: Request) -> str:
        signature = read_signature(request)
        verify(signature, KEYS["aws_secret_access_key"], request, datetime.now(UTC))
        return "arn:aws:sts::000000000000:assumed-role/worker/job"

    def require(self, caller_arn: str, action: str, resource: str) -> None:
        if action in self.denied:
            raise access_denied(caller_arn, action, resource, "implicitDeny")

    def assume(self, role_arn: str, service: str, session_name: str) -> Session:
        self.assumed.append((role_arn, service))
        return Session(role_arn, "ASIA", f"secret of {session_name}", "token", "2030-01-01T00:00:00Z")


@dataclass
class RunningShim:
    url: str
    authority: StandIn
    state: Path
    model: ModelServer
    endpoints: dict[str, ModelServer] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def batch(self) -> Any:
        return client("batch", self.url, **KEYS)

    def submit(self, *command: str, **request: Any) -> str:
        overrides = {"command": list(command), "environment": [{"name": "MINE", "value": "1"}]}
        plain = {"jobName": "j", "jobQueue": "queue", "jobDefinition": "job", "containerOverrides": overrides}
        share = {"shareIdentifier": "scoring"}
        return str(self.batch.submit_job(**{**plain, **share, **request})["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        (found,) = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        return dict(found)

    def ended(self, job_id: str) -> dict[str, Any]:
        return until(lambda: self.job(job_id), lambda job: job["status"] in {"SUCCEEDED", "FAILED"})

    def output(self, job: dict[str, Any]) -> dict[str, Any]:
        log = self.state / "logs" / f"{job['container']['logStreamName']}.log"
        return dict(json.loads(log.read_text().splitlines()[0]))


T = TypeVar("T")


def until(look: Callable[[], T], is_good: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + 20
    while not is_good(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_good(seen), seen
    return seen


def resources() -> Resources:
    container = {
        "Image": "account/repository:job",
        "Command": ["0", "Ref::name"],
        "Environment": [{"Name": "GIVEN", "Value": "by the definition"}],
        "JobRoleArn": ROLE,
    }
    retry = {
        "Attempts": 2,
        "EvaluateOnExit": [{"Action": "RETRY", "OnExitCode": "75"}, {"Action": "EXIT", "OnReason": "*"}],
    }
    definition = {"ContainerProperties": container, "Parameters": {"name": "default"}, "RetryStrategy": retry}
    model = {
        "PrimaryContainer": {"Image": "a/b:model", "ModelDataUrl": "s3://b/model.tar.gz"},
        "ExecutionRoleArn": ROLE,
    }
    variant = {"VariantName": "AllTraffic", "ModelName": "m"}
    written = {
        "AWS::Batch::JobQueue": ("queue", "arn:aws:batch:::job-queue/queue", {"SchedulingPolicyArn": "arn:policy"}),
        "AWS::Batch::JobDefinition": ("job", "arn:aws:batch:::job-definition/job:1", definition),
        "AWS::SageMaker::Model": ("m", "arn:m", model),
        "AWS::SageMaker::EndpointConfig": ("c", "arn:c", {"ProductionVariants": [variant]}),
        "AWS::SageMaker::Endpoint": ("Fraud", "arn:aws:sagemaker:::endpoint/fraud", {"EndpointConfigName": "c"}),
    }
    return parse(
        [{"type": type_, "name": name, "arn": arn, "properties": has} for type_, (name, arn, has) in written.items()]
    )


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShim]:
    state = tmp_path_factory.mktemp("shim")
    images = {}
    for name, program in (("job", JOB), ("model", MODEL)):
        (state / name).mkdir()
        (state / name / "main.py").write_text(program)
        images[name] = Image((sys.executable, "main.py"), state / name, {"OF_THE_IMAGE": "yes"})
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    authority, deployed = StandIn(), resources()
    host = ContainerHost(emulator_url="http://127.0.0.1:1", shim_url=url, state=state)
    model = ModelServer(deployed.endpoints["Fraud"], images["model"], authority, host)
    found = RunningShim(url, authority, state, model, {"Fraud": model})
    batch = Batch(deployed, images, authority, host, Jobs(state / "jobs.json", found.events.append))
    shim = Shim(listening, batch=batch, endpoints=found.endpoints, authority=authority, max_payload_bytes=1000)
    thread = threading.Thread(target=shim.serve_forever)
    thread.start()
    batch.start(2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ModelServer, "_fetch", lambda _self, home: artifact(home))
        model.start()
        until(lambda: model.status, lambda status: status == "InService")
    yield found
    batch.stop()
    model.stop()
    shim.shutdown()
    thread.join()
    shim.server_close()


def artifact(home: Path) -> Path:
    unpacked = home / "model"
    unpacked.mkdir(parents=True, exist_ok=True)
    (unpacked / "model.ubj").touch()
    return unpacked


def refused(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as error:
        call()
    return dict(error.value.response)
