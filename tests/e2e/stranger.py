"""`python stranger.py`: what another user of this machine can try, who knows more than they could: a JSON of what each
attempt came to. Standard input names ports and resources. It gives its privileges up before the first attempt."""

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


def main(known: dict[str, Any]) -> None:
    attempts = dict(every_attempt(known))
    for name, attempt in attempts.items():  # the interpreter's files may be root's: what a call imports, it imports now
        if name.startswith("nobody: "):
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


def every_attempt(known: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    for who, keys in guesses(known).items():
        for name, attempt in calls(known, keys):
            yield f"{who}: {name}", attempt
    for line in requests(known):
        yield "request: " + " ".join(map(str, line[1:3])), lambda line=line: requested(*line)  # type: ignore[misc]
    for file in known["files"]:
        yield f"read {file}", Path(file).read_bytes
    yield "list the folder", lambda: list(Path(known["home"]).iterdir())
    for pid in known["pids"]:
        yield f"environment of {pid}", Path(f"/proc/{pid}/environ").read_bytes


def guesses(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Keys that worked once, or that the emulator lets pass for root's; those of a function as it derives them."""
    digest = hashlib.sha256(f"{known['function_arn']}:{known['role_arn']}".encode()).hexdigest()
    session = {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "aws_session_token": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    names = {"test": "test", "the account": "000000000000", "root without its secret": known["root"]}
    return {
        **{who: {"aws_access_key_id": key, "aws_secret_access_key": "test"} for who, key in names.items()},
        "a function": session,
        "nobody": {},
    }


def calls(known: dict[str, Any], keys: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    def client(service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, **({} if keys else {"signature_version": UNSIGNED}))
        is_shimmed = service in {"batch", "sagemaker-runtime"}
        url = f"http://127.0.0.1:{known['shim_port' if is_shimmed else 'emulator_port']}"
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **keys)  # type: ignore[call-overload]

    s3, iam, sts, functions = client("s3"), client("iam"), client("sts"), client("lambda")
    batch, runtime, bucket, name = client("batch"), client("sagemaker-runtime"), known["bucket"], known["function_arn"]
    job = {"jobName": "j", "jobQueue": known["queue"], "jobDefinition": known["definition"]}
    command = {"containerOverrides": {"command": ["evil"]}, "shareIdentifier": "scoring"}
    yield "ListBuckets", s3.list_buckets
    yield "GetObject", lambda: s3.get_object(Bucket=bucket, Key=known["key"])
    yield "PutObject", lambda: s3.put_object(Bucket=bucket, Key="input/evil.csv", Body=b"1,2\n")
    yield "a presigned URL", lambda: fetched(s3, bucket, known) if keys else fetched_plainly(bucket, known)
    yield "CreateAccessKey", lambda: iam.create_access_key(UserName="root")
    yield "GetCallerIdentity", sts.get_caller_identity
    yield "AssumeRole", lambda: sts.assume_role(RoleArn=known["role_arn"], RoleSessionName="evil")
    yield (
        "AssumeRoleWithWebIdentity",
        lambda: sts.assume_role_with_web_identity(
            RoleArn=known["role_arn"], RoleSessionName="evil", WebIdentityToken="e" * 20
        ),
    )
    yield "Invoke", lambda: functions.invoke(FunctionName=name, Payload=b"{}")
    yield (
        "CreateFunction",
        lambda: functions.create_function(
            FunctionName="evil", Runtime="python3.12", Role=known["role_arn"], Handler="a.b", Code={"ZipFile": b"PK"}
        ),
    )
    yield "UpdateFunctionCode", lambda: functions.update_function_code(FunctionName=name, ZipFile=b"PK")
    yield "Scan", lambda: client("dynamodb").scan(TableName=known["table"])
    yield "ListQueues", client("sqs").list_queues
    yield "PutEvents", lambda: client("events").put_events(Entries=[{"Source": "x", "DetailType": "x", "Detail": "{}"}])
    yield "DescribeStacks", client("cloudformation").describe_stacks
    yield "SubmitJob", lambda: batch.submit_job(**job, **command)
    yield "ListJobs", lambda: batch.list_jobs(jobQueue=known["queue"])
    yield "RegisterJobDefinition", lambda: batch.register_job_definition(jobDefinitionName="evil", type="container")
    yield "InvokeEndpoint", lambda: runtime.invoke_endpoint(EndpointName=known["endpoint"], Body=b"1")


def fetched(s3: Any, bucket: str, known: dict[str, Any]) -> object:
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": known["key"]})
    return requested(known["emulator_port"], "GET", url.split(str(known["emulator_port"]), 1)[1])


def fetched_plainly(bucket: str, known: dict[str, Any]) -> object:
    return requested(
        known["emulator_port"], "GET", f"/{bucket}/{known['key']}?X-Amz-Signature=ministack-local-presigned"
    )


def requests(known: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    emulator, shim, bucket = known["emulator_port"], known["shim_port"], known["bucket"]
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
    yield emulator, "GET", f"/_ministack/lambda-code/{known['function_arn'].rsplit(':', 1)[1]}"
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
    yield shim, "GET", f"/_dropscore/credentials/{known['job']}"
    yield shim, "GET", f"/_dropscore/credentials/{known['job']}", {"Authorization": "guess"}
    yield shim, "POST", "/v1/submitjob", {"Authorization": f"AWS4-HMAC-SHA256 Credential={known['root']}/"}


def requested(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> object:
    """The answer, if it is a good one; a refusal is raised."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, b"" if method in {"POST", "PUT"} else None, headers or {})
        answer = connection.getresponse()
        body = answer.read()
    if any(name.lower().startswith("access-control-") for name, _ in answer.getheaders()):
        return "it lets web pages in"
    if answer.status >= 400:
        said = {"Error": {"Code": body.decode(errors="replace")[:60]}}
        raise ClientError({**said, "ResponseMetadata": {"HTTPStatusCode": answer.status}}, path)  # type: ignore[typeddict-item]
    return answer.status, body


if __name__ == "__main__":
    main(json.load(sys.stdin))
