from __future__ import annotations

import pytest

from dropscore.jobs import job_id
from dropscore.routes import Route, errors_key, is_input, output_key, route_of

ROUTES = {"default": Route(name="default", model="fraud"), "claims": Route(name="claims", model="claims")}


@pytest.mark.parametrize("key", ["input/a.csv", "input/x/y/a.CSV", "input/a b+c%20d.csv", "input/übung/数.csv"])
def test_is_input(key: str) -> None:
    assert is_input(key)


@pytest.mark.parametrize(
    "key",
    ["output/a.csv", "inputs/a.csv", "input/", "input/x/", "input/a.txt", "input/a.csv/", "a.csv", "input/x/.csv"],
)
def test_is_not_input(key: str) -> None:
    assert not is_input(key)


@pytest.mark.parametrize(
    ("key", "route"),
    [
        ("input/a.csv", "default"),
        ("input/claims/a.csv", "claims"),
        ("input/claims/2026/a.csv", "claims"),
        ("input/other/a.csv", "default"),
        ("input/claims", "default"),
    ],
)
def test_route_of(key: str, route: str) -> None:
    assert route_of(key, ROUTES).name == route


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("input/a.csv", "output/20261121T014019123000255Z-a.csv"),
        ("input/a.csv.gz", "output/20261121T014019123000255Z-a.csv"),
        ("input/x/y z/a+b.csv", "output/x/y z/20261121T014019123000255Z-a+b.csv"),
    ],
)
def test_output_key(key: str, expected: str) -> None:
    assert output_key(key, "2026-11-21T01:40:19.123Z", "000000ff" + "0" * 24) == expected


def test_two_versions_claimed_in_one_millisecond_have_outputs_of_their_own() -> None:
    names = {output_key("input/a.csv", "2026-11-21T01:40:19.123Z", job_id("b", "k", str(n))) for n in range(100)}
    assert len(names) == 100


def test_errors_key() -> None:
    assert errors_key("output/x/2026-a.csv") == "output/x/2026-a.errors.csv"
    assert errors_key("output/2026-a.CSV") == "output/2026-a.errors.csv"
