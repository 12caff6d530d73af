"""Whoever checks out under umask 077 gets images whose own user can read them.

Built anew, on the packages that building the images under test left in the engine's cache.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
READ_ALL = "import pathlib; print(len([path.read_bytes() for path in pathlib.Path('/app').rglob('*.py')]))"
FOLDERS = {"model": ("containers/model",), "worker": ("containers/worker", "dropscore")}
CONTEXTS = {"model": "containers/model", "worker": "."}

pytestmark = pytest.mark.skipif(
    not (os.environ.get("DROPSCORE_MODEL_IMAGE") and os.environ.get("DROPSCORE_WORKER_IMAGE")),
    reason="DROPSCORE_MODEL_IMAGE and DROPSCORE_WORKER_IMAGE name no built images",
)


def _private_copy(folder: Path, parts: tuple[str, ...]) -> Path:
    """What git would have checked out; the lists of packages keep their mode, by which the cache knows them."""
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in parts:
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    shutil.copy(ROOT / ".dockerignore", folder)
    for path in folder.rglob("*"):
        if path.name != "requirements.txt":
            path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@pytest.mark.parametrize("image", FOLDERS)
def test_image_of_a_private_checkout_is_readable_to_its_user(image: str, tmp_path: Path) -> None:
    checkout = _private_copy(tmp_path, FOLDERS[image])
    name = f"dropscore-private-{uuid4().hex[:8]}"
    dockerfile = checkout / "containers" / image / "Dockerfile"
    build = ["build", "--quiet", "--tag", name, "--file", str(dockerfile), str(checkout / CONTEXTS[image])]
    try:
        built = subprocess.run([*ENGINE, *build], capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        read = [*ENGINE, "run", "--rm", "--entrypoint", "python", name, "-c", READ_ALL]
        done = subprocess.run(read, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 10
    finally:
        subprocess.run([*ENGINE, "rmi", "--force", name], capture_output=True, check=False)
