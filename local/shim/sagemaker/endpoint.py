"""A SageMaker endpoint: runs the model container's server as a process and forwards requests to it."""

from __future__ import annotations

import contextlib
import http.client
import math
import queue
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.deployment.account import ACCOUNT, REGION, client
from local.shim.authority import Authority, Session
from local.shim.batch.attempt import ContainerHost, container_environment
from local.shim.errors import AwsError, validation_error
from local.shim.image import Image
from local.shim.process import Process
from local.shim.resources import Endpoint

MODEL_SERVICE = "sagemaker.amazonaws.com"
START_SECONDS = 60.0
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INVOKE_SECONDS = 60.0  # SageMaker's limit for a container's reply
REFUSED_ASLEEP = 3  # requests refused while a model that scales to zero has no copy
MESSAGE_CHARACTERS = 2048  # the runtime's limit for OriginalMessage
SERVERLESS_BODY_LIMIT_BYTES = 4 * 1024 * 1024
NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if "
    "configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    attributes: str
    body: bytes


@dataclass
class ModelServer:
    """Runs the server process and restarts it when it ends, as SageMaker does."""

    endpoint: Endpoint
    image: Image
    authority: Authority
    host: ContainerHost
    status: str = "Creating"
    failure: str = ""
    _process: Process | None = None
    _port: int = 0
    _asleep: int = 0
    _waking: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.Semaphore | None = None
    _idle: queue.LifoQueue[http.client.HTTPConnection] = field(default_factory=queue.LifoQueue)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        component, concurrency = self.endpoint.component, self.endpoint.concurrency
        self._asleep = REFUSED_ASLEEP if component and component.min_copies == 0 else 0
        self._places = threading.Semaphore(concurrency) if concurrency else None

    @property
    def max_payload_bytes(self) -> float:
        return SERVERLESS_BODY_LIMIT_BYTES if self._places else math.inf

    def start(self) -> None:
        threading.Thread(target=self._keep_up, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.stop(5)
        self._close_idle()

    def invoke(self, body: bytes, headers: Mapping[str, str], component: str | None = None) -> Reply:
        """The container's reply with status 200. Raises the runtime's AwsError for anything else."""
        self._check_component(component)
        if self._places is None:
            return self._invoked(body, headers)
        if not self._places.acquire(blocking=False):
            raise AwsError(429, "ThrottlingException", "Rate exceeded")
        try:
            return self._invoked(body, headers)
        finally:
            self._places.release()

    def _check_component(self, named: str | None) -> None:
        deployed = self.endpoint.component.name if self.endpoint.component else None
        if named != deployed:
            state = f"has the inference component {deployed}" if deployed else "has no inference components"
            raise validation_error(f"Endpoint {self.endpoint.name} {state}; the request names {named or 'none'}.")
        with self._waking:
            if self._asleep:
                self._asleep -= 1
                raise validation_error(NO_CAPACITY)

    def _invoked(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            reply = self._request("POST", "/invocations", body, headers)
        except TimeoutError:
            raise self._model_error(0, TIMED_OUT) from None
        except (OSError, http.client.HTTPException):
            raise AwsError(503, "ServiceUnavailable", "the model's process is restarting") from None
        if reply.status != 200:
            raise self._model_error(reply.status, reply.body.decode(errors="replace"))
        return reply

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        while True:
            connection, is_fresh = self._connection()
            try:
                connection.request(method, path, body, dict(headers or {}))
                response = connection.getresponse()
                reply = Reply(
                    response.status,
                    response.headers.get("Content-Type", ""),
                    response.headers.get(ATTRIBUTES, ""),
                    response.read(),
                )
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_fresh or not isinstance(error, ConnectionError):
                    raise
                continue  # the server had closed the idle connection
            if not response.will_close:
                self._idle.put(connection)
            return reply

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), False
        except queue.Empty:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=INVOKE_SECONDS), True

    def _close_idle(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _model_error(self, status: int, message: str) -> AwsError:
        message = message[:MESSAGE_CHARACTERS]
        side = "client" if 400 <= status < 500 else "server"
        group = f"/aws/sagemaker/Endpoints/{self.endpoint.name}"
        return AwsError(
            424,
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{message}". See https://{REGION}.console.aws.'
            f"amazon.com/cloudwatch/home?region={REGION}#logEventViewer:group={group} in account {ACCOUNT} for more "
            "information.",
            OriginalStatusCode=status,
            OriginalMessage=message,
            LogStreamArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
        )

    def _keep_up(self) -> None:
        home = self.host.state / "endpoints" / self.endpoint.name
        try:
            artifact = self._fetch(home)
        except (AwsError, BotoCoreError, ClientError, OSError, tarfile.TarError) as error:
            self.status, self.failure = "Failed", f"could not download the artifact: {error}"
            return
        while not self._stopping.is_set():
            # Idle connections lead to the process that has ended.
            self._close_idle()
            self._port = _free_port()
            self._process = Process(self._command(), self.image.directory, self._environment(artifact, home), self.log)
            threading.Thread(target=self._wait_healthy, args=(self._process,), daemon=True).start()
            code, _ = self._process.wait()
            if self.status == "Creating" and not self._stopping.is_set():
                self.status, self.failure = "Failed", f"the model's process ended with exit code {code}; see {self.log}"
                return
            self._stopping.wait(1)

    @property
    def log(self) -> Path:
        return self.host.log(f"endpoints/{self.endpoint.name}")

    def _command(self) -> list[str]:
        return [*self.image.command, "serve"]

    def _environment(self, artifact: Path, home: Path) -> dict[str, str]:
        scratch = home / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        return {
            **container_environment(self.image, self.host.state / "pycache", scratch),
            "AWS_REGION": REGION,
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "DROPSCORE_BIND_HOST": "127.0.0.1",
            "SM_MODEL_DIR": str(artifact),
            **self.endpoint.environment,
        }

    def _fetch(self, home: Path) -> Path:
        """Download the artifact with the model's role; returns the model folder, empty without an artifact."""
        session = self.authority.assume(self.endpoint.role_arn, MODEL_SERVICE, self.endpoint.name)
        shutil.rmtree(home, ignore_errors=True)
        model_folder = home / "model"
        model_folder.mkdir(parents=True)
        if self.endpoint.artifact_url:
            archive_path = home / "model.tar.gz"
            self._download(self.endpoint.artifact_url, archive_path, session)
            _unpack(archive_path, model_folder)
        return model_folder

    def _download(self, url: str, target: Path, session: Session) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        s3 = client("s3", self.authority.emulator_url, **session.keys())
        with target.open("wb") as file:
            shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)

    def _wait_healthy(self, process: Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.is_running and time.monotonic() < deadline:
            try:
                if self._request("GET", "/ping").status == 200:
                    self.status = "InService"
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        if process.is_running:
            self.status, self.failure = (
                "Failed",
                f"/ping did not return 200 within {START_SECONDS:.0f} s; does the server listen at "
                f"$DROPSCORE_BIND_HOST:$SAGEMAKER_BIND_TO_PORT? Its log: {self.log}",
            )


def _unpack(archive_path: Path, folder: Path) -> None:
    """Extract the artifact as read-only files, as in a SageMaker container."""
    with tarfile.open(archive_path) as archive:
        archive.extractall(folder, filter="data")
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o444)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
