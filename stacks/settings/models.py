"""`[models.<name>]`: a model, its container, and the capacity that serves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.artifact import Artifact
from stacks.settings.container import Container, read_uri
from stacks.settings.instances import share_of
from stacks.settings.sections import GRAVITON, Section

REQUEST_LIMIT_BYTES = 5_000_000
SERVERLESS_REQUEST_LIMIT_BYTES = 4_000_000
SERVERLESS_MEMORY_MIB = range(1024, 6144 + 1, 1024)
_WITH_INSTANCES_ONLY = ("instance_type", "instance_count", "min_instances", "max_instances", "capture_percent")

# No part begins with a digit: the suffixes of endpoint names do (stacks/hosting/stack.py).
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$", max_length=30)]


class ModelSettings(Section):
    # The order matters: a validator sees only the fields above its own.
    container: str | None = None
    image: str | None = None
    artifact: str | None = Field(default=None, validate_default=True)
    serverless_memory_mib: int | None = None
    serverless_concurrency: int = Field(default=5, ge=1, le=200)
    instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")
    instance_count: int = Field(default=1, ge=1, le=100)
    min_instances: int | None = Field(default=None, ge=0, le=100)
    max_instances: int | None = Field(default=None, ge=1, le=100)
    invocations_per_instance: int = Field(default=60, ge=1, le=100_000)
    capture_percent: int = Field(default=0, ge=0, le=100)
    max_payload_bytes: int | None = Field(default=None, ge=1_000, le=25_000_000)

    @property
    def minimum_count(self) -> int:
        return self.instance_count if self.min_instances is None else self.min_instances

    @property
    def maximum_count(self) -> int:
        return self.instance_count if self.max_instances is None else self.max_instances

    @property
    def scales(self) -> bool:
        return self.minimum_count < self.maximum_count

    @property
    def scales_to_zero(self) -> bool:
        """Whether the endpoint scales down to no instance; a request then starts one."""
        return self.minimum_count == 0

    @field_validator("image")
    @classmethod
    def _is_the_only_container(cls, image: str | None, info: ValidationInfo) -> str | None:
        if image is not None and info.data.get("container") is not None:
            raise ValueError("the model already has a container; use either container or image")
        if image is not None:
            read_uri(image)
        return image

    @field_validator("artifact")
    @classmethod
    def _has_a_model(cls, artifact: str | None, info: ValidationInfo) -> str | None:
        if artifact is None and {"container": None, "image": None}.items() <= info.data.items():
            raise ValueError("add the model.tar.gz of an XGBoost model, or a container or an image of your own")
        return artifact

    @field_validator("serverless_memory_mib")
    @classmethod
    def _is_available(cls, memory_mib: int | None) -> int | None:
        if memory_mib is not None and memory_mib not in SERVERLESS_MEMORY_MIB:
            raise ValueError("SageMaker sells serverless endpoints of 1024, 2048, 3072, 4096, 5120 and 6144 MiB")
        return memory_mib

    @field_validator(*_WITH_INSTANCES_ONLY)
    @classmethod
    def _needs_instances(cls, value: int | str | None, info: ValidationInfo) -> int | str | None:
        # For `min_instances`, 0 is a setting: the model scales to zero.
        is_set = value is not None if info.field_name == "min_instances" else value
        if is_set and info.data.get("serverless_memory_mib") is not None:
            raise ValueError("a serverless endpoint has no instances; remove this key or serverless_memory_mib")
        return value

    @field_validator("instance_type")
    @classmethod
    def _runs_the_image(cls, instance_type: str, info: ValidationInfo) -> str:
        if GRAVITON.fullmatch(instance_type.split(".")[1]) and info.data.get("image") is None:
            raise ValueError(
                "images are built for x86-64, and this is Graviton; use another type, or an image for arm64"
            )
        return instance_type

    @field_validator("min_instances")
    @classmethod
    def _is_at_most_instance_count(cls, minimum: int | None, info: ValidationInfo) -> int | None:
        if minimum is not None and minimum > info.data.get("instance_count", minimum):
            raise ValueError(f"more than instance_count; use at most {info.data['instance_count']}")
        return minimum

    @field_validator("min_instances")
    @classmethod
    def _has_known_capacity(cls, minimum: int | None, info: ValidationInfo) -> int | None:
        if minimum == 0 and "instance_type" in info.data:
            share_of(info.data["instance_type"])
        return minimum

    @field_validator("capture_percent")
    @classmethod
    def _can_be_captured(cls, percent: int, info: ValidationInfo) -> int:
        if percent and info.data.get("min_instances") == 0:
            raise ValueError("an endpoint that scales to zero cannot capture; use min_instances = 1 or more")
        return percent

    @field_validator("max_instances")
    @classmethod
    def _is_at_least_instance_count(cls, maximum: int | None, info: ValidationInfo) -> int | None:
        if maximum is not None and maximum < info.data.get("instance_count", maximum):
            raise ValueError(f"fewer than instance_count; use at least {info.data['instance_count']}")
        return maximum

    @field_validator("max_payload_bytes")
    @classmethod
    def _fits_the_endpoint(cls, limit: int | None, info: ValidationInfo) -> int | None:
        serverless = info.data.get("serverless_memory_mib") is not None
        if limit is not None and serverless and limit > SERVERLESS_REQUEST_LIMIT_BYTES:
            raise ValueError(f"serverless endpoints accept at most 4 MB; use at most {SERVERLESS_REQUEST_LIMIT_BYTES}")
        return limit


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as it will be served: its settings, its container and its artifact."""

    name: str
    container: Container
    artifact: Artifact | None
    serving: ModelSettings

    @property
    def features(self) -> int | None:
        return self.artifact.features if self.artifact else None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Empty if they are unknown."""
        return self.artifact.feature_names if self.artifact else ()

    @property
    def digest(self) -> str | None:
        return self.artifact.digest if self.artifact else None

    @property
    def max_payload_bytes(self) -> int:
        default = SERVERLESS_REQUEST_LIMIT_BYTES if self.serving.serverless_memory_mib else REQUEST_LIMIT_BYTES
        return self.serving.max_payload_bytes or default
