"""What `dropscore.toml` says: read once, checked, and handed out as small frozen objects."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stacks.settings.artifact import read_archive, read_artifact
from stacks.settings.container import OURS, Container, read_folder, read_uri
from stacks.settings.enumerations import unlisted
from stacks.settings.models import ModelName, ModelSettings, ServedModel
from stacks.settings.problems import SettingsError, describe_problem, unknown_name
from stacks.settings.routes import RouteName, RouteSettings
from stacks.settings.sections import (
    Deploy,
    InputSettings,
    MonitoringSettings,
    NetworkSettings,
    ReconcileSettings,
    Section,
    StorageSettings,
)
from stacks.settings.workers import WorkerSettings

UPLOADERS_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""It becomes part of a resource in a policy, where `*` and `?` would mean other routes too."""


class Sections(Section):
    """The tables of the file that are handed out as they are written. A new section is a line here."""

    deploy: Deploy = Deploy()
    storage: StorageSettings = StorageSettings()
    inputs: InputSettings = InputSettings()
    network: NetworkSettings = NetworkSettings()
    worker: WorkerSettings = WorkerSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    monitoring: MonitoringSettings = MonitoringSettings()


class SettingsFile(Sections):
    """The whole file as it is written."""

    models: dict[ModelName, ModelSettings] = Field(min_length=1)
    routes: dict[RouteName, RouteSettings]


SECTIONS: dict[str, type[BaseModel]] = {
    "": SettingsFile,
    **{name: type(field.default) for name, field in Sections.model_fields.items()},
    "models": ModelSettings,
    "routes": RouteSettings,
}
"""What each table of the file may contain, by the first word of its name."""


class Settings(Sections):
    """The settings, checked as a whole. `routes` always has `default`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    models: tuple[ServedModel, ...]
    routes: Mapping[str, RouteSettings]

    @classmethod
    def load(cls, root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `dropscore.toml` in `root`, or the file that $DROPSCORE_SETTINGS names. Raises SettingsError."""
        path = root / environ.get("DROPSCORE_SETTINGS", "dropscore.toml")
        written = _parse(path)
        for check in (_check_routes, _check_window, _check_zones, _check_enumerations):
            check(path, written)
        sections = {name: getattr(written, name) for name in Sections.model_fields}
        models = tuple(_served(path, written, name, environ) for name in sorted(written.models))
        # Everything is checked by now; validation would only copy it.
        return cls.model_construct(**sections, models=models, routes=dict(sorted(written.routes.items())))


def input_names(root: Path, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The patterns of the files to score alone, before there is a model. Raises SettingsError."""
    return tuple(_parse(root / environ.get("DROPSCORE_SETTINGS", "dropscore.toml")).inputs.names)


def _parse(path: Path) -> SettingsFile:
    try:
        return SettingsFile.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError:
        fix = "restore dropscore.toml, or name another file in $DROPSCORE_SETTINGS"
        raise SettingsError(f"{path}: no such file; {fix}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name}: not valid TOML: {error}; see docs/settings.md for an example") from None
    except ValidationError as error:
        lines = [describe_problem(path.name, problem, SECTIONS) for problem in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _check_window(path: Path, written: SettingsFile) -> None:
    """A file whose row has expired would be found again, and scored a second time."""
    days, hours = written.storage.job_ttl_days, written.reconcile.window_hours
    # 0 days means that items never expire.
    if 0 < days * 24 <= hours:
        raise SettingsError(
            f"{path.name}: reconcile.window_hours: rows of the jobs table expire after {days * 24} hours "
            f"(storage.job_ttl_days); use fewer than that"
        )


def _check_zones(path: Path, written: SettingsFile) -> None:
    network = written.network
    if network.zones and "max_azs" in network.model_fields_set and network.max_azs != len(network.zones):
        raise SettingsError(
            f"{path.name}: network.max_azs: {network.max_azs}: "
            f"network.zones names {len(network.zones)} zones; remove max_azs"
        )


def _check_enumerations(path: Path, written: SettingsFile) -> None:
    lines = [
        f"{path.name}: {wrong}"
        for wrong in unlisted(
            deploy=written.deploy, models=written.models, worker=written.worker, network=written.network
        )
    ]
    if lines:
        raise SettingsError("\n".join(lines))


def _check_routes(path: Path, written: SettingsFile) -> None:
    if "default" not in written.routes:
        first = min(written.models)
        raise SettingsError(f'{path.name}: routes.default: is missing; add [routes.default] with model = "{first}"')
    for name, route in written.routes.items():
        if name.startswith((".", "_")):
            fix = "files in hidden folders are never scored; give it a name that begins otherwise"
            raise SettingsError(f"{path.name}: routes.{name}: {fix}")
        if route.model not in written.models:
            wrong = unknown_name("model", route.model, written.models)
            raise SettingsError(f"{path.name}: routes.{name}.model: {wrong}")
        if route.uploaders and (name == "default" or not UPLOADERS_NAME.fullmatch(name)):
            raise SettingsError(
                f"{path.name}: routes.{name}.uploaders: a policy for one route needs the route's own folder and a "
                "name of letters, digits, - and _; the policy for all routes is there without it"
            )


def _served(path: Path, written: SettingsFile, name: str, environ: Mapping[str, str]) -> ServedModel:
    model, key = written.models[name], f"{path.name}: models.{name}"
    container = _container(path.parent, model, key)
    artifact = _artifact(path.parent, model, key)
    override = environ.get("DROPSCORE_ARTIFACT")
    if override and name == written.routes["default"].model:
        artifact = Path(override).absolute(), "$DROPSCORE_ARTIFACT"
    read = read_artifact if container == OURS else read_archive
    return ServedModel(name, container, read(*artifact) if artifact else None, model)


def _container(folder: Path, model: ModelSettings, key: str) -> Container:
    if model.image is not None:
        return read_uri(model.image)
    return OURS if model.container is None else read_folder(folder / model.container, f"{key}.container")


def _artifact(folder: Path, model: ModelSettings, key: str) -> tuple[Path, str] | None:
    return None if model.artifact is None else (folder / model.artifact, f"{key}.artifact")
