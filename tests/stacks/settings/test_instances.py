from __future__ import annotations

import pytest

from stacks.settings.instances import Share, share_of


@pytest.mark.parametrize(
    ("instance_type", "share"),
    [
        ("ml.m5.large", Share(1.5, 4096, 0)),
        ("ml.c7i.xlarge", Share(3, 3840, 0)),
        ("ml.r6i.24xlarge", Share(72, 374_784, 0)),
        ("ml.g5.2xlarge", Share(6, 16_384, 1)),
        ("ml.g4dn.12xlarge", Share(36, 98_304, 4)),
        ("ml.g6.16xlarge", Share(48, 131_072, 1)),
    ],
)
def test_a_copy_takes_more_than_half_of_an_instance_and_all_of_its_gpus(instance_type: str, share: Share) -> None:
    assert share_of(instance_type) == share


@pytest.mark.parametrize("instance_type", ["ml.t2.medium", "ml.inf2.xlarge", "ml.p4d.24xlarge", "ml.m5.metal", "m5"])
def test_what_is_not_known_is_refused_with_the_fix(instance_type: str) -> None:
    with pytest.raises(ValueError, match=r"use a type of the families .* or min_instances = 1"):
        share_of(instance_type)
