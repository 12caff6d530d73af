"""The built worker image runs a job in the embedded cloud with only the permissions of the worker's role.

DROPSCORE_WORKER_IMAGE names the image; DROPSCORE_ENGINE is the engine's command, `docker` when unset.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import Any

import pytest

from dropscore.clock import now
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import output_key
from local.one_shot import deployment
from tests.e2e.conftest import Driver
from tests.stacks.building import build_templates, only

IMAGE = os.environ.get("DROPSCORE_WORKER_IMAGE", "")
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
# Podman mounts writable memory at these paths of a read-only root by default; Fargate does not.
NO_SCRATCH = tuple(f"--tmpfs={place}:ro" for place in ("/tmp", "/var/tmp", "/run"))  # noqa: S108
STRICT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m", *NO_SCRATCH)
PROBE = """
import json, os, pathlib, re, subprocess
def errno_of(act):
    try: act()
    except OSError as error: return error.errno
    return 0
program = pathlib.Path("/tmp/program")
found = {
    "ids": sorted({os.getuid(), os.getgid(), *os.getgroups()}),
    "capabilities": int(re.search("CapEff:(.*)", pathlib.Path("/proc/self/status").read_text())[1], 16),
    "is_first": os.getpid() == 1,
    "root": os.strerror(errno_of(pathlib.Path("/app/written").touch)),
    "scratch": errno_of(lambda: program.write_text("#!/bin/sh")),
}
program.chmod(0o755)
found["program"] = os.strerror(errno_of(lambda: subprocess.run([program])))
found["65 MiB"] = os.strerror(errno_of(lambda: program.write_bytes(bytes(65 << 20))))
print(json.dumps(found))
"""

pytestmark = pytest.mark.skipif(not IMAGE, reason="DROPSCORE_WORKER_IMAGE names no built image to run")


def _environment(driver: Driver) -> dict[str, str]:
    """The variables of the job definition and of Batch, the worker role's credentials, and the cloud's address."""
    kept = json.loads((driver.cloud.home / "shim.json").read_text())["resources"]
    (definition,) = [resource["properties"] for resource in kept if resource["type"] == "AWS::Batch::JobDefinition"]
    container = definition["ContainerProperties"]
    session = driver.client("sts").assume_role(RoleArn=container["JobRoleArn"], RoleSessionName="image")["Credentials"]
    return {
        **{pair["Name"]: pair["Value"] for pair in container["Environment"]},
        "AWS_BATCH_JOB_ID": "image",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
        "AWS_ENDPOINT_URL": driver.cloud.endpoint_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": driver.cloud.shim_url,
    }


def _run(
    environment: dict[str, str], *command: str, options: tuple[str, ...] = STRICT
) -> subprocess.CompletedProcess[str]:
    given = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    return subprocess.run(
        [*ENGINE, "run", "--rm", "--network", "host", *options, *given, IMAGE, *command],
        capture_output=True,
        text=True,
        check=False,
    )


def _events(done: subprocess.CompletedProcess[str], event: str) -> list[dict[str, Any]]:
    """Returns the lines of one event from a log in which every line is JSON."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.fixture(scope="module")
