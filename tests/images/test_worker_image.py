"""The built worker image at a job of its own in the embedded cloud, under the worker's role and no other right.

DROPSCORE_WORKER_IMAGE names the image; DROPSCORE_ENGINE is the engine's command, `docker` when unset.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import pytest

from dropscore.jobs import Job, State, now
from dropscore.routes import output_key
from local.run import deployment
from tests.e2e.conftest import Hands

IMAGE = os.environ.get("DROPSCORE_WORKER_IMAGE", "")
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
STRICT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m")

pytestmark = pytest.mark.skipif(not IMAGE, reason="DROPSCORE_WORKER_IMAGE names no built image to run")


def _environment(hands: Hands) -> dict[str, str]:
    """The deployed job definition's own, Batch's words, the worker role's credentials, and where the cloud is."""
    kept = json.loads((hands.cloud.home / "shim.json").read_text())["resources"]
    (definition,) = [one["properties"] for one in kept if one["type"] == "AWS::Batch::JobDefinition"]
    container = definition["ContainerProperties"]
    session = hands.client("sts").assume_role(RoleArn=container["JobRoleArn"], RoleSessionName="image")["Credentials"]
    return {
        **{pair["Name"]: pair["Value"] for pair in container["Environment"]},
        "AWS_BATCH_JOB_ID": "image",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
        "AWS_ENDPOINT_URL": hands.cloud.endpoint_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": hands.cloud.shim_url,
    }


def _run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    given = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    return subprocess.run(
        [*ENGINE, "run", "--rm", "--network", "host", *STRICT, *given, IMAGE, *command],
        capture_output=True,
        text=True,
        check=False,
    )


def _claimed(hands: Hands, name: str, body: bytes, shards: int = 1) -> Job:
    """A job that the cloud itself does not take: its file is no .csv, so only the container under test works at it."""
    key = f"input/{name}.txt"
    version = hands.client("s3").put_object(Bucket=hands.bucket, Key=key, Body=body)["VersionId"]
    submitted_at = now()
    job = Job(
        job_id=name.ljust(32, "0"),
        file=key,
        version_id=version,
        route="default",
        model="fraud",
        model_version="0" * 12,
        status=State.CLAIMED,
        submitted_at=submitted_at,
        output_key=output_key(key, submitted_at, "0" * 32),
        size_bytes=len(body),
        shards=shards,
        shard_bytes=-(-len(body) // shards),
    )
    assert deployment(hands.cloud).table.claim(job)
    return job


def test_image_scores_a_file_without_any_right_but_its_roles(hands: Hands, sample: list[bytes]) -> None:
    job = _claimed(hands, "image", b"\n".join(sample) + b"\n")
    done = _run(_environment(hands), "score", "--job-id", job.job_id)
    assert done.returncode == 0, done
    ended = hands.ended(job.job_id)
    assert (ended.status, ended.rows) == (State.SUCCEEDED, len(sample))
    usual = hands.ended(hands.drop("input/usual.csv", b"\n".join(sample) + b"\n"))
    assert hands.read(ended.output_key) == hands.read(usual.output_key)


def test_image_scores_shards_and_publishes_them(hands: Hands, sample: list[bytes]) -> None:
    job = _claimed(hands, "shards", b"\n".join(sample) + b"\n", shards=3)
    environment = _environment(hands)
    for index in ("2", "0", "1"):
        done = _run({**environment, "AWS_BATCH_JOB_ARRAY_INDEX": index}, "score", "--job-id", job.job_id)
        assert done.returncode == 0, done
    assert hands.outputs("shards.txt") == []
    done = _run(environment, "publish", "--job-id", job.job_id)
    assert done.returncode == 0, done
    ended = hands.ended(job.job_id)
    assert (ended.status, ended.rows, ended.shards_done) == (State.SUCCEEDED, len(sample), 3)
    usual = hands.ended(hands.drop("input/usual.csv", b"\n".join(sample) + b"\n"))
    assert hands.read(ended.output_key) == hands.read(usual.output_key)


def test_image_tells_batch_that_a_bad_row_is_final(hands: Hands, sample: list[bytes]) -> None:
    job = _claimed(hands, "bad", sample[0] + b"\nnot a row\n")
    done = _run(_environment(hands), "score", "--job-id", job.job_id)
    assert done.returncode == 10, done
    ended = hands.ended(job.job_id)
    assert (ended.status, ended.code) == (State.REJECTED, "WRONG_COLUMN_COUNT")
    assert "not a row" not in done.stdout + done.stderr


def test_image_is_not_root_and_has_no_command_line_of_ours(hands: Hands) -> None:
    inspected = subprocess.run(
        [*ENGINE, "image", "inspect", "--format", "{{.Config.User}}", IMAGE], capture_output=True, text=True, check=True
    )
    assert inspected.stdout.strip() == "10001:10001"
    assert "is missing; redeploy the stacks" in _run({}, "score", "--job-id", "x").stdout
