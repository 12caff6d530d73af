"""Identities of resources: stack, logical id, type, physical name and output names.

`python -m tests.stacks.identities` rewrites identities.txt. A new logical id replaces its resource, so a change of that
file needs a reason.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.stacks.building import Json, Templates, build_templates

RECORD = Path(__file__).with_name("identities.txt")
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "defaults": {},
    "codebuild": {
        "deploy.images": "codebuild",
        "network.mode": "nat",
        "worker.compute": "ec2",
        "storage.access_logs": True,
        "storage.data_events": True,
    },
    "scaled": {
        "models.fraud.min_instances": 0,
        "models.fraud.max_instances": 2,
        "models.linear.container": "mine",
        "models.linear.serverless_memory_mib": 2048,
        "models.captured.container": "mine",
        "models.captured.max_instances": 3,
        "models.captured.capture_percent": 10,
        "routes.linear.model": "linear",
        "routes.captured.model": "captured",
        "routes.captured.uploaders": True,
    },
}


def identities_of(templates: Templates) -> Iterator[str]:
    manifest = json.loads((templates.outdir / "manifest.json").read_text())["artifacts"]
    names = {
        name.lower(): each["properties"].get("stackName") for name, each in manifest.items() if "properties" in each
    }
    for stack, template in templates.every.items():
        for logical_id, resource in template["Resources"].items():
            yield f"{names[stack]} {logical_id} {resource['Type']} {_physical_name(resource)}".rstrip()
        for output, value in template.get("Outputs", {}).items():
            exported = value.get("Export", {}).get("Name", "")
            yield f"{names[stack]} {output} Output {exported}".rstrip()


def _physical_name(resource: Json) -> str:
    """Its `Name` or `<Type>Name`, if that is a text."""
    short_type = resource["Type"].split("::")[-1]
    properties = resource.get("Properties", {})
    return next((value for key in ("Name", f"{short_type}Name") if isinstance(value := properties.get(key), str)), "")


def recorded() -> list[str]:
    return RECORD.read_text().splitlines()


def current(folder: Path) -> list[str]:
    found: set[str] = set()
    for name, overrides in SETTINGS.items():
        (folder / name).mkdir()
        found.update(f"{name}: {line}" for line in identities_of(build_templates(folder / name, overrides)))
    return sorted(found)


if __name__ == "__main__":
    with TemporaryDirectory() as _name:
        RECORD.write_text("\n".join(current(Path(_name))) + "\n")
    print(f"wrote {RECORD}", file=sys.stderr)
