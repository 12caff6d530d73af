"""Isolated Python environments, created once from hash-pinned requirements and cached by their digest."""

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
    """Return the interpreter of an environment with exactly `requirements` (a hash-pinned requirements.txt).

    The first call installs from PyPI; later calls use the cache. Two processes may race: one rename wins.
    Raises ConfigurationError if the installation fails.
    """
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = cache / f"{requirements.parent.name}-{digest}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(requirements, home)
    return home / "bin" / "python"


def _install(requirements: Path, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as building:
        # Relocatable, because the folder is renamed once it is complete.
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
            shutil.rmtree(
                building + "/env", ignore_errors=True
            )  # another process was first, and its environment is the same


def _uv(*arguments: str, requirements: Path) -> None:
    done = subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"the environment of {requirements.parent.name}/{requirements.name} could not be created: "
            f"{done.stderr.strip()[-2000:]}\nCheck that PyPI is reachable, then try again."
        )


if __name__ == "__main__":
    for _requirements in sys.argv[1:]:
        python_environment(Path(_requirements))
