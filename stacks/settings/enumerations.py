"""Checks settings whose values AWS enumerates against the service models of the pinned botocore.

It reads only botocore's data files and calls no service (.importlinter allows botocore only here).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import botocore
from botocore.loaders import Loader

from stacks.settings.models import ModelSettings
from stacks.settings.sections import Deploy, NetworkSettings
from stacks.settings.workers import WorkerSettings

NEARBY = 3
Enumerated = tuple[str, str, str, tuple[str, ...]]
"""The key, a description of the setting, its value and the values that AWS lists."""


@cache
def hosting_types() -> tuple[str, ...]:
    """SageMaker's instance types for endpoints."""
    return _enumerated("sagemaker", "ProductionVariantInstanceType")


@cache
def instance_families() -> tuple[str, ...]:
    """EC2's instance families."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in _enumerated("ec2", "InstanceType")))


@cache
def regions() -> tuple[str, ...]:
    """AWS's regions, of all partitions."""
    partitions = Loader().load_data("endpoints")["partitions"]
    return tuple(region for partition in partitions for region in partition["regions"])


def unlisted(
    *, deploy: Deploy, models: Mapping[str, ModelSettings], worker: WorkerSettings, network: NetworkSettings
) -> Iterator[str]:
    """Yield a line with suggestions for each value that AWS does not list, except those in `deploy.unlisted`."""
    for key, description, value, listed in (*_of_models(models), *_of_network(worker, network)):
        if value not in listed and value not in deploy.unlisted:
            yield f"{key}: {value!r}: {_problem(description, value, listed)}"


def _of_models(models: Mapping[str, ModelSettings]) -> Iterator[Enumerated]:
    for name, model in sorted(models.items()):
        if model.serverless_memory_mib is None:
            yield f"models.{name}.instance_type", "SageMaker hosting instance", model.instance_type, hosting_types()
        if model.image is not None:
            # The URI is valid by now: <account>.dkr.ecr.<region>.amazonaws.com/…
            yield f"models.{name}.image", "AWS region", model.image.split(".")[3], regions()


def _of_network(worker: WorkerSettings, network: NetworkSettings) -> Iterator[Enumerated]:
    for family in worker.instance_families:
        yield "worker.instance_families", "EC2 instance family", family, instance_families()
    for region in network.zone_regions:
        yield "network.zones", "AWS region", region, regions()


def _problem(description: str, value: str, listed: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, listed, n=NEARBY, cutoff=0.75)
    guess = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return (
        f"botocore {botocore.__version__} does not list this {description}{guess} If it is newer than that, "
        f"add it to deploy.unlisted: unlisted = [{value!r}]"
    )


def _enumerated(service: str, shape: str) -> tuple[str, ...]:
    shapes: Mapping[str, Mapping[str, list[str]]] = Loader().load_service_model(service, "service-2")["shapes"]
    return tuple(shapes[shape]["enum"])
