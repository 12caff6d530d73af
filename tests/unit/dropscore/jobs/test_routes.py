from __future__ import annotations

import pytest

from dropscore.jobs.job import job_id
from dropscore.jobs.routes import Route, errors_key, manifest_key, output_key, route_of

ROUTES = {"default": Route(name="default", model="fraud"), "claims": Route(name="claims", model="claims")}


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
        ("input/A.CSV", "output/20261121T014019123000255Z-A.CSV"),
        ("input/x/0000_part_00", "output/x/20261121T014019123000255Z-0000_part_00.csv"),
        ("input/000.gz", "output/20261121T014019123000255Z-000.csv"),
        ("input/a.tsv", "output/20261121T014019123000255Z-a.tsv.csv"),
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


@pytest.mark.parametrize("name", ["0000_part_00", "000.gz", "a.tsv", "a", "a.csv", "a.CSV.GZ"])
def test_no_key_of_outputs_is_another(name: str) -> None:
    scores = output_key(f"input/{name}", "2026-11-21T01:40:19.123Z", "0" * 32)
    stem = name.lower().removesuffix(".gz").removesuffix(".csv")
    assert scores.lower().endswith(f"z-{stem}.csv")
    assert errors_key(scores).lower().endswith(f"z-{stem}.errors.csv")
    assert manifest_key(scores).lower().endswith(f"z-{stem}.manifest.json")
