"""Isolated Python environments, made once from hash-pinned requirements and found again by their digest."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from dropscore.errors import ConfigurationError

CACHE = Path(__file__).resolve().parents[1] / ".dropscore" / "environments"


def python_environment(requirements: Path, *, cache: Path = CACHE) -> Path:
    """The interpreter of an environment that holds exactly `requirements` (a hash-pinned requirements.txt).

    The first call installs from PyPI; later ones cost a file look-up. Two processes may race: one rename wins.
    """
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = cache / f"{requirements.parent.name}-{digest}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(requirements, home)
    return home / "bin" / "python"


def _install(requirements: Path, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as building:
        _uv(
            "venv", "--quiet", "--relocatable", "--python", sys.executable, building + "/env", requirements=requirements
        )
        _uv(
            *("pip", "install", "--quiet", "--require-hashes", "--no-deps", "--compile-bytecode"),
            *("--python", building + "/env/bin/python", "-r", str(requirements)),
            requirements=requirements,
        )
        try:
            Path(building, "env").rename(home)
        except OSError:
            if not home.exists():
                raise
            shutil.rmtree(building + "/env", ignore_errors=True)  # another process was first; ours is the same


def _uv(*arguments: str, requirements: Path) -> None:
    done = subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"the environment of {requirements.parent.name}/{requirements.name} could not be made: "
            f"{done.stderr.strip()[-2000:]}\nCheck that PyPI can be reached, then try again."
        )


if __name__ == "__main__":
    for _requirements in sys.argv[1:]:
        python_environment(Path(_requirements))
