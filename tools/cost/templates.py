"""The resources that `cdk deploy` would deploy for given settings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import build
from stacks.settings import Settings

Json = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    name: str
    type: str
    properties: Json


@dataclass(frozen=True)
class Configuration:
    """A deployment's resources and its settings."""

    title: str
    settings: Settings
    resources: tuple[Resource, ...]


def read(file: Path) -> tuple[str, Settings]:
    """The title, from the comment in the file's first line, and the settings. Raises SettingsError."""
    return (
        file.read_text().splitlines()[0].removeprefix("#").strip(),
        Settings.load(file.parent, {"DROPSCORE_SETTINGS": file.name}),
    )


def synthesize(title: str, settings: Settings) -> Configuration:
    with tempfile.TemporaryDirectory() as folder:
        build(settings, folder).synth()
        templates = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.template.json"))]
    return Configuration(
        title, settings, tuple(resource for template in templates for resource in _resources(template))
    )


def _resources(template: Json) -> Iterator[Resource]:
    for name, resource in template.get("Resources", {}).items():
        yield Resource(name, resource["Type"], resource.get("Properties", {}))
