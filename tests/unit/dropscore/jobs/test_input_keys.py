"""Which keys are scored, which are rejected aloud, and which are nobody's files."""

from __future__ import annotations

import pytest

from dropscore.jobs.input_keys import Inputs, why_ignored

UNLOAD = Inputs(("*.csv", "*_part_[0-9][0-9]", "*_part_[0-9][0-9].gz", "unload/*"))


@pytest.mark.parametrize("key", ["input/a.csv", "input/x/y/a.CSV", "input/a b+c%20d.csv.GZ", "input/übung/数.csv"])
def test_csv_files_are_inputs(key: str) -> None:
    assert why_ignored(key) is None
    assert Inputs().has(key)


@pytest.mark.parametrize(
    "key", ["input/a.tsv", "input/a.txt", "input/0000_part_00", "input/000.gz", "input/a.csv ", "input/a.csv.bz2"]
)
def test_other_names_are_no_inputs_and_not_ignored(key: str) -> None:
    assert why_ignored(key) is None
    assert not Inputs().has(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("input/claims_0000_part_00", True),
        ("input/x/0000_PART_00.gz", True),
        ("input/unload/20260101_0000_x", True),
        ("input/UNLOAD/y=1/000.gz", True),
        ("input/claims_manifest", False),
        ("input/x/unload/000", False),
        ("input/unload", False),
    ],
)
def test_patterns_decide_when_settings_list_them(key: str, expected: bool) -> None:
    assert UNLOAD.has(key) is expected


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("output/a.csv", "under input/"),
        ("inputs/a.csv", "under input/"),
        ("input/", "marks a folder"),
        ("input/x/", "marks a folder"),
        ("input/a_$folder$", "marks a folder"),
        ("input/a.csv.job.json", "job options file"),
        ("input/_SUCCESS", "hidden"),
        ("input/x/_temporary/0/part-0000.csv", "hidden"),
        ("input/._x.csv", "hidden"),
        ("input/.~lock.x.csv", "hidden"),
        ("input/.~lock.x.csv#", "hidden"),
        ("input/.x.csv.crc", "hidden"),
        ("input/.csv", "hidden"),
        ("input/../x.csv", "hidden"),
        ("input/~$x.csv", "temporary"),
        ("input/x.csv~", "temporary"),
        ("input/x.csv.part", "temporary"),
        ("input/x.csv.TMP", "temporary"),
        ("input/x.csv.crdownload", "temporary"),
        ("input/x.csv.filepart", "temporary"),
        ("input/x.csv._COPYING_", "temporary"),
    ],
)
def test_hidden_and_temporary_names_are_ignored(key: str, why: str) -> None:
    assert why in (why_ignored(key) or "")


@pytest.mark.parametrize("key", ["input/_c0=7/part-0000.csv", "input/a._x.csv", "input/tmp/part.csv", "input/~x.csv"])
def test_names_that_only_look_hidden_are_not(key: str) -> None:
    assert why_ignored(key) is None
