"""`make pin-images`: writes the digest of each base image into the Dockerfiles before a release.

A tag such as python:3.12-slim can move to another image; a digest cannot. Docker queries the registry, so this needs
Docker with buildx and a connection. `--check` changes nothing and fails if a base image has no digest.

Exit codes: 0 done, 1 an image is not pinned (`--check`), 4 the registry query failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FROM = re.compile(
    r"^(?P<start>FROM[ \t]+(?:--platform=\S+[ \t]+)?)(?P<name>[^\s@]+)(?P<digest>@\S+)?(?P<end>[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
BUILD_STAGE = re.compile(r"^FROM[ \t]+[^\n]*[ \t]AS[ \t]+(\S+)", re.MULTILINE | re.IGNORECASE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class UnresolvedError(Exception):
    """Docker did not return an image's digest."""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.pin_images [--check]", file=sys.stderr)
        return 2
    files = dockerfiles(ROOT)
    if arguments:
        return _check(files)
    try:
        texts = {file: pinned(file.read_text(), cache(digest_of)) for file in files}
    except UnresolvedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    for file, text in texts.items():
        file.write_text(text)
        print(f"{file.relative_to(ROOT)}: {', '.join(base_images(text))}")
    return 0


def dockerfiles(root: Path) -> list[Path]:
    return sorted([*root.glob("containers/*/Dockerfile"), *root.glob("examples/*/Dockerfile")])


def base_images(text: str) -> list[str]:
    """The base images of a Dockerfile as written, without its own build stages."""
    return [found["name"] + (found["digest"] or "") for found in FROM.finditer(text) if _is_image(found, text)]


def pinned(text: str, resolve: Callable[[str], str]) -> str:
    """The Dockerfile with `name@digest` for each base image; `resolve` returns a name's current digest."""

    def pin(found: re.Match[str]) -> str:
        if not _is_image(found, text):
            return found[0]
        return f"{found['start']}{found['name']}@{resolve(found['name'])}{found['end']}"

    return FROM.sub(pin, text)


def digest_of(name: str) -> str:
    """The digest of this name in the registry; for a multi-architecture image the digest of its index."""
    command = ["docker", "buildx", "imagetools", "inspect", name, "--format", "{{.Manifest.Digest}}"]
    try:
        inspected = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnresolvedError("docker is not installed; install it to query the registry") from None
    digest = inspected.stdout.strip().strip('"')
    if inspected.returncode != 0 or not DIGEST.fullmatch(digest):
        message = (inspected.stderr.strip() or digest or "nothing").splitlines()[-1]
        raise UnresolvedError(f"could not get the digest of {name}; `{' '.join(command)}` returned: {message}")
    return digest


def _is_image(found: re.Match[str], text: str) -> bool:
    return found["name"] != "scratch" and found["name"] not in BUILD_STAGE.findall(text)


def _check(files: Iterable[Path]) -> int:
    loose = [(file, name) for file in files for name in base_images(file.read_text()) if "@sha256:" not in name]
    for file, name in loose:
        print(f"{file.relative_to(ROOT)}: {name} has no digest; run `make pin-images`", file=sys.stderr)
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
