"""Builds templates from settings that differ from the defaults only as a test specifies."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from app import build
from stacks.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MODEL = b"the bytes of a model"
MODEL_SHA256 = sha256(MODEL).hexdigest()
VERSION = MODEL_SHA256[:12]

Json = dict[str, Any]


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Packs `files` into a .tar.gz at `path`, with the same bytes each time."""
    with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def manifest(**changes: object) -> bytes:
    described = {"format": 1, "model": "model.ubj", "sha256": sha256(MODEL).hexdigest(), "features": 30}
    return json.dumps({**described, **changes}).encode()


def write_container(folder: Path, ignore: str = "*\n!server.py\n") -> Path:
    """A folder with a Dockerfile next to the settings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"Dockerfile": "FROM python", "server.py": "", "notes.txt": "", ".dockerignore": ignore}.items():
        (folder / name).write_text(text)
    return folder


def write_settings(folder: Path, overrides: Mapping[str, object]) -> None:
    """The project's `dropscore.toml` with some dotted keys changed (None removes one), next to an artifact."""
    pack(folder / "model.tar.gz", {"model.ubj": MODEL, "manifest.json": manifest()})
    write_container(folder / "mine")
    tables: Json = tomllib.loads((ROOT / "dropscore.toml").read_text())
    changes: dict[str, object] = {"models.fraud.artifact": "model.tar.gz", **overrides}
    for dotted, value in changes.items():
        *path, key = dotted.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
        table[key] = value
        if value is None:
            del table[key]
    (folder / "dropscore.toml").write_text("\n".join(_lines("", tables)))


def _lines(name: str, table: Json) -> list[str]:
    own = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    below = [
        _lines(f"{name}.{json.dumps(key)}".strip("."), each) for key, each in table.items() if isinstance(each, dict)
    ]
    return [f"[{name}]" if name else "", *own, *[line for lines in below for line in lines]]


@dataclass(frozen=True)
class Templates:
    outdir: Path

    @cached_property
    def storage(self) -> Json:
        return self._read("Storage")

    @cached_property
    def hosting(self) -> Json:
        return self._read("Hosting")

    @cached_property
    def scoring(self) -> Json:
        return self._read("Scoring")

    @cached_property
    def images(self) -> Json:
        """Exists only with `images = "codebuild"`."""
        return self._read("Images")

    @property
    def every(self) -> dict[str, Json]:
        built = {"images": self.images} if (self.outdir / "Images.template.json").exists() else {}
        return {"storage": self.storage, **built, "hosting": self.hosting, "scoring": self.scoring}

    def _read(self, stack: str) -> Json:
        read: Json = json.loads((self.outdir / f"{stack}.template.json").read_text())
        return read


def build_templates(folder: Path, overrides: Mapping[str, object]) -> Templates:
    write_settings(folder, overrides)
    outdir = folder / "cdk.out"
    build(Settings.load(folder, {}), str(outdir)).synth()
    return Templates(outdir)


def properties(template: Json, resource_type: str) -> dict[str, Json]:
    """The properties of all resources of this type, by logical id."""
    found = {name: each for name, each in template["Resources"].items() if each["Type"] == resource_type}
    return {name: each.get("Properties", {}) for name, each in found.items()}


def only(template: Json, resource_type: str, containing: str = "") -> Json:
    """The properties of the only resource of this type whose logical id contains `containing`."""
    found = [each for name, each in properties(template, resource_type).items() if containing in name]
    assert len(found) == 1, f"{len(found)} resources of type {resource_type} named {containing!r}"
    return found[0]


def statements(template: Json, role: str) -> list[Json]:
    """The policy statements of the role whose logical id contains `role`."""
    every: list[Json] = only(template, "AWS::IAM::Policy", role)["PolicyDocument"]["Statement"]
    return every


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def rendered(value: Any) -> str:
    """A value of the template as after deployment, with samples in place of references."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(rendered(part) for part in parts)
        case {"Fn::ImportValue": name} | {"Ref": name}:
            return f"sample-{name}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"sample-{name}-{attribute}"
        case {"Fn::Sub": text}:
            return str(text)
        case {"Fn::Select": [index, {"Fn::Split": [separator, text]}]}:
            return str((rendered(text) + separator * 5).split(separator)[int(index)])
    raise AssertionError(f"no sample for {value}")
