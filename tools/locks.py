"""Rewrites every file derived from uv.lock or a requirements.in; --check only compares them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
EXPORT = ("export", "--locked", "--no-emit-project", "--no-header", "--quiet")
COMPILE = ("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11", "--no-header")

# File → export options. Exported files follow uv.lock; compiled ones follow their requirements.in and keep pins.
EXPORTED = {
    "requirements.txt": ("--no-default-groups", "--group", "training"),
    "containers/worker/requirements.txt": ("--only-group", "worker"),
    "containers/model/requirements.txt": ("--only-group", "model"),
    "bootstrap.txt": ("--only-group", "bootstrap"),
}
COMPILED = (
    "local/emulator",
    "model_tools/importing/legacy",
    "bench/rivals/flask",
    "bench/rivals/mlserver",
    "tools/checks/environments/checkov",
    "tools/checks/environments/linters",
)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.locks [--check]", file=sys.stderr)
        return 2
    stale = [name for name, text in _derived() if not _is_current(name, text, write=not arguments)]
    for name in stale:
        print(f"{name} {'is not current: run `make lock`' if arguments else 'written'}", file=sys.stderr)
    return 1 if stale and arguments else 0


def _derived() -> list[tuple[str, str]]:
    exported = [(name, _uv(*EXPORT, *choice)) for name, choice in EXPORTED.items()]
    return exported + [(f"{folder}/requirements.txt", _compiled(folder)) for folder in COMPILED]


def _compiled(folder: str) -> str:
    """Compile with the current pins as constraints, so that only a change of the .in file changes the result."""
    pins = ROOT / folder / "requirements.txt"
    return _uv(*COMPILE, f"{folder}/requirements.in", "--constraint", str(pins.relative_to(ROOT)), "--no-annotate")


def _is_current(name: str, text: str, *, write: bool) -> bool:
    file = ROOT / name
    if file.exists() and file.read_text() == text:
        return True
    if write:
        file.write_text(text)
    return False


def _uv(*arguments: str) -> str:
    return subprocess.run([find_uv_bin(), *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
