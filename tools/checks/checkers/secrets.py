"""detect-secrets over every file, compared with the reviewed `.secrets.baseline`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject

BASELINE = ".secrets.baseline"
UNREAD_LINES = r"ExportsOutput|sample-\w+[0-9A-F]{8}"
"""Resource names in expected templates, which end in CDK hashes."""

Json = dict[str, Any]
Secrets = dict[tuple[str, str, str], Json]  # by file, secret type and hash


def check(subject: Subject) -> list[Finding]:
    found, baseline = _by_secret(_scan(subject)), _by_secret(_baseline(subject))
    return [*_new(found, baseline), *_gone(found, baseline)]


def _scan(subject: Subject) -> Json:
    """Scan the files; the result has the format of a baseline."""
    command = [linter("detect-secrets"), "-C", str(subject.root), "scan", "--no-verify"]
    command += ["--exclude-lines", UNREAD_LINES, *map(str, subject.files)]
    scanned: Json = json.loads(run(command, cwd=subject.root))
    for file, entries in scanned["results"].items():
        for entry in entries:
            entry["filename"] = file  # it would contain this machine's paths
    return scanned


def _baseline(subject: Subject) -> Json:
    """The baseline; empty if there is none."""
    path = subject.root / BASELINE
    read: Json = json.loads(path.read_text()) if path.exists() else {"results": {}}
    return read


def _new(found: Secrets, baseline: Secrets) -> Iterator[Finding]:
    audited = {key for key, entry in baseline.items() if entry.get("is_secret") is False}
    for (file, secret_type, _), entry in sorted((key, found[key]) for key in found.keys() - audited):
        yield Finding(
            "secrets", secret_type, file, f"line {entry['line_number']} looks like a secret; see docs/checks.md"
        )


def _gone(found: Secrets, baseline: Secrets) -> Iterator[Finding]:
    for file, secret_type, _ in sorted(baseline.keys() - found.keys()):
        yield Finding(
            "secrets", "unneeded", file, f"{BASELINE} lists a {secret_type} that was not found; see docs/checks.md"
        )


def _by_secret(scan: Json) -> Secrets:
    results = scan["results"]
    return {(file, entry["type"], entry["hashed_secret"]): entry for file in results for entry in results[file]}


def write_baseline(subject: Subject) -> None:
    """Write the current findings with earlier reviews. Add `"is_secret": false` to new entries by hand."""
    baseline, scan = _by_secret(_baseline(subject)), _scan(subject)
    for key, entry in _by_secret(scan).items():
        if "is_secret" in baseline.get(key, {}):
            entry["is_secret"] = baseline[key]["is_secret"]
    (subject.root / BASELINE).write_text(json.dumps({**scan, "generated_at": ""}, indent=2) + "\n")