def on_instances(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Returns the `run` options that the ECS agent uses for the job definition for EC2."""
    template = build_templates(tmp_path_factory.mktemp("templates"), {"worker.compute": "ec2"}).scoring
    container = only(template, "AWS::Batch::JobDefinition")["ContainerProperties"]
    linux, required = container["LinuxParameters"], container["ResourceRequirements"]
    flags = {"--read-only": container["ReadonlyRootFilesystem"], "--init": linux["InitProcessEnabled"]}
    return (
        *(flag for flag, is_set in flags.items() if is_set),
        f"--user={container['User']}",
        *(f"--memory={requirement['Value']}m" for requirement in required if requirement["Type"] == "MEMORY"),
        *(
            f"--tmpfs={mount['ContainerPath']}:size={mount['Size']}m,{','.join(mount['MountOptions'])}"
            for mount in linux["Tmpfs"]
        ),
    )


def _claimed(driver: Driver, name: str, body: bytes, shards: int = 1) -> Job:
    """A job that the cloud itself ignores: its file is not a .csv, so only the container under test scores it."""
    key = f"input/{name}.txt"
    version = driver.client("s3").put_object(Bucket=driver.bucket, Key=key, Body=body)["VersionId"]
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
    assert deployment(driver.cloud).table.claim(job)
    return job


def test_image_scores_a_file_without_any_right_but_its_roles(driver: Driver, sample: list[bytes]) -> None:
    job = _claimed(driver, "image", b"\n".join(sample) + b"\n")
    done = _run(_environment(driver), "score", "--job-id", job.job_id)
    assert done.returncode == 0, done
    ended = driver.ended(job.job_id)
    assert (ended.status, ended.rows) == (State.SUCCEEDED, len(sample))
    assert [line["Rows"] for line in _events(done, "measured") if "Rows" in line] == [len(sample)]
    usual = driver.ended(driver.drop("input/usual.csv", b"\n".join(sample) + b"\n"))
    assert driver.read(ended.output_key) == driver.read(usual.output_key)


def test_image_scores_a_file_as_a_job_on_instances(
    driver: Driver, sample: list[bytes], on_instances: tuple[str, ...]
) -> None:
    job = _claimed(driver, "instances", b"\n".join(sample) + b"\n")
    environment = _environment(driver)
    del environment["AWS_REGION"]  # set by Fargate, but not by the ECS agent of an instance
    done = _run(environment, "score", "--job-id", job.job_id, options=on_instances)
    assert done.returncode == 0, done
    ended = driver.ended(job.job_id)
    assert (ended.status, ended.rows) == (State.SUCCEEDED, len(sample))
    usual = driver.ended(driver.drop("input/usual.csv", b"\n".join(sample) + b"\n"))
    assert driver.read(ended.output_key) == driver.read(usual.output_key)


def test_on_instances_the_image_may_write_to_its_scratch_and_run_nothing_there(on_instances: tuple[str, ...]) -> None:
    done = _run({}, "-c", PROBE, options=(*on_instances, "--entrypoint=python"))
    assert json.loads(done.stdout or "{}") == {
        "ids": [10001],
        "capabilities": 0,
        "is_first": False,
        "root": "Read-only file system",
        "scratch": 0,
        "program": "Permission denied",
        "65 MiB": "No space left on device",
    }, done


def test_image_scores_shards_and_publishes_them(driver: Driver, sample: list[bytes]) -> None:
    job = _claimed(driver, "shards", b"\n".join(sample) + b"\n", shards=3)
    environment = _environment(driver)
    for index in ("2", "0", "1"):
        done = _run({**environment, "AWS_BATCH_JOB_ARRAY_INDEX": index}, "score", "--job-id", job.job_id)
        assert done.returncode == 0, done
    assert driver.outputs("shards.txt") == []
    done = _run(environment, "publish", "--job-id", job.job_id)
    assert done.returncode == 0, done
    ended = driver.ended(job.job_id)
    assert (ended.status, ended.rows, ended.shards_done) == (State.SUCCEEDED, len(sample), 3)
    usual = driver.ended(driver.drop("input/usual.csv", b"\n".join(sample) + b"\n"))
    assert driver.read(ended.output_key) == driver.read(usual.output_key)


def test_image_tells_batch_that_a_bad_row_is_final(driver: Driver, sample: list[bytes]) -> None:
    job = _claimed(driver, "bad", sample[0] + b"\nnot a row\n")
    done = _run(_environment(driver), "score", "--job-id", job.job_id)
    assert done.returncode == 10, done
    ended = driver.ended(job.job_id)
    assert (ended.status, ended.code) == (State.REJECTED, "WRONG_COLUMN_COUNT")
    assert "not a row" not in done.stdout + done.stderr


def test_image_is_not_root_and_has_no_command_line_of_ours(driver: Driver) -> None:
    inspected = subprocess.run(
        [*ENGINE, "image", "inspect", "--format", "{{.Config.User}}", IMAGE], capture_output=True, text=True, check=True
    )
    assert inspected.stdout.strip() == "10001:10001"
    assert "is missing; redeploy the stacks" in _run({}, "score", "--job-id", "x").stdout
