"""A deployment as the command line sees it: bucket, jobs table and scoring stack, in AWS or in the embedded cloud."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from dropscore.aws.table import JobsTable
from dropscore.cli.options import Target
from dropscore.errors import CloudError, ConfigurationError
from dropscore.jobs.input_keys import Inputs

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# botocore must not retry an invocation: the function would run twice.
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=70)
# Written by `dropscore local up`, removed by `dropscore local down`.
EMBEDDED_CLOUD = Path(__file__).resolve().parents[2] / ".dropscore" / "local" / "cloud.json"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    s3: S3Client
    bucket: str
    table: JobsTable
    outputs: Mapping[str, str]
    """The outputs of the storage stack."""
    find_scoring: Callable[[], Scoring]
    """Looks the scoring stack up, which only `retry` and `redrive` need."""

    @property
    def inputs(self) -> Inputs:
        return Inputs(self._listed("InputNames"))

    @property
    def routes(self) -> tuple[str, ...]:
        return self._listed("RouteNames")

    def _listed(self, output: str) -> tuple[str, ...]:
        if output not in self.outputs:
            raise ConfigurationError(
                f"the storage stack has no output {output}: it is from an older release; deploy it again"
            )
        return tuple(json.loads(self.outputs[output]))


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """The scoring stack: clients for its functions and its dead-letter queue, and its outputs, which name them."""

    functions: LambdaClient
    queues: SQSClient
    outputs: Mapping[str, str]


def connect(target: Target) -> Deployment:
    """The deployment. Raises ConfigurationError if it does not exist, CloudError if the embedded cloud has ended."""
    return _embedded() if target.local else _in_aws(target)


def embedded(session: boto3.Session, outputs: Mapping[str, str], endpoint_url: str) -> Deployment:
    """The deployment in the embedded cloud at `endpoint_url`."""
    session.events.register("needs-retry", _notice_the_end)
    arguments = {"endpoint_url": endpoint_url}
    return _deployment(session, outputs, partial(_scoring, session, lambda: outputs, **arguments), **arguments)


def _embedded() -> Deployment:
    try:
        cloud = json.loads(EMBEDDED_CLOUD.read_text())
    except FileNotFoundError:
        raise ConfigurationError("no embedded cloud is running; start one with `dropscore local up`") from None
    if not _is_held(EMBEDDED_CLOUD.with_name("alive")):
        raise _ended()
    session = boto3.Session(
        aws_access_key_id=cloud["access_key_id"],
        aws_secret_access_key=cloud["secret_access_key"],
        region_name=cloud["region"],
    )
    return embedded(session, cloud["outputs"], cloud["endpoint_url"])


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock. The emulator does while it runs; a later process on its port does not."""
    import fcntl  # not every system has it, and the embedded cloud needs one that does

    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _notice_the_end(caught_exception: Exception | None = None, **_: object) -> None:
    """Fails at once if nothing listens on the emulator's port, which botocore would retry for a minute."""
    if isinstance(caught_exception, EndpointConnectionError | ConnectTimeoutError):
        raise _ended() from caught_exception


def _ended() -> CloudError:
    return CloudError(
        "the embedded cloud has ended; start it again with `dropscore local up`: files and jobs are kept, and "
        "running jobs continue"
    )


def _in_aws(target: Target) -> Deployment:
    session = boto3.Session(profile_name=target.profile, region_name=target.region)
    prefix = f"dropscore-{target.env or 'dev'}"
    find_scoring = partial(_scoring, session, partial(_outputs, session, f"{prefix}-scoring"))
    return _deployment(session, _outputs(session, f"{prefix}-storage"), find_scoring)


def _scoring(session: boto3.Session, outputs: Callable[[], Mapping[str, str]], **client: Any) -> Scoring:
    functions = session.client("lambda", config=ONCE, **client)
    return Scoring(functions=functions, queues=session.client("sqs", **client), outputs=outputs())


def _outputs(session: boto3.Session, stack: str) -> dict[str, str]:
    try:
        found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            raise ConfigurationError(
                f"there is no stack {stack} in {session.region_name}; deploy it, or set --env and --region"
            ) from None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _deployment(
    session: boto3.Session,
    outputs: Mapping[str, str],
    find_scoring: Callable[[], Scoring],
    **client: Any,
) -> Deployment:
    return Deployment(
        s3=session.client("s3", **client),
        bucket=outputs["BucketName"],
        table=JobsTable(session.resource("dynamodb", **client).Table(outputs["JobsTableName"])),
        outputs=outputs,
        find_scoring=find_scoring,
    )
