"""`make pin-images`: writes the digest of each base image into the Dockerfiles, as part of a release.

A tag such as python:3.12-slim names another image next month; a digest never does. The engine asks the registry, so
this needs Docker with buildx and a connection. `--check` changes nothing and fails where a base image has no digest.

Exit codes: 0 done, 1 an image is not pinned (`--check`), 4 the registry could not be asked.
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
STAGE = re.compile(r"^FROM[ \t]+[^\n]*[ \t]AS[ \t]+(\S+)", re.MULTILINE | re.IGNORECASE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class UnresolvedError(Exception):
    """The engine does not say which digest an image has."""


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
    """The images that a Dockerfile starts from, as they are written; its own stages are not among them."""
    return [found["name"] + (found["digest"] or "") for found in FROM.finditer(text) if _is_image(found, text)]


def pinned(text: str, resolve: Callable[[str], str]) -> str:
    """The Dockerfile with `name@digest` for each base image; `resolve` gives the digest that a name has now."""

    def pin(found: re.Match[str]) -> str:
        if not _is_image(found, text):
            return found[0]
        return f"{found['start']}{found['name']}@{resolve(found['name'])}{found['end']}"

    return FROM.sub(pin, text)


def digest_of(name: str) -> str:
    """What the registry has under this name today: of an image for several architectures, the digest of their list."""
    command = ["docker", "buildx", "imagetools", "inspect", name, "--format", "{{.Manifest.Digest}}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnresolvedError("docker is not installed; it is needed to ask the registry") from None
    digest = asked.stdout.strip().strip('"')
    if asked.returncode != 0 or not DIGEST.fullmatch(digest):
        said = (asked.stderr.strip() or digest or "nothing").splitlines()[-1]
        raise UnresolvedError(f"no digest of {name}; `{' '.join(command)}` answered: {said}")
    return digest


def _is_image(found: re.Match[str], text: str) -> bool:
    return found["name"] != "scratch" and found["name"] not in STAGE.findall(text)


def _check(files: Iterable[Path]) -> int:
    loose = [(file, name) for file in files for name in base_images(file.read_text()) if "@sha256:" not in name]
    for file, name in loose:
        print(f"{file.relative_to(ROOT)}: {name} has no digest; run make pin-images", file=sys.stderr)
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
