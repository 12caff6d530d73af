"""After a checkout under umask 077, the user of an image can read its files.

Builds only the last stage of each Dockerfile, from the image under test, which has the packages: works offline.
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
CONTEXTS = {"model": ROOT / "containers" / "model", "worker": ROOT}
COPIED = {"model": (".",), "worker": ("containers/worker", "dropscore", "schema")}  # paths copied from each context
READ_ALL = "import pathlib; print(len([path.read_bytes() for path in pathlib.Path('/app').rglob('*.py')]))"


def _private_copy(context: Path, parts: tuple[str, ...], folder: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in parts:
        shutil.copytree(context / part, folder / part, ignore=ignore, dirs_exist_ok=True)
    shutil.copy(context / ".dockerignore", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def _last_stage(dockerfile: str, image: str) -> str:
    """The steps of the last stage, run as root on `image`, which already has the packages."""
    base, steps = dockerfile.rsplit("\nFROM ", 1)[1].split("\n", 1)
    assert base.startswith("python:"), base
    return f"FROM {image} AS packages\nFROM {image}\nUSER 0\n{steps}"


@pytest.mark.parametrize("image_name", CONTEXTS)
def test_image_of_a_private_checkout_is_readable_to_its_user(image_name: str, tmp_path: Path) -> None:
    image = os.environ.get(f"DROPSCORE_{image_name.upper()}_IMAGE")
    if not image:
        pytest.skip(f"DROPSCORE_{image_name.upper()}_IMAGE names no built image")
    context = _private_copy(CONTEXTS[image_name], COPIED[image_name], tmp_path / "context")
    written = _last_stage((ROOT / "containers" / image_name / "Dockerfile").read_text(), image)
    (tmp_path / "Dockerfile").write_text(written)
    name = f"dropscore-private-{uuid4().hex[:8]}"
    try:
        _engine("build", "--quiet", "--tag", name, "--file", str(tmp_path / "Dockerfile"), str(context))
        assert int(_engine("run", "--rm", "--entrypoint", "python", name, "-c", READ_ALL)) > 10
    finally:
        subprocess.run([*ENGINE, "rmi", "--force", name], capture_output=True, check=False)


def _engine(*arguments: str) -> str:
    done = subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
