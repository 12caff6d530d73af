"""Runs the rendered buildspec with a `docker` and an `aws` that only record their calls."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.constructs.code import DOCKER_MANIFEST
from stacks.images.build import mirrors
from tests.stacks.building import Templates, only
from tests.stacks.conftest import Build
from tests.stacks.images.test_images import BUILT, variables

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PYTHON = "--build-context python:3.12-slim=docker-image://public.ecr.aws/docker/library/python:3.12-slim"
LOGIN = [["aws", "ecr", "get-login-password", "--region", "eu-west-1"]]
DOCKER_LOGIN = ["docker", "login", "--username", "AWS", "--password-stdin", REGISTRY]
FAKE = """#!/bin/bash
asked=$(basename "$0"; printf '\\t%s' "$@")  # one write a line: both ends of a pipe take notes at one time
printf '%s\\n' "${asked//$'\\n'/}" >> "$NOTES"
case "$(basename "$0") $1" in
  "$FAILING"*) exit 1;;
  "aws ecr") echo the-password;;
  "docker login") cat >> "$NOTES.password";;
  "docker build") env | grep -E '^(DOCKER_BUILDKIT|BUILDX_)' | sort >> "$NOTES.environment";;
esac
"""


@pytest.fixture(scope="module")
def templates(build_template: Build) -> Templates:
    return build_template({**BUILT, "worker.architecture": "arm64"})


def buildspec(templates: Templates, project: str) -> dict[str, Any]:
    text = only(templates.images, "AWS::CodeBuild::Project", project)["Source"]["BuildSpec"]
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def commands(spec: Mapping[str, Any]) -> list[str]:
    """The commands in CodeBuild's order; a phase ends at the first failure."""
    assert (spec["version"], spec["env"]["shell"]) == (0.2, "bash")
    assert list(spec["phases"]) == ["pre_build", "build"], "post_build also runs when the build has failed"
    return [command for phase in spec["phases"].values() for command in phase["commands"]]


class Machine:
    """Imitates CodeBuild: one shell runs all commands and stops at the first failure."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "notes"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("aws", "docker"):
            (self.bin / name).write_text(FAKE)
            (self.bin / name).chmod(0o755)

    def run(self, templates: Templates, project: str, failing: str = "none") -> int:
        spec = buildspec(templates, project)
        given = variables(templates, project)
        given["IMAGE"] = f"{REGISTRY}/repository:{given['IMAGE'].rpartition(':')[2]}"
        environment = {
            **spec["env"]["variables"],
            **given,
            "AWS_REGION": "eu-west-1",
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "NOTES": str(self.notes),
            "FAILING": failing,
        }
        script = "\n".join(f"{command} || exit 1" for command in commands(spec))
        return subprocess.run(["/bin/bash", "-c", script], env=environment, check=False, capture_output=True).returncode

    @property
    def calls(self) -> list[list[str]]:
        """The calls in order; the two ends of a pipe, which start together, are sorted."""
        lines = [line.split("\t") for line in self.notes.read_text().splitlines()]
        return [*sorted(lines[:2]), *lines[2:]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("project", "platform", "dockerfile", "mirrored"),
    [
        ("ModelImage", "linux/amd64", "Dockerfile", PYTHON),
        ("Worker", "linux/arm64", "containers/worker/Dockerfile", PYTHON),
        ("MineImage", "linux/amd64", "Dockerfile", PYTHON.replace(":3.12-slim", "")),
    ],
)
def test_a_build_logs_in_builds_and_pushes(
    templates: Templates, machine: Machine, project: str, platform: str, dockerfile: str, mirrored: str
) -> None:
    assert machine.run(templates, project) == 0

    image = f"{REGISTRY}/repository:{variables(templates, project)['IMAGE'].rpartition(':')[2]}"
    where = ["--output", DOCKER_MANIFEST, "--platform", platform, "--file", dockerfile, "--tag", image, "."]
    assert machine.calls == [
        *LOGIN,
        DOCKER_LOGIN,
        ["docker", "build", *shlex.split(mirrored), *where],
        ["docker", "push", image],
    ]
    assert machine.notes.with_suffix(".password").read_text() == "the-password\n"


def test_an_image_is_no_index_of_attestations(templates: Templates, machine: Machine) -> None:
    """SageMaker rejects an index."""
    machine.run(templates, "ModelImage")

    environment = machine.notes.with_suffix(".environment").read_text().splitlines()
    assert environment == ["BUILDX_NO_DEFAULT_ATTESTATIONS=1", "DOCKER_BUILDKIT=1"]


@pytest.mark.parametrize(
    ("failing", "last"),
    [("aws ecr", "login"), ("docker login", "login"), ("docker build", "build"), ("docker push", "push")],
)
def test_what_fails_fails_the_build_and_nothing_comes_after_it(
    templates: Templates, machine: Machine, failing: str, last: str
) -> None:
    assert machine.run(templates, "Worker", failing) != 0
    assert machine.calls[-1][:2] == ["docker", last]


@pytest.mark.parametrize(
    ("dockerfile", "bases"),
    [
        ("FROM python:3.12-slim", ["python:3.12-slim"]),
        ("from python", ["python"]),
        ("FROM --platform=$BUILDPLATFORM golang:1.25 AS build\nFROM alpine:3", ["golang:1.25", "alpine:3"]),
        ("FROM python:3.12 AS base\nFROM base\nFROM Base", ["python:3.12"]),
        ("FROM python:3.12 as a\nFROM python:3.12 as b", ["python:3.12"]),
        (f"FROM python:3.12@sha256:{'0' * 64}", [f"python:3.12@sha256:{'0' * 64}"]),
        ("FROM scratch", []),
        ("FROM public.ecr.aws/docker/library/python:3.12", []),
        ("FROM nvcr.io/nvidia/tritonserver:25.01-py3", []),
        ("FROM bitnami/python:3.12", []),
        ("ARG BASE=python:3.12\nFROM ${BASE}", []),
        ("FROM python:3.12;rm", []),
        ("# FROM python:3.12", []),
    ],
)
def test_docker_hubs_official_images_and_no_others_come_from_amazons_mirror(dockerfile: str, bases: list[str]) -> None:
    options = [f"--build-context {base}=docker-image://public.ecr.aws/docker/library/{base}" for base in bases]
    assert mirrors(dockerfile) == " ".join(options)


def test_a_build_has_no_other_variables(templates: Templates) -> None:
    for project in ("ModelImage", "Worker", "MineImage"):
        assert set(variables(templates, project)) == {"IMAGE", "PLATFORM", "DOCKERFILE", "MIRRORS"}
