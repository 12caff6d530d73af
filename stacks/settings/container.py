"""The container that serves a model: ours, a folder with a Dockerfile, or an image in Amazon ECR."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stacks.settings.problems import SettingsError

ROOT = Path(__file__).resolve().parents[2]
_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A build context with a Dockerfile; its .dockerignore is an allow-list of the files in the image."""

    path: Path


@dataclass(frozen=True, slots=True)
class EcrImage:
    uri: str
    account: str
    region: str
    repository: str
    version: str
    """The first 12 hex digits of the digest, or the tag."""


Container = Folder | EcrImage
OURS = Folder(ROOT / "containers" / "model")


def read_uri(uri: str) -> EcrImage:
    """Parse the URI of an image in ECR. Raises ValueError with the fix."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise ValueError(
            "SageMaker pulls from Amazon ECR only; push the image there and name it as "
            "<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>"
        )
    version = (found["digest"] or "")[:12] or found["tag"]
    if version in (None, "latest"):
        raise ValueError(
            "this tag names another image after every push, and the model's version changes with it; use a unique tag "
            "or the digest, …@sha256:<64 hex digits>"
        )
    return EcrImage(uri, found["account"], found["region"], found["repository"], version)


def read_folder(path: Path, key: str) -> Folder:
    """Return the folder at `path`; `key` is the setting that names it, for the message. Raises SettingsError."""
    if not (path / "Dockerfile").is_file():
        fix = "use a folder that contains one; examples/linear is a small example"
        raise SettingsError(f"{key}: {path} does not contain a Dockerfile; {fix}")
    if not _is_allow_list(path / ".dockerignore"):
        raise SettingsError(
            f"{key}: {path}/.dockerignore must be an allow-list, or unrelated files would change the image; "
            "begin it with `*`, followed by `!` and the name of each file and folder that the Dockerfile copies"
        )
    return Folder(path.resolve())


def _is_allow_list(file: Path) -> bool:
    lines = file.read_text().splitlines() if file.is_file() else []
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return rules[:1] == ["*"]
