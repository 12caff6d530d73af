"""`dropscore retry`: scores a version that is in the bucket again, without an upload."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from dropscore.cli.deployment import Deployment, connect
from dropscore.cli.jobs import JobOrFile, find, key_of
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, say, write, write_json
from dropscore.cli.score import is_clean
from dropscore.cli.show import as_dict, print_jobs
from dropscore.cli.watch import wait
from dropscore.errors import CloudError, ConfigurationError, JobFailedError
from dropscore.events.submit import RetryRequest, Upload


def retry(
    context: typer.Context,
    job_or_file: JobOrFile,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Score with this model.")] = None,
    rejected_only: Annotated[bool, typer.Option("--rejected-only", help="Score only the rejected rows.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until the job ends.")] = False,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Score a file's version again without an upload, and print the job's id.

    A job that failed or was rejected runs again with the current settings; finished shards are not scored again. A job
    that succeeded does not change. --model and --rejected-only create a separate job.
    """
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    upload = upload_of(deployment, job_or_file)
    identity = invoke_retry(deployment, upload, RetryRequest(model=model, rejected_only=rejected_only))
    if not watch:
        write_json({"job_id": identity, "file": upload.key}) if as_json else write(identity)
        return
    jobs = wait(deployment.table, {identity: upload.key})
    write_json([as_dict(job) for job in jobs]) if as_json else print_jobs(jobs)
    for job in jobs:
        if job.message:
            say(f"{printable(job.file)}: {job.status}: {printable(job.message)}")
    raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)


def upload_of(deployment: Deployment, job_or_file: str) -> Upload:
    """The version of the job; if the job has expired, the file's newest version. Raises ConfigurationError."""
    job = find(deployment, job_or_file)
    if job is not None:
        upload = Upload(bucket=deployment.bucket, key=job.file, version_id=job.version_id, size_bytes=job.size_bytes)
        if job_or_file == job.job_id != upload.job_id:  # `submit` starts from the file's own job
            raise ConfigurationError(
                f"job {job_or_file} is itself a retry; retry the original job: dropscore retry {upload.job_id}, "
                "with the same --rejected-only or --model"
            )
        return upload
    key = key_of(job_or_file)
    try:
        head = deployment.s3.head_object(Bucket=deployment.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"].get("Code") != "404":
            raise
        raise ConfigurationError(
            f"there is neither a job nor a file for {job_or_file!r}; if the job has expired, name its file: input/…"
        ) from None
    return Upload(bucket=deployment.bucket, key=key, version_id=head["VersionId"], size_bytes=head["ContentLength"])


def invoke_retry(deployment: Deployment, upload: Upload, request: RetryRequest) -> str:
    """Invokes the deployed `submit`. Returns the job's id; raises CloudError, or JobFailedError if it is refused."""
    event = json.dumps({"retry": {"upload": asdict(upload), "request": asdict(request)}})
    scoring = deployment.find_scoring()
    submit = scoring.outputs["SubmitFunctionName"]
    answer = scoring.functions.invoke(FunctionName=submit, Payload=event.encode())
    reply: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CloudError(f"the function {submit} failed: {reply.get('errorType')}; see its log")
    if "code" in reply:
        raise JobFailedError(f"{reply['code']}: {printable(reply['message'])}")
    return str(reply["job_id"])
