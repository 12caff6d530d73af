"""Base images get the digest that the engine reports, and nothing else in a Dockerfile changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tools import pin_images

DIGEST = "sha256:" + "0123456789abcdef" * 4
TEXT = """# FROM nothing
FROM --platform=linux/amd64 python:3.12-slim AS packages
RUN echo FROM here
FROM packages AS more
FROM python:3.12-slim@sha256:old
COPY --from=packages /a /b
FROM scratch
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that answers with the text of the file `answer`, and fails where there is none."""
    command = tmp_path / "docker"
    command.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat {tmp_path}/answer\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "containers" / "worker" / "Dockerfile"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    monkeypatch.setattr(pin_images, "ROOT", tmp_path)
    return file


def test_base_images_get_digests_and_stages_do_not() -> None:
    expected = TEXT.replace("python:3.12-slim AS", f"python:3.12-slim@{DIGEST} AS").replace("sha256:old", DIGEST)
    assert pin_images.pinned(TEXT, lambda _: DIGEST) == expected


def test_the_engine_is_asked_once_for_each_name(engine: Path, project: Path) -> None:
    (engine / "answer").write_text(f"{DIGEST}\n")
    assert pin_images.main([]) == 0
    assert project.read_text().count(DIGEST) == 2
    assert (
        engine / "asked"
    ).read_text() == "buildx imagetools inspect python:3.12-slim --format {{.Manifest.Digest}}\n"
    assert pin_images.main(["--check"]) == 0


@pytest.mark.parametrize("answer", [None, "", "latest", "sha256:123"])
def test_nothing_is_written_without_a_digest(
    engine: Path, project: Path, answer: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if answer is not None:
        (engine / "answer").write_text(answer)
    assert pin_images.main([]) == 4
    assert "could not get the digest of python:3.12-slim" in capsys.readouterr().err
    assert project.read_text() == TEXT


def test_a_missing_engine_is_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert pin_images.main([]) == 4
    assert "docker is not installed" in capsys.readouterr().err


def test_an_image_without_a_digest_fails_the_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pin_images.main(["--check"]) == 1
    assert "containers/worker/Dockerfile: python:3.12-slim has no digest" in capsys.readouterr().err


def test_every_dockerfile_of_the_project_is_found() -> None:
    found = {file.relative_to(pin_images.ROOT).as_posix() for file in pin_images.dockerfiles(pin_images.ROOT)}
    assert {"containers/model/Dockerfile", "containers/worker/Dockerfile", "examples/linear/Dockerfile"} <= found
    for file in pin_images.dockerfiles(pin_images.ROOT):
        assert pin_images.base_images(file.read_text())
