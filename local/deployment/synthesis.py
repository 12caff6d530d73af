"""Synthesizes the CDK app and caches the templates by the digest of all inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropscore.errors import ConfigurationError
from stacks.settings import Settings, load
from stacks.settings.container import OURS, EcrImage, Folder
from stacks.settings.problems import SettingsError

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".dropscore" / "synth"
TREES = ("app.py", "cdk.json", "uv.lock", "schema", "stacks", "dropscore", "lambdas", "containers")
KEPT_ASSEMBLIES = 5


@dataclass(frozen=True)
class FileAsset:
    path: Path
    is_zip: bool
    bucket: str
    key: str


@dataclass(frozen=True)
class ImageAsset:
    tag: str
    context: Path
    dockerfile: str


@dataclass(frozen=True)
class SynthesizedStack:
    name: str
    template: dict[str, Any]
    files: tuple[FileAsset, ...]
    images: tuple[ImageAsset, ...]


@dataclass(frozen=True)
class Assembly:
    """The stacks in deployment order."""

    digest: str
    stacks: tuple[SynthesizedStack, ...]
    max_payload_bytes: int  # the largest of any model


def synthesize(environ: Mapping[str, str], *, root: Path = ROOT, cache: Path = CACHE) -> Assembly:
    """Run `app.py`, or return the cached result for the same inputs. Raises ConfigurationError."""
    settings = _settings(root, environ)
    digest = _digest(_inputs(root, environ, settings))
    home = cache / digest
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _run_app(root, home, environ)
        _remove_old(cache)
    # `_remove_old` keeps the assemblies that were used last.
    os.utime(home)
    limit = max(model.max_payload_bytes for model in settings.models)
    return Assembly(digest, tuple(_stacks(home)), limit)


def input_names(environ: Mapping[str, str], *, root: Path = ROOT) -> tuple[str, ...]:
    """The configured patterns of input names. Raises ConfigurationError."""
    try:
        return load.input_names(root, environ)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from None


def _settings(root: Path, environ: Mapping[str, str]) -> Settings:
    try:
        settings = Settings.load(root, environ)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from None
    for model in settings.models:
        if isinstance(model.container, EcrImage):
            raise ConfigurationError(
                f"models.{model.name}.image: the embedded cloud cannot run the image {model.container.uri}; set "
                "`container` to the folder of its Dockerfile, or test the image with `dropscore model check` and "
                "deploy it to AWS"
            )
    return settings


def _inputs(root: Path, environ: Mapping[str, str], settings: Settings) -> Iterator[tuple[str, Path]]:
    """Each input file with a name that does not depend on where files outside the project are."""
    settings_file = root / environ.get("DROPSCORE_SETTINGS", "dropscore.toml")
    yield settings_file.name, settings_file
    for model in settings.models:
        if model.artifact is not None:
            yield f"{model.name}/{model.artifact.path.name}", model.artifact.path
        if isinstance(model.container, Folder) and model.container != OURS:
            yield from _tree(model.name, model.container.path)
    for name in TREES:
        yield from [(name, root / name)] if (root / name).is_file() else _tree(name, root / name)


def _tree(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield f"{name}/{file.relative_to(folder)}", file


def _digest(inputs: Iterator[tuple[str, Path]]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name, file in inputs:
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _run_app(root: Path, home: Path, environ: Mapping[str, str]) -> None:
    # Renamed when it is complete, so that no other process reads half an assembly.
    with tempfile.TemporaryDirectory(dir=home.parent) as made:
        environment = {**environ, "CDK_OUTDIR": f"{made}/out"}
        done = subprocess.run(
            [sys.executable, "app.py"], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ConfigurationError(
                f"the stacks could not be synthesized:\n{(done.stderr or done.stdout).strip()[-4000:]}"
            )
        if not home.exists():  # another process may have been first; its result is the same
            Path(made, "out").rename(home)


def _remove_old(cache: Path) -> None:
    # A folder without a manifest is still being written.
    homes = sorted(
        (home for home in cache.iterdir() if (home / "manifest.json").exists()), key=lambda home: home.stat().st_mtime
    )
    for home in homes[:-KEPT_ASSEMBLIES]:
        shutil.rmtree(home)


def _stacks(home: Path) -> Iterator[SynthesizedStack]:
    artifacts: dict[str, Any] = json.loads((home / "manifest.json").read_text())["artifacts"]
    waiting = {key: value for key, value in artifacts.items() if value["type"] == "aws:cloudformation:stack"}
    while waiting:
        for key in sorted(
            key for key, value in waiting.items() if not set(value.get("dependencies", [])) & waiting.keys()
        ):
            yield _stack(home, key, waiting.pop(key), artifacts)


def _stack(home: Path, key: str, artifact: dict[str, Any], artifacts: dict[str, Any]) -> SynthesizedStack:
    properties = artifact["properties"]
    manifests = [artifacts[name] for name in artifact.get("dependencies", []) if name in artifacts]
    assets = [
        json.loads((home / manifest["properties"]["file"]).read_text())
        for manifest in manifests
        if manifest["type"] == "cdk:asset-manifest"
    ]
    template = json.loads((home / properties["templateFile"]).read_text())
    files = tuple(_file(home, asset) for manifest in assets for asset in manifest["files"].values())
    by_key = {file.key: file.path for file in files}
    return SynthesizedStack(
        name=properties.get("stackName", key),
        template=template,
        files=files,
        images=(
            *(_image(home, asset) for manifest in assets for asset in manifest["dockerImages"].values()),
            *_built_in_the_account(template["Resources"], by_key),
        ),
    )


def _file(home: Path, asset: dict[str, Any]) -> FileAsset:
    source, destination = asset["source"], next(iter(asset["destinations"].values()))
    return FileAsset(
        home / source["path"], source["packaging"] == "zip", destination["bucketName"], destination["objectKey"]
    )


def _image(home: Path, asset: dict[str, Any]) -> ImageAsset:
    source, destination = asset["source"], next(iter(asset["destinations"].values()))
    return ImageAsset(destination["imageTag"], home / source["directory"], source.get("dockerFile", "Dockerfile"))


def _built_in_the_account(resources: dict[str, Any], files: Mapping[str, Path]) -> Iterator[ImageAsset]:
    """With `images = "codebuild"`, build contexts are uploaded as file assets; `files` maps asset keys to paths."""
    for resource in resources.values():
        if resource.get("Type") == "Custom::ImageBuild":
            project = resources[resource["Properties"]["Project"]["Ref"]]["Properties"]
            variables = project["Environment"]["EnvironmentVariables"]
            (dockerfile,) = (variable["Value"] for variable in variables if variable["Name"] == "DOCKERFILE")
            key = project["Source"]["Location"]["Fn::Join"][1][-1].removeprefix("/")
            yield ImageAsset(resource["Properties"]["Tag"], files[key], dockerfile)
