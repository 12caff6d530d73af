"""What must hold after every case, whatever broke."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dropscore.jobs.job import job_id
from tests.faults.cloud import BUCKET
from tests.faults.endpoint import scores
from tests.faults.laboratory import Laboratory
from tests.faults.upload import CANARY, Upload

ENDS = ("SUCCEEDED", "FAILED", "REJECTED")
WORDS_OF_A_CRASH = ("Traceback", "Exception ignored", "Fatal Python error")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of the state; `violations_in_text` are those in logs and table."""

    items: dict[str, dict[str, Any]]
    outputs: dict[str, list[tuple[str, bytes]]]
    violations_in_text: list[str]

    @classmethod
    def of(cls, lab: Laboratory) -> Snapshot:
        items = {item["job_id"]: item for item in lab.cloud.items()}
        return cls(items, lab.cloud.outputs(), _about_words(lab, str(items)))


def item_of(lab: Laboratory, upload: Upload, snapshot: Snapshot | None = None) -> dict[str, Any]:
    return (snapshot or Snapshot.of(lab)).items.get(job_id(BUCKET, upload.key, upload.version_id), {})


def end_of(lab: Laboratory, upload: Upload, snapshot: Snapshot | None = None) -> str:
    """`SUCCEEDED`, `FAILED INPUT_NOT_FOUND`, or `nothing` if there is no job."""
    item = item_of(lab, upload, snapshot)
    return " ".join(str(item[name]) for name in ("status", "code") if name in item) or "nothing"


def violations(
    lab: Laboratory, upload: Upload, whole: bytes | None = None, *, snapshot: Snapshot | None = None
) -> list[str]:
    """The broken promises of this upload. `whole` is the expected output, unless it is the scores of all rows."""
    snapshot = snapshot or Snapshot.of(lab)
    item = item_of(lab, upload, snapshot)
    expected = scores(upload.data) if whole is None else whole
    stem = str(item.get("output_key", "nothing.csv"))[: -len(".csv")]
    own = {
        key: [data for owner, data in versions if owner in (item.get("job_id"), "")]
        for key, versions in snapshot.outputs.items()
        if key.startswith(stem)
    }
    moved = _about_moves(lab.cloud.states[item["job_id"]]) if item else []
    return [
        *moved,
        *_about_output(item, own, expected),
        *_about_readers(lab, item, expected),
        *snapshot.violations_in_text,
    ]


def _about_moves(states: list[str]) -> list[str]:
    """A final status may only change by a retry, and only after a failure."""
    moves = pairwise(states)
    legal = ("FAILED", "CLAIMED"), ("REJECTED", "CLAIMED")
    return [f"the job went from {a} to {b}" for a, b in moves if a in ENDS and (a, b) not in legal]


def _about_output(item: dict[str, Any], own: dict[str, list[bytes]], expected: bytes) -> list[str]:
    found = [f"{key} has {len(versions)} versions" for key, versions in own.items() if len(versions) > 1]
    if item.get("status") != "SUCCEEDED":
        return [*found, *(f"{item.get('status')}, and there is {key}" for key in own)]
    versions = own.get(item["output_key"], [])
    if not versions:
        return [*found, "SUCCEEDED without an output"]
    if versions[0] != expected:
        found.append(f"the output is wrong: {_difference(versions[0], expected)}")
    lines = expected.count(b"\n")
    manifest = json.loads(own.get(item["output_key"][: -len(".csv")] + ".manifest.json", [b"{}"])[0])
    if manifest.get("rows", {}).get("in") != lines:
        found.append(f"the output's manifest counts {manifest.get('rows')}")
    if b"\n\n" in b"\n" + expected:
        found += _about_bad_rows(own, item["output_key"], lines)
    if item["rows"] != lines or item["rows_scored"] + item["rows_rejected"] != lines:
        counted = f"{item['rows']} rows, {item['rows_scored']} scored, {item['rows_rejected']} rejected"
        found.append(f"the table counts {counted} of {lines}")
    return found


def _about_bad_rows(own: dict[str, list[bytes]], output_key: str, rows: int) -> list[str]:
    """Each rejected row is an empty line of the output and a line of the list."""
    listed = own.get(output_key[: -len(".csv")] + ".errors.csv", [b""])[0].splitlines()[1:]
    numbers = [int(line.partition(b",")[0]) for line in listed]
    scored = own[output_key][0].split(b"\n")[:-1]
    bad = [number for number, line in enumerate(scored, 1) if not line]
    return [] if numbers == bad and len(scored) == rows else [f"rejected rows {bad} are listed as {numbers}"]


def _about_readers(lab: Laboratory, item: dict[str, Any], expected: bytes) -> list[str]:
    own = (item.get("output_key", ""), item.get("job_id", ""))
    seen = lab.cloud.visible.get(own, set()) - {expected}
    return [f"a reader saw a part of the output: {len(partial)} bytes" for partial in seen]


def _about_words(lab: Laboratory, table: str) -> list[str]:
    """Functions fail by raising, so that Lambda retries them; workers never raise."""
    logs, workers = lab.logs(), lab.logs("worker")
    found = [f"the logs hold {word!r}: {_around(workers, word)}" for word in WORDS_OF_A_CRASH if word in workers]
    if CANARY.decode() in logs:
        found.append(f"the logs hold row content: {_around(logs, CANARY.decode())}")
    if CANARY.decode() in table:
        found.append("the jobs table holds row content")
    return found


def _around(text: str, word: str) -> str:
    """The end of the crash's traceback, which names the error."""
    lines = text[text.index(word) :].splitlines()
    return next((line for line in lines[1:] if line and not line.startswith(" ")), lines[0])


def _difference(seen: bytes, expected: bytes) -> str:
    ours, theirs = seen.splitlines(), expected.splitlines()
    row = next((n for n, pair in enumerate(zip(ours, theirs, strict=False), 1) if pair[0] != pair[1]), None)
    first = row or min(len(ours), len(theirs)) + 1
    return f"{len(ours)} lines for {len(theirs)} rows, the first difference at row {first}"
