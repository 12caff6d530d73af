"""`[worker]`: the compute of workers, their size and their number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.sections import GRAVITON, Section, alternatives

FARGATE_MEMORY_MIB: dict[float, list[int]] = {
    0.25: [512, 1024, 2048],
    0.5: [1024, 2048, 3072, 4096],
    1: [*range(2048, 8192 + 1, 1024)],
    2: [*range(4096, 16384 + 1, 1024)],
    4: [*range(8192, 30720 + 1, 1024)],
    8: [*range(16384, 61440 + 1, 4096)],
    16: [*range(32768, 122880 + 1, 8192)],
}
"""The sizes that AWS Fargate offers: MiB by vCPUs."""

FAMILIES = {
    "x86_64": ("m7i", "m6i", "m5", "c7i", "c6i", "c5", "r6i"),
    "arm64": ("m7g", "m6g", "c7g", "c6g", "r6g"),
    "gpu": ("g6", "g5", "g4dn"),
}
"""Several families of similar speed: with more to choose from, spot capacity is reclaimed less often."""


class WorkerSettings(Section):
    # The order matters: a validator sees only the fields above its own.
    compute: Literal["fargate", "ec2"] = "fargate"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    gpus: int = Field(default=0, ge=0, le=8)
    instance_families: list[Annotated[str, Field(pattern=r"^[a-z]+\d+[a-z0-9-]*$")]] = Field(default=[])
    vcpus: float = 1
    memory_mib: int = Field(default=2048, ge=512)
    max_vcpus: int = Field(default=64, ge=2, le=10_000)
    timeout_minutes: int = Field(default=720, ge=1, le=20_160)  # AWS ends a Fargate job after 14 days
    attempts: int = Field(default=3, ge=1, le=10)
    max_concurrent_requests: int = Field(default=4, ge=1, le=64)
    shard_mib: int = Field(default=256, ge=1, le=65_536)
    queue_timeout_minutes: int = Field(default=1440, ge=10, le=1440)  # the range that AWS Batch accepts

    @property
    def families(self) -> tuple[str, ...]:
        """The instance families of `compute = "ec2"`."""
        return tuple(self.instance_families) or FAMILIES["gpu" if self.gpus else self.architecture]

    @field_validator("gpus", "instance_families")
    @classmethod
    def _needs_instances(cls, value: int | list[str], info: ValidationInfo) -> int | list[str]:
        if value and info.data.get("compute") == "fargate":
            raise ValueError('Fargate has no instances to choose; set compute = "ec2"')
        return value

    @field_validator("gpus")
    @classmethod
    def _need_x86(cls, gpus: int, info: ValidationInfo) -> int:
        if gpus and info.data.get("architecture") == "arm64":
            raise ValueError('GPU instances have x86 processors; set architecture = "x86_64"')
        return gpus

    @field_validator("instance_families")
    @classmethod
    def _are_of_one_architecture(cls, families: list[str], info: ValidationInfo) -> list[str]:
        architecture = info.data.get("architecture")
        for family in families if architecture else ():
            if (GRAVITON.fullmatch(family) is not None) != (architecture == "arm64"):
                raise ValueError(f"{family} is not {architecture}; use other families, or change architecture")
        return families

    @field_validator("vcpus")
    @classmethod
    def _is_available(cls, vcpus: float, info: ValidationInfo) -> float:
        if info.data.get("compute") == "fargate" and vcpus not in FARGATE_MEMORY_MIB:
            raise ValueError(f"Fargate does not offer this size; use {alternatives(FARGATE_MEMORY_MIB)}")
        if info.data.get("compute") == "ec2" and not (vcpus >= 1 and vcpus == int(vcpus)):
            raise ValueError("on EC2 a job uses whole vCPUs; use 1 or more")
        return vcpus

    @field_validator("memory_mib")
    @classmethod
    def _goes_with_vcpus(cls, memory_mib: int, info: ValidationInfo) -> int:
        offered = FARGATE_MEMORY_MIB.get(info.data.get("vcpus", 0))
        if info.data.get("compute") == "fargate" and offered and memory_mib not in offered:
            problem = f"Fargate does not offer this with vcpus = {info.data['vcpus']:g}"
            raise ValueError(f"{problem}; use {alternatives(offered)}")
        return memory_mib

    @field_validator("max_vcpus")
    @classmethod
    def _fits_one_worker_in_each_pool(cls, max_vcpus: int, info: ValidationInfo) -> int:
        vcpus = info.data.get("vcpus", 1)
        if max_vcpus < 2 * vcpus:
            raise ValueError(f"spot and on-demand each need capacity for one worker; use at least {2 * vcpus:g}")
        return max_vcpus
