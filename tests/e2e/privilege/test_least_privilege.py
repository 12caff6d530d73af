"""Every permission of every role is necessary: without it, a scenario fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.e2e.conftest import Driver
from tests.e2e.privilege import other_needs, people_scenarios, scenarios, scoring_needs
from tests.e2e.privilege.roles import granted, withheld
from tests.e2e.privilege.stage import Scenario, ScenarioContext
from tests.e2e.privilege.table import Need

EVERY = [*scenarios.EVERY, *people_scenarios.EVERY]
NEEDS = [*scoring_needs.NEEDS, *other_needs.NEEDS]
SEEN = [need for need in NEEDS if not isinstance(need.seen_by, str)]


def _sampled(number: int, need: Need) -> ParameterSet:
    """`make test-iam` tries all permissions, `make test` every sixth."""
    return pytest.param(need, id=str(need), marks=[pytest.mark.slow] if number % 6 else [])


@pytest.fixture(scope="module")
def context(driver: Driver, sample: list[bytes]) -> Iterator[ScenarioContext]:
    """Turns S3's events to `submit` off: the scenarios pass their own events."""
    events = driver.client("events")
    (rule,) = [each["Name"] for each in events.list_rules()["Rules"] if "aws.s3" in each.get("EventPattern", "")]
    events.disable_rule(Name=rule)
    yield ScenarioContext(driver, sample)
    events.enable_rule(Name=rule)


@pytest.mark.parametrize("scenario", EVERY, ids=lambda scenario: scenario.__name__)
def test_the_roles_suffice(context: ScenarioContext, scenario: Scenario) -> None:
    scenario(context)


def test_every_permission_is_in_the_table_and_none_else(driver: Driver) -> None:
    permissions = granted(driver)
    unknown = [str(each) for each in permissions if sum(need.is_for(each) for need in NEEDS) != 1]
    assert unknown == []
    stale = [str(need) for need in NEEDS if not any(need.is_for(each) for each in permissions)]
    assert stale == []


@pytest.mark.parametrize("need", [_sampled(number, need) for number, need in enumerate(SEEN)])
def test_without_it_something_is_not_done(context: ScenarioContext, need: Need) -> None:
    assert callable(need.seen_by)
    permission, *_ = [each for each in granted(context.driver) if need.is_for(each)]
    said_before = context.logs().count(need.action)
    with withheld(context.driver, permission), pytest.raises(AssertionError) as raised:
        need.seen_by(context)
    assert need.action in str(raised.value) or context.logs().count(need.action) > said_before
