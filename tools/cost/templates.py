"""The templates that some settings give, as `cdk deploy` would deploy them."""

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
    """What is deployed, and the settings that it was made from."""

    title: str
    settings: Settings
    resources: tuple[Resource, ...]


def read(file: Path) -> tuple[str, Settings]:
    """The first line of the file, a comment, is the title. Raises SettingsError."""
    return (
        file.read_text().splitlines()[0].removeprefix("#").strip(),
        Settings.load(file.parent, {"DROPSCORE_SETTINGS": file.name}),
    )


def synthesize(title: str, settings: Settings) -> Configuration:
    with tempfile.TemporaryDirectory() as folder:
        build(settings, folder).synth()
        templates = [json.loads(each.read_text()) for each in sorted(Path(folder).glob("*.template.json"))]
    return Configuration(title, settings, tuple(each for template in templates for each in _resources(template)))


def _resources(template: Json) -> Iterator[Resource]:
    for name, resource in template.get("Resources", {}).items():
        yield Resource(name, resource["Type"], resource.get("Properties", {}))
