"""Nothing may be taken from any role: without any one of its permissions, something that Dropscore does is not done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.e2e.conftest import Driver
from tests.e2e.privilege import other_needs, people_scenarios, scenarios, scoring_needs
from tests.e2e.privilege.roles import granted, withheld
from tests.e2e.privilege.stage import Scenario, Stage
from tests.e2e.privilege.table import Need

EVERY = [*scenarios.EVERY, *people_scenarios.EVERY]
NEEDS = [*scoring_needs.NEEDS, *other_needs.NEEDS]
SEEN = [need for need in NEEDS if not isinstance(need.seen_by, str)]


def _sampled(number: int, need: Need) -> ParameterSet:
    """All of them are tried by `make test-iam`, every sixth by `make test`."""
    return pytest.param(need, id=str(need), marks=[pytest.mark.slow] if number % 6 else [])


@pytest.fixture(scope="module")
def stage(driver: Driver, sample: list[bytes]) -> Iterator[Stage]:
    """No event of S3 reaches `submit` meanwhile: the scenarios hand it their own."""
    events = driver.client("events")
    (rule,) = [each["Name"] for each in events.list_rules()["Rules"] if "aws.s3" in each.get("EventPattern", "")]
    events.disable_rule(Name=rule)
    yield Stage(driver, sample)
    events.enable_rule(Name=rule)


@pytest.mark.parametrize("scenario", EVERY, ids=lambda scenario: scenario.__name__)
def test_the_roles_suffice(stage: Stage, scenario: Scenario) -> None:
    scenario(stage)


def test_every_permission_is_in_the_table_and_none_else(driver: Driver) -> None:
    permissions = granted(driver)
    unknown = [str(each) for each in permissions if sum(need.is_for(each) for need in NEEDS) != 1]
    assert unknown == []
    stale = [str(need) for need in NEEDS if not any(need.is_for(each) for each in permissions)]
    assert stale == []


@pytest.mark.parametrize("need", [_sampled(number, need) for number, need in enumerate(SEEN)])
def test_without_it_something_is_not_done(stage: Stage, need: Need) -> None:
    assert callable(need.seen_by)
    permission, *_ = [each for each in granted(stage.driver) if need.is_for(each)]
    said_before = stage.logs().count(need.action)
    with withheld(stage.driver, permission), pytest.raises(AssertionError) as raised:
        need.seen_by(stage)
    assert need.action in str(raised.value) or stage.logs().count(need.action) > said_before
