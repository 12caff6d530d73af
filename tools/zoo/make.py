"""Creates tests/fixtures/zoo: `python -m tools.zoo.make [NAME …]`, where NAME is for example `0.90-python3.6`.

Each release is installed under build/zoo with the pip of the Python that it needs (see releases.py), and runs write.py.
A Python is found on the PATH, then with `uv python find`; 2.7, 3.6 and 3.7 come from pyenv or the system. With pyenv,
PYENV_VERSION=3.11.7:2.7.18:… puts several on the PATH. Needs Linux on x86-64: the oldest releases have no other wheels.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from uv import find_uv_bin

from tools.zoo.releases import RELEASES, Release

ROOT = Path(__file__).resolve().parents[2]
ZOO = ROOT / "tests" / "fixtures" / "zoo"
LIBRARIES = ROOT / "build" / "zoo"
WRITE = Path(__file__).with_name("write.py")
PRINT_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def main(names: list[str]) -> int:
    unknown = set(names) - {release.name for release in RELEASES}
    if unknown:
        print(
            f"unknown: {', '.join(sorted(unknown))}; available: {', '.join(r.name for r in RELEASES)}", file=sys.stderr
        )
        return 2
    for release in RELEASES:
        if not names or release.name in names:
            _make(release)
    return 0


def _make(release: Release) -> None:
    python = _interpreter(release.python)
    libraries = _libraries(release, python)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(libraries), "OMP_NUM_THREADS": "1"}
        subprocess.run([python, "-W", "ignore", str(WRITE), folder], check=True, env=environment)
        content = _tar(Path(folder))
    ZOO.mkdir(parents=True, exist_ok=True)
    (ZOO / f"{release.name}.tar.xz").write_bytes(content)
    print(f"{release.name}: {len(content)} bytes")


def _interpreter(version: str) -> str:
    uv = subprocess.run(
        [find_uv_bin(), "python", "find", "--no-project", version], capture_output=True, text=True, check=False
    )
    for candidate in (shutil.which(f"python{version}"), uv.stdout.strip()):
        if candidate and _version_of(candidate) == version:
            return candidate
    sys.exit(f"Python {version} was not found on the PATH or by `uv python find {version}`; install it first")


def _version_of(python: str) -> str:
    """Return the version; empty if it does not run, such as a pyenv shim of a Python that is not active."""
    done = subprocess.run([python, "-c", PRINT_VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _libraries(release: Release, python: str) -> Path:
    home = LIBRARIES / release.name
    if not home.exists():
        LIBRARIES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=LIBRARIES) as building:
            target = Path(building, "libraries")
            install = ("-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(target))
            subprocess.run([python, *install, *release.requirements], check=True)
            target.rename(home)
    return home


def _tar(folder: Path) -> bytes:
    """Omit times and users, so that only a changed model changes the file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=9) as archive:
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
