from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest

from stacks.settings import Settings
from tools.checks.matrix import FULLY_COMBINED, Combination, all_combinations, dimensions, label, sample, settings_text


@pytest.fixture(scope="module")
def few() -> list[Combination]:
    return sample()


@pytest.fixture(scope="module")
def all_of_them() -> list[Combination]:
    return all_combinations()


def test_every_setting_that_is_a_choice_takes_part() -> None:
    found = dimensions()
    assert found["network.mode"] == ("endpoints", "nat")
    assert found["network.flow_logs"] == (True, False)
    assert found["deploy.termination_protection"] == (False, True)
    assert set(FULLY_COMBINED) <= found.keys()
    assert "network.max_azs" not in found


def test_the_sample_begins_with_the_defaults(few: list[Combination]) -> None:
    assert few[0] == {name: values[0] for name, values in dimensions().items()}
    assert label(few[0]) == "defaults"


def test_any_two_values_meet_in_the_sample_unless_they_exclude_each_other(few: list[Combination]) -> None:
    missing = {
        frozenset(pair)
        for first, second in itertools.combinations(dimensions().items(), 2)
        for pair in itertools.product(_choices(*first), _choices(*second))
        if not any(dict(pair).items() <= combination.items() for combination in few)
    }
    assert missing == {frozenset({("deploy.retain_data", False), ("deploy.termination_protection", True)})}


def test_all_holds_every_combination_of_what_changes_most(all_of_them: list[Combination]) -> None:
    expected = set(itertools.product(*(dimensions()[name] for name in FULLY_COMBINED)))
    assert len(expected) >= 16
    assert {tuple(combination[name] for name in FULLY_COMBINED) for combination in all_of_them} == expected


def test_labels_are_unique_and_fit_for_folders(all_of_them: list[Combination]) -> None:
    labels = [label(combination) for combination in all_of_them]
    assert len(set(labels)) == len(labels)
    assert not [name for name in labels if "/" in name or len(name) > 200]


def test_the_sample_is_the_same_each_time(few: list[Combination]) -> None:
    assert sample() == few


def test_a_combination_is_written_as_settings(tmp_path: Path, all_of_them: list[Combination]) -> None:
    for combination in all_of_them:
        written = tomllib.loads(settings_text(combination))
        for name, value in combination.items():
            if name != "models":
                section, key = name.split(".")
                assert written[section][key] == value


def test_many_models_are_read_as_many(tmp_path: Path, all_of_them: list[Combination]) -> None:
    many = next(combination for combination in all_of_them if combination["models"] == "many")
    (tmp_path / "dropscore.toml").write_text(settings_text(many))
    assert [model.name for model in Settings.load(tmp_path, {}).models] == ["fraud", "linear", "scaled"]


def _choices(name: str, values: tuple[object, ...]) -> list[tuple[str, object]]:
    return [(name, value) for value in values]
