"""The capacity of SageMaker hosting instances: a model that scales to zero must request a share of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TYPE = re.compile(r"ml\.(?P<letter>[cmrg])(?P<generation>\d+)[a-z]*\.(?:(?P<times>\d*)x)?(?P<size>large|medium)")
_MIB_PER_VCPU = {"c": 1920, "m": 4096, "r": 7808, "g": 4096}
"""The lowest value of all generations of a family."""
_GPUS = {12: 4, 24: 4, 48: 8}
"""By the multiple of `xlarge`; every other size has one."""

UNKNOWN_TYPE = (
    "the capacity of this instance type is unknown, and a model that scales to zero must request a share of it; "
    "use a type of the families ml.c, ml.m, ml.r or ml.g, or min_instances = 1"
)


@dataclass(frozen=True, slots=True)
class Share:
    """What one copy of a model requests: enough that no second copy fits, and without what SageMaker reserves."""

    vcpus: float
    memory_mib: int
    gpus: int


def share_of(instance_type: str) -> Share:
    """Three quarters of the processors, half of the memory and all GPUs. Raises ValueError with the fix."""
    found = _TYPE.fullmatch(instance_type)
    if found is None:
        raise ValueError(UNKNOWN_TYPE)
    is_extra, times = found["times"] is not None, int(found["times"] or 1)
    vcpus = 4 * times if is_extra else {"large": 2, "medium": 1}[found["size"]]
    gpus = _GPUS.get(times, 1) if found["letter"] == "g" else 0
    return Share(vcpus * 0.75, vcpus * _MIB_PER_VCPU[found["letter"]] // 2, gpus)
