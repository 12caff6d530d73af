"""The small tables of `dropscore.toml` and the valid values of their keys; docs/settings.md explains them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from schema.keys import FOLDER_MARKERS, INPUT, INPUT_PATTERNS, JOB_OPTIONS, UNFINISHED, is_hidden

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The retentions that Amazon CloudWatch Logs accepts, in days."""

GRAVITON = re.compile(r"[a-z]+\d+g[a-z]*|a1")
"""Instance families with arm64 processors."""

NEVER_INPUTS = (*UNFINISHED, FOLDER_MARKERS[1], JOB_OPTIONS)
# Six zones at most, because stacks/scoring/subnets.py has addresses for six.
_ZONE_NAME = re.compile(r"(?P<region>[a-z]{2,5}(?:-[a-z]+)+-\d+)[a-f]")
_ZONE_ID = re.compile(r"(?P<region>[a-z]{2,8}\d+)-az[1-6]")

_TAG = re.compile(r"[\w .:/=+@-]*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Section(BaseModel):
    """A table of the file: strict about types, closed to unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Deploy(Section):
    env: str = Field(default="dev", pattern=r"^[a-z][a-z0-9-]*$", max_length=20)
    retain_data: bool = False
    termination_protection: bool = False
    images: Literal["docker", "codebuild"] = "docker"
    tags: dict[str, str] = Field(default={})
    unlisted: list[str] = Field(default=[])

    def stack_name(self, part: str) -> str:
        return f"dropscore-{self.env}-{part}"

    @field_validator("termination_protection")
    @classmethod
    def _keeps_its_data(cls, termination_protection: bool, info: ValidationInfo) -> bool:
        if termination_protection and not info.data.get("retain_data", True):
            raise ValueError("a protected deployment must also retain its data; add retain_data = true")
        return termination_protection

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if not (0 < len(key) <= 128 and len(value) <= 256 and _TAG.fullmatch(key) and _TAG.fullmatch(value)):
                raise ValueError(f"{key!r} is not a valid tag; use letters, digits, spaces and . : / = + - @ _")
            if key.startswith(("aws:", "dropscore:")):
                raise ValueError(f"{key!r}: this prefix is reserved for AWS and Dropscore; use another")
        return tags


class StorageSettings(Section):
    job_ttl_days: int = Field(default=90, ge=0, le=36500)
    access_logs: bool = False
    data_events: bool = False


class InputSettings(Section):
    """Which files are scored; `dropscore/jobs/input_keys.py` compares their names with these patterns."""

    names: list[str] = Field(default=[*INPUT_PATTERNS], min_length=1)

    @field_validator("names")
    @classmethod
    def _can_match(cls, names: list[str]) -> list[str]:
        for name in names:
            if not name or not name.isprintable() or name.strip("/") != name:
                raise ValueError(f'{name!r} is not a valid pattern; use one such as "*.tsv" or "unload/*"')
            if name.startswith(INPUT):
                raise ValueError(f"{name!r}: patterns are relative to input/; use {name.removeprefix('input/')!r}")
            if any(map(is_hidden, name.split("/"))) or name.lower().endswith(NEVER_INPUTS):
                raise ValueError(
                    f"{name!r} matches only hidden or temporary names, which are never scored; see docs/formats.md"
                )
        return names


class NetworkSettings(Section):
    mode: Literal["endpoints", "nat"] = "endpoints"
    max_azs: int = Field(default=2, ge=1, le=6)
    zones: list[str] = Field(default=[], max_length=6)
    flow_logs: bool = True

    @property
    def zone_regions(self) -> set[str]:
        """The regions of zones given by name; a zone id contains only a region's code."""
        return {found["region"] for zone in self.zones if (found := _ZONE_NAME.fullmatch(zone))}

    @property
    def are_zone_ids(self) -> bool:
        return any(_ZONE_ID.fullmatch(zone) for zone in self.zones)

    @field_validator("zones")
    @classmethod
    def _are_zones_of_one_region(cls, zones: list[str]) -> list[str]:
        found = [_ZONE_NAME.fullmatch(zone) or _ZONE_ID.fullmatch(zone) for zone in zones]
        if None in found:
            wrong = zones[found.index(None)]
            raise ValueError(f"{wrong!r} is not a zone; use names such as eu-west-1a, or ids such as euw1-az1")
        if len({(match.re, match["region"]) for match in found if match}) > 1:
            raise ValueError("names and ids cannot be mixed, nor can regions; use names or ids of one region")
        if len(set(zones)) < len(zones):
            raise ValueError("a zone is listed twice; list each zone once")
        return zones


class ReconcileSettings(Section):
    every_minutes: int = Field(default=60, ge=1, le=1440)
    window_hours: int = Field(default=48, ge=1, le=720)
    grace_minutes: int = Field(default=15, ge=0, le=1440)


class MonitoringSettings(Section):
    emails: list[str] = Field(default=[])
    log_days: int = 90
    latency_ms: int = Field(default=10_000, ge=1, le=60_000)
    stuck_minutes: int = Field(default=120, ge=5, le=20_160)

    @field_validator("emails")
    @classmethod
    def _are_addresses(cls, emails: list[str]) -> list[str]:
        wrong = [email for email in emails if not _EMAIL.fullmatch(email)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not an e-mail address; use one such as ops@example.com")
        return emails

    @field_validator("log_days")
    @classmethod
    def _is_a_valid_retention(cls, log_days: int) -> int:
        if log_days not in LOG_DAYS:
            raise ValueError(f"CloudWatch Logs does not offer this retention; use {alternatives(LOG_DAYS)}")
        return log_days


def alternatives(values: Iterable[float]) -> str:
    """`1, 2 or 3`."""
    *others, last = [f"{value:g}" for value in values]
    return f"{', '.join(others)} or {last}"
