"""`images = "codebuild"` in the embedded cloud: the images' code runs, and the build function may start builds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dropscore.jobs.job import State
from tests.e2e.builds import Images, let_it_see_builds, waiting_stack
from tests.e2e.conftest import Driver, cloud_of

SETTINGS = Path(__file__).with_name("built_images.toml")
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:0"},
    "layers": [],
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with cloud_of(SETTINGS, tmp_path_factory.mktemp("built")) as running:
        deployed = Images(Driver(running))
        let_it_see_builds(deployed)
        yield deployed


@pytest.fixture
def stack() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with waiting_stack() as waiting:
        yield waiting


@pytest.mark.parametrize(
    ("key", "row"),
    [("input/rows.csv", b"0," * 29 + b"0\n"), ("input/linear/rows.csv", b"5,2,3,4\n")],
    ids=["ours", "third-party"],
)
def test_what_would_be_built_scores(images: Images, key: str, row: bytes) -> None:
    job = images.driver.ended(images.driver.drop(key, row * 3))

    assert (job.status, job.rows_scored) == (State.SUCCEEDED, 3)


def test_it_is_said_that_no_image_is_built(images: Images) -> None:
    notes = [note for note in images.driver.cloud.not_emulated if "Custom::ImageBuild" in note]

    assert sorted(note.split("/")[1].split("Image")[0] for note in notes) == ["Linear", "Model", "Worker"]


def test_the_function_may_have_an_image_built_and_see_that_it_is_there(
    images: Images, stack: tuple[str, list[dict[str, Any]]]
) -> None:
    """The function runs under its own role: with a missing permission it would answer FAILED, or not at all."""
    url, answers = stack
    repository = images.ask(url, "Linear.1")
    assert answers == []

    images.client("ecr").put_image(repositoryName=repository, imageTag="Linear.1", imageManifest=json.dumps(MANIFEST))
    images.end("SUCCEEDED")
    images.ask(url, "Linear.1")

    assert [(each["Status"], each["PhysicalResourceId"]) for each in answers] == [
        ("SUCCESS", f"{repository}:Linear.1")
    ] * 2


def test_a_build_without_an_image_fails_the_stack(images: Images, stack: tuple[str, list[dict[str, Any]]]) -> None:
    url, answers = stack
    images.ask(url, "Linear.2")
    images.end("FAILED")

    assert [each["Status"] for each in answers] == ["FAILED"]
    assert "Linear.2: its build ended FAILED" in answers[0]["Reason"]
