"""detect-secrets over every file of the tree, compared with `.secrets.baseline`, which people have looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject

BASELINE = ".secrets.baseline"
UNREAD_LINES = r"ExportsOutput|sample-\w+[0-9A-F]{8}"
"""Names of resources in expected templates: they end in hashes of the CDK's."""

Json = dict[str, Any]
Secrets = dict[tuple[str, str, str], Json]  # by file, kind and hash


def check(subject: Subject) -> list[Finding]:
    found, known = _by_secret(_scan(subject)), _by_secret(_baseline(subject))
    return [*_new(found, known), *_gone(found, known)]


def _scan(subject: Subject) -> Json:
    """As detect-secrets writes a baseline."""
    command = [linter("detect-secrets"), "-C", str(subject.root), "scan", "--no-verify"]
    command += ["--exclude-lines", UNREAD_LINES, *map(str, subject.files)]
    scanned: Json = json.loads(run(command, cwd=subject.root))
    for file, entries in scanned["results"].items():
        for entry in entries:
            entry["filename"] = file  # it writes where the tree lies on this machine
    return scanned


def _baseline(subject: Subject) -> Json:
    """A tree without a baseline has no known false alarms."""
    path = subject.root / BASELINE
    read: Json = json.loads(path.read_text()) if path.exists() else {"results": {}}
    return read


def _new(found: Secrets, known: Secrets) -> Iterator[Finding]:
    audited = {key for key, entry in known.items() if entry.get("is_secret") is False}
    for (file, kind, _), entry in sorted((key, found[key]) for key in found.keys() - audited):
        yield Finding("secrets", kind, file, f"line {entry['line_number']} looks like a secret; see docs/checks.md")


def _gone(found: Secrets, known: Secrets) -> Iterator[Finding]:
    for file, kind, _ in sorted(known.keys() - found.keys()):
        yield Finding("secrets", "unneeded", file, f"{BASELINE} excuses a {kind} that is not there; see docs/checks.md")


def _by_secret(scan: Json) -> Secrets:
    results = scan["results"]
    return {(file, each["type"], each["hashed_secret"]): each for file in results for each in results[file]}


def write_baseline(subject: Subject) -> None:
    """What is found now, with what people have said of it before. New entries still want `"is_secret": false`."""
    known, scan = _by_secret(_baseline(subject)), _scan(subject)
    for key, entry in _by_secret(scan).items():
        if "is_secret" in known.get(key, {}):
            entry["is_secret"] = known[key]["is_secret"]
    (subject.root / BASELINE).write_text(json.dumps({**scan, "generated_at": ""}, indent=2) + "\n")
