"""The tables of `dropscore.toml` and what each key may be; docs/settings.md explains them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from stacks.container import read_uri

FARGATE_MEMORY_MIB: dict[float, list[int]] = {
    0.25: [512, 1024, 2048],
    0.5: [1024, 2048, 3072, 4096],
    1: [*range(2048, 8192 + 1, 1024)],
    2: [*range(4096, 16384 + 1, 1024)],
    4: [*range(8192, 30720 + 1, 1024)],
    8: [*range(16384, 61440 + 1, 4096)],
    16: [*range(32768, 122880 + 1, 8192)],
}
"""What AWS Fargate sells: MiB by vCPUs."""

ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$", max_length=30)]


class Section(BaseModel):
    """A table of the file: strict about types, closed to unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Deploy(Section):
    env: str = Field(default="dev", pattern=r"^[a-z][a-z0-9-]*$", max_length=20)
    keep_data: bool = False

    def stack_name(self, part: str) -> str:
        return f"dropscore-{self.env}-{part}"


class StorageSettings(Section):
    job_ttl_days: int = Field(default=90, ge=0, le=36500)


class NetworkSettings(Section):
    azs: int = Field(default=2, ge=1, le=6)


class WorkerSettings(Section):
    vcpus: float = 1
    memory_mib: int = 2048
    max_vcpus: int = Field(default=64, ge=2, le=10_000)
    timeout_minutes: int = Field(default=720, ge=1, le=20_160)  # AWS ends a Fargate job after 14 days
    attempts: int = Field(default=3, ge=1, le=10)
    in_flight: int = Field(default=4, ge=1, le=64)
    shard_mib: int = Field(default=256, ge=1, le=65_536)

    @field_validator("vcpus")
    @classmethod
    def _is_sold(cls, vcpus: float) -> float:
        if vcpus not in FARGATE_MEMORY_MIB:
            raise ValueError(f"Fargate has no such size; use {_or(FARGATE_MEMORY_MIB)}")
        return vcpus

    @field_validator("memory_mib")
    @classmethod
    def _goes_with_vcpus(cls, memory_mib: int, info: ValidationInfo) -> int:
        sold = FARGATE_MEMORY_MIB.get(info.data.get("vcpus", 0))
        if sold and memory_mib not in sold:
            raise ValueError(f"Fargate does not sell it with vcpus = {info.data['vcpus']:g}; use {_or(sold)}")
        return memory_mib

    @field_validator("max_vcpus")
    @classmethod
    def _fits_one_worker_in_each_pool(cls, max_vcpus: int, info: ValidationInfo) -> int:
        vcpus = info.data.get("vcpus", 1)
        if max_vcpus < 2 * vcpus:
            raise ValueError(f"spot and on-demand need room for a worker each; use at least {2 * vcpus:g}")
        return max_vcpus


class ReconcileSettings(Section):
    every_minutes: int = Field(default=60, ge=1, le=1440)
    window_hours: int = Field(default=48, ge=1, le=720)
    grace_minutes: int = Field(default=15, ge=0, le=1440)


class ModelSettings(Section):
    container: str | None = None
    image: str | None = None
    artefact: str | None = Field(default=None, validate_default=True)
    instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")
    instance_count: int = Field(default=1, ge=1, le=100)
    body_limit_bytes: int = Field(default=5_000_000, ge=1_000, le=25_000_000)

    @field_validator("image")
    @classmethod
    def _is_the_only_container(cls, image: str | None, info: ValidationInfo) -> str | None:
        if image is not None and info.data.get("container") is not None:
            raise ValueError("the model has a container already; keep one of container and image")
        if image is not None:
            read_uri(image)
        return image

    @field_validator("artefact")
    @classmethod
    def _something_is_served(cls, artefact: str | None, info: ValidationInfo) -> str | None:
        if artefact is None and {"container": None, "image": None}.items() <= info.data.items():
            raise ValueError("add the model.tar.gz of an XGBoost model, or a container or an image of your own")
        return artefact


def _or(values: Iterable[float]) -> str:
    *others, last = [f"{value:g}" for value in values]
    return f"{', '.join(others)} or {last}"
