"""The subject of the checks: distinct templates of many assemblies, and the repository's files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tools.checks.findings import CheckError
from tools.checks.programs import ROOT

SUFFIX = ".template.json"
HASH_FILES = ("uv.lock", "package-lock.json", "requirements.txt", "bootstrap.txt", ".secrets.baseline")


@dataclass(frozen=True)
class Template:
    stack: str
    origin: str
    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.path.read_text())
        return read


@dataclass(frozen=True)
class Assembly:
    """One synthesized combination of settings."""

    label: str
    outdir: Path

    @cached_property
    def templates(self) -> list[Template]:
        paths = sorted(self.outdir.glob(f"*{SUFFIX}"))
        return [Template(path.name.removesuffix(SUFFIX), self.label, path) for path in paths]


@dataclass(frozen=True)
class Subject:
    """Everything that the checkers examine."""

    assemblies: Sequence[Assembly] = ()
    folder: Path = Path()
    """The distinct templates, in folders named after the first combination with each."""
    templates: Sequence[Template] = ()
    root: Path = ROOT
    dockerfiles: Sequence[Path] = ()
    code: Sequence[Path] = ()
    files: Sequence[Path] = ()


def distinct(assemblies: Iterable[Assembly], folder: Path) -> list[Template]:
    """Copy each distinct template into `folder` once; most combinations share most stacks."""
    seen: set[str] = set()
    found = []
    for assembly in assemblies:
        for template in assembly.templates:
            text = template.path.read_text()
            if text in seen:
                continue
            seen.add(text)
            target = folder / assembly.label / template.path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(template.path, target)
            found.append(replace(template, path=target))
    return found


def tracked(root: Path = ROOT) -> list[Path]:
    """Tracked and untracked files of the repository, without ignored ones, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise CheckError(f"git cannot list the files of {root.name}; run the checks in a clone of the repository")
    names = sorted(set(listed.stdout.split("\0")) - {""})
    return [Path(name) for name in names if (root / name).is_file()]


def is_dockerfile(path: Path) -> bool:
    return path.name == "Dockerfile" or path.suffix == ".Dockerfile"


def is_shipped_code(path: Path) -> bool:
    """Python outside tests; tests contain patterns that products must not."""
    return path.suffix == ".py" and path.parts[0] != "tests"


def may_hold_secrets(path: Path) -> bool:
    """All files except lock files and the baseline, which consist of hashes."""
    return path.name not in HASH_FILES
