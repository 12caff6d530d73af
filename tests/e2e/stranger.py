"""`python stranger.py`: attempts of another user of this machine, who knows more than another user could. Prints each
attempt's outcome as JSON. Standard input names ports and resources. Drops its privileges before the first attempt."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - for the same reason
import hashlib
import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

NOBODY = 65534
Attempt = Callable[[], object]


def main(target: dict[str, Any]) -> None:
    attempts = dict(every_attempt(target))
    for name, attempt in attempts.items():  # imports all modules while root can read them
        if name.startswith("an anonymous caller: "):
            outcome(attempt)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    print(json.dumps({name: outcome(attempt) for name, attempt in attempts.items()}))


def outcome(attempt: Attempt) -> str:
    try:
        return f"SUCCEEDED: {attempt()!r:.200}"
    except ClientError as error:
        return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"
    except PermissionError:
        return "PermissionError"


def every_attempt(target: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    for who, keys in guesses(target).items():
        for name, attempt in calls(target, keys):
            yield f"{who}: {name}", attempt
    for line in requests(target):
        yield "request: " + " ".join(map(str, line[1:3])), lambda line=line: requested(*line)  # type: ignore[misc]
    for file in target["files"]:
        yield f"read {file}", Path(file).read_bytes
    yield "list the folder", lambda: list(Path(target["home"]).iterdir())
    for pid in target["pids"]:
        yield f"environment of {pid}", Path(f"/proc/{pid}/environ").read_bytes


def guesses(target: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Keys that once worked, that the emulator accepts for root, or that it derives for a function."""
    digest = hashlib.sha256(f"{target['function_arn']}:{target['role_arn']}".encode()).hexdigest()
    session = {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "aws_session_token": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    names = {"test": "test", "the account": "000000000000", "root without its secret": target["root"]}
    return {
        **{who: {"aws_access_key_id": key, "aws_secret_access_key": "test"} for who, key in names.items()},
        "a function": session,
        "an anonymous caller": {},
    }


def calls(target: dict[str, Any], keys: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    def client(service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, **({} if keys else {"signature_version": UNSIGNED}))
        is_shimmed = service in {"batch", "sagemaker-runtime"}
        url = f"http://127.0.0.1:{target['shim_port' if is_shimmed else 'emulator_port']}"
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **keys)  # type: ignore[call-overload]

    s3, iam, sts, functions = client("s3"), client("iam"), client("sts"), client("lambda")
    batch, runtime, bucket, name = (
        client("batch"),
        client("sagemaker-runtime"),
        target["bucket"],
        target["function_arn"],
    )
    job = {"jobName": "j", "jobQueue": target["queue"], "jobDefinition": target["definition"]}
    command = {"containerOverrides": {"command": ["evil"]}, "shareIdentifier": "scoring"}
    yield "ListBuckets", s3.list_buckets
    yield "GetObject", lambda: s3.get_object(Bucket=bucket, Key=target["key"])
    yield "PutObject", lambda: s3.put_object(Bucket=bucket, Key="input/evil.csv", Body=b"1,2\n")
    yield "a presigned URL", lambda: fetched(s3, bucket, target) if keys else fetched_plainly(bucket, target)
    yield "CreateAccessKey", lambda: iam.create_access_key(UserName="root")
    yield "GetCallerIdentity", sts.get_caller_identity
    yield "AssumeRole", lambda: sts.assume_role(RoleArn=target["role_arn"], RoleSessionName="evil")
    yield (
        "AssumeRoleWithWebIdentity",
        lambda: sts.assume_role_with_web_identity(
            RoleArn=target["role_arn"], RoleSessionName="evil", WebIdentityToken="e" * 20
        ),
    )
    yield "Invoke", lambda: functions.invoke(FunctionName=name, Payload=b"{}")
    yield (
        "CreateFunction",
        lambda: functions.create_function(
            FunctionName="evil", Runtime="python3.12", Role=target["role_arn"], Handler="a.b", Code={"ZipFile": b"PK"}
        ),
    )
    yield "UpdateFunctionCode", lambda: functions.update_function_code(FunctionName=name, ZipFile=b"PK")
    yield "Scan", lambda: client("dynamodb").scan(TableName=target["table"])
    yield "ListQueues", client("sqs").list_queues
    yield "PutEvents", lambda: client("events").put_events(Entries=[{"Source": "x", "DetailType": "x", "Detail": "{}"}])
    yield "DescribeStacks", client("cloudformation").describe_stacks
    yield "SubmitJob", lambda: batch.submit_job(**job, **command)
    yield "ListJobs", lambda: batch.list_jobs(jobQueue=target["queue"])
    yield "RegisterJobDefinition", lambda: batch.register_job_definition(jobDefinitionName="evil", type="container")
    yield "InvokeEndpoint", lambda: runtime.invoke_endpoint(EndpointName=target["endpoint"], Body=b"1")


def fetched(s3: Any, bucket: str, target: dict[str, Any]) -> object:
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": target["key"]})
    return requested(target["emulator_port"], "GET", url.split(str(target["emulator_port"]), 1)[1])


def fetched_plainly(bucket: str, target: dict[str, Any]) -> object:
    return requested(
        target["emulator_port"], "GET", f"/{bucket}/{target['key']}?X-Amz-Signature=ministack-local-presigned"
    )


def requests(target: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    emulator, shim, bucket = target["emulator_port"], target["shim_port"], target["bucket"]
    administration = (
        "reset",
        "config",
        "health",
        "ready",
        "ses/messages",
        "sqs/messages",
        "iot/ca.pem",
        "rds/iam-auth",
    )
    for path in (*(f"/_ministack/{name}" for name in administration), "/_localstack/health", "/%5Fministack/reset"):
        yield emulator, "POST", path
        yield emulator, "GET", path
    for path in ("ready", "caller", "events", "save", "identity?access_key=test"):
        yield emulator, "POST", f"/_dropscore/{path}"
    yield emulator, "GET", f"/_ministack/lambda-code/{target['function_arn'].rsplit(':', 1)[1]}"
    yield emulator, "PUT", "/_ministack/cfn-response/x"
    yield emulator, "POST", "/oauth2/token"
    yield emulator, "GET", "/v2/_catalog"
    yield emulator, "POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=x"}
    yield emulator, "GET", "/", {"Host": f"{bucket}.s3.localhost:{emulator}"}
    yield emulator, "OPTIONS", f"/{bucket}", {"Origin": "http://evil", "Access-Control-Request-Method": "PUT"}
    yield emulator, "GET", "/", {"Authorization": "AWS test:c2ln"}
    socket = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    yield emulator, "GET", "/_aws/execute-api/x/y", {"Connection": "Upgrade", **socket}
    yield shim, "GET", "/_dropscore/status"
    yield shim, "GET", f"/_dropscore/credentials/{target['job']}"
    yield shim, "GET", f"/_dropscore/credentials/{target['job']}", {"Authorization": "guess"}
    yield shim, "POST", "/v1/submitjob", {"Authorization": f"AWS4-HMAC-SHA256 Credential={target['root']}/"}


def requested(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> object:
    """Returns the answer. Raises ClientError if the request is refused."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, b"" if method in {"POST", "PUT"} else None, headers or {})
        answer = connection.getresponse()
        body = answer.read()
    if any(name.lower().startswith("access-control-") for name, _ in answer.getheaders()):
        return "web pages may read the answer"
    if answer.status >= 400:
        refusal = {"Error": {"Code": body.decode(errors="replace")[:60]}}
        raise ClientError({**refusal, "ResponseMetadata": {"HTTPStatusCode": answer.status}}, path)  # type: ignore[typeddict-item]
    return answer.status, body


if __name__ == "__main__":
    main(json.load(sys.stdin))
