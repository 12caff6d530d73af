"""What AWS takes for a setting that it enumerates, by the service models of the pinned botocore.

Only botocore's data files are read; no client is made and nothing is called (.importlinter allows botocore here alone).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import botocore
from botocore.loaders import Loader

if TYPE_CHECKING:
    from stacks.settings.load import SettingsFile

NEARBY = 3


@cache
def hosting_types() -> tuple[str, ...]:
    """SageMaker's instance types for endpoints."""
    return _enumerated("sagemaker", "ProductionVariantInstanceType")


@cache
def instance_families() -> tuple[str, ...]:
    """EC2's instance families."""
    return tuple(dict.fromkeys(each.partition(".")[0] for each in _enumerated("ec2", "InstanceType")))


@cache
def regions() -> tuple[str, ...]:
    """AWS's regions, of all partitions."""
    partitions = Loader().load_data("endpoints")["partitions"]
    return tuple(region for partition in partitions for region in partition["regions"])


def unlisted(written: SettingsFile) -> Iterator[str]:
    """One line for each value that AWS does not list, with the nearest ones; none for those in `deploy.unlisted`."""
    for key, kind, value, known in _used(written):
        if value not in known and value not in written.deploy.unlisted:
            yield f"{key}: {value!r}: {_wrong(kind, value, known)}"


def _used(written: SettingsFile) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Key, what it is, its value and the values that AWS lists."""
    for name, model in sorted(written.models.items()):
        if model.serverless_memory_mib is None:
            yield f"models.{name}.instance_type", "SageMaker hosting instance", model.instance_type, hosting_types()
        if model.image is not None:
            yield f"models.{name}.image", "AWS region", model.image.split(".")[3], regions()
    for family in written.worker.instance_families:
        yield "worker.instance_families", "EC2 instance family", family, instance_families()
    for region in written.network.zone_regions:
        yield "network.zones", "AWS region", region, regions()


def _wrong(kind: str, value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, known, n=NEARBY, cutoff=0.75)
    guess = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return (
        f"botocore {botocore.__version__} lists no such {kind}{guess} If it is newer than that, "
        f"add it to deploy.unlisted: unlisted = [{value!r}]"
    )


def _enumerated(service: str, shape: str) -> tuple[str, ...]:
    shapes: Mapping[str, Mapping[str, list[str]]] = Loader().load_service_model(service, "service-2")["shapes"]
    return tuple(shapes[shape]["enum"])
