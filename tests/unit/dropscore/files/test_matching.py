"""A header's columns held against the names of the model's features."""

from __future__ import annotations

import csv
import io
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.layout import Layout
from dropscore.jobs.options import Options

NAMES = ("a", "b", "c", "d")
BELOW = "1,2,3,4"


def _layout(first: str, below: str = BELOW, /, *, names: tuple[str, ...] = NAMES, **said: Any) -> Layout:
    features = len(names) or None
    file = f"{first}\n{below}\n".encode()
    return Layout.of(file, Options.parse(said, "test"), features=features, is_whole=True, names=names)


def _sent(first: str, below: str = BELOW, /, **said: Any) -> str:
    layout = _layout(first, below, **said)
    return layout.payload(f"{below}\n".encode()).decode().rstrip("\n")


def _refused(first: str, below: str = BELOW, /, **said: Any) -> str:
    with pytest.raises(RejectedError) as caught:
        _layout(first, below, **said)
    return str(caught.value)


@pytest.mark.parametrize(
    ("header", "below", "said"),
    [
        ("d,c,b,a", "4,3,2,1", {}),
        ('"d", c ,"b",a', "4,3,2,1", {}),
        ("\ufeffd,c,b,a", "4,3,2,1", {}),
        ("d,c,b,a\r", "4,3,2,1", {}),
        ("a,b,c,d", "1,2,3,4", {}),
        ("d;c;b;a", "4;3;2;1", {"delimiter": ";"}),
        ("x,d,c,b,a", "7,4,3,2,1", {"id": "x"}),
        ("x,d,c,b,a", "7,4,3,2,1", {"id": 1}),
        ("d,y,c,b,a,x", "4,y,3,2,1,7", {"id": "x", "exclude": ["y"]}),
        ("d,y,c,b,a,x", "4,y,3,2,1,7", {"id": 6, "exclude": [2]}),
        ("d,y,y,c,b,a", "4,y,y,3,2,1", {"exclude": [2, 3]}),
        ("a,d,c,b,a", "9,4,3,2,1", {"exclude": [1]}),
        ("d,c,b,a", "4,3,2,1", {"header": True}),
    ],
)
def test_columns_are_matched_by_name_in_any_order(header: str, below: str, said: dict[str, Any]) -> None:
    assert _sent(header, below, **said) == "1,2,3,4"
    assert _layout(header, below, **said).matching.is_by_name


def test_rows_in_the_models_order_are_not_copied() -> None:
    layout = _layout("a,b,c,d")
    assert (layout.choice, layout.matching.as_dict()) == (None, {"matched": "by name", "reordered": False})


@pytest.mark.parametrize(
    ("header", "said", "why"),
    [
        ("d,c,b,a", {"match_columns": "position"}, 'match_columns = "position"'),
        ("w,x,y,z", {"names": ()}, "the names of the model's features are unknown"),
        ("5,2,3,4", {}, "no header"),
        ("5,2,3,4", {"header": False}, "no header"),
        ("w,x,y,z", {"columns": [1, 2, 3, 4]}, "columns"),
        ("a,b,c,d", {"columns": ["a", "b", "c", "d"]}, "columns"),
    ],
)
def test_columns_go_by_position_for_a_reason(header: str, said: dict[str, Any], why: str) -> None:
    layout = _layout(header, **said)
    assert layout.payload(b"1,2,3,4\n") == b"1,2,3,4\n"
    assert layout.matching.as_dict() == {"matched": "by position", "why": why}


def test_the_manifest_says_that_columns_were_reordered() -> None:
    assert _layout("d,c,b,a").matching.as_dict() == {"matched": "by name", "reordered": True}
    assert _layout("x,a,b,c,d", "7," + BELOW, id="x").matching.as_dict()["reordered"] is False


@pytest.mark.parametrize(
    ("header", "below", "said", "fix"),
    [
        ("customer_id,a,b,c,d", "x,1,2,3,4", {}, '`customer_id` is not a feature; add `id = "customer_id"`'),
        ("a,b,c,d,Kunde", "1,2,3,4,x\n1,2,3,4,y", {}, '`Kunde` is not a feature; add `id = "Kunde"`'),
        ("a,b,c,d,label", "1,2,3,4,0", {}, '`label` is not a feature; add `exclude = ["label"]`'),
        (",a,b,c,d", "0,1,2,3,4", {}, "column 1 has no name and is not a feature; add `exclude = [1]`"),
        ("Unnamed: 0,a,b,c,d", "0,1,2,3,4", {}, '`Unnamed: 0` is not a feature; add `exclude = ["Unnamed: 0"]`'),
        (
            "id,a,b,c,d,churn",
            "7,1,2,3,4,0",
            {},
            '`id`, `churn` are not features; add `id = "id"` and `exclude = ["churn"]`',
        ),
        ("id,a,b,c,d,churn", "7,1,2,3,4,0", {"id": "id"}, '`churn` is not a feature; add `exclude = ["churn"]`'),
        ("id,a,b,c,d,y,z", "7,1,2,3,4,0,0", {"id": 1, "exclude": ["y"]}, 'add `exclude = ["y", "z"]`'),
        ("id,a,b,c,d,x_id", "7,1,2,3,4,0", {"id": "id"}, '`x_id` is not a feature; add `exclude = ["x_id"]`'),
        ("a,b,c,d,x,x", "1,2,3,4,5,6", {"header": True}, "add `exclude = [5, 6]`"),
        ("a,b,c,d,v1,v2,v3,v4,v5,v6", BELOW + ",5,6,7,8,9,0", {}, "`v5` and 1 more are not features; add the columns"),
    ],
)
def test_a_column_that_is_not_a_feature_is_named(header: str, below: str, said: dict[str, Any], fix: str) -> None:
    refusal = _refused(header, below, **said)
    assert refusal.startswith("NOT_A_FEATURE: ")
    assert fix in refusal


@pytest.mark.parametrize(
    ("header", "said", "parts"),
    [
        ("a,b,c,x", {}, ["the header lacks `d` of the model's 4 features", "not features: `x`"]),
        ("a,b,c,D", {}, ["lacks `d`", "the most similar name is `D`"]),
        ("w,x,y,z", {}, ["lacks `a`, `b`, `c`, `d` of the model's 4 features", 'match_columns = "position"']),
        ("5,2,3,4", {"header": True}, ["lacks `a`, `b`, `c`, `d`", "set header = false"]),
        ("a,b,c,d", {"exclude": ["d"]}, ["id or exclude leaves out `d`, which the model needs"]),
        ("a,b,c,d", {"id": 1}, ["id or exclude leaves out `a`"]),
    ],
)
def test_a_feature_that_the_header_lacks_is_named(header: str, said: dict[str, Any], parts: list[str]) -> None:
    refusal = _refused(header, **said)
    assert refusal.startswith("COLUMN_MISSING: ")
    assert all(part in refusal for part in parts), refusal


@pytest.mark.parametrize("near", ["Tenure Months", "tenure-months", "TENURE_MONTHS", "tenure_month"])
def test_a_name_that_is_nearly_a_features_is_shown(near: str) -> None:
    refusal = _refused(f"{near},b", "1,2", names=("tenure_months", "b"))
    assert f"the most similar name is `{near}`" in refusal


def test_a_feature_that_is_there_twice_is_refused() -> None:
    assert "DUPLICATE_COLUMN: the header has the feature `a` 2 times" in _refused("a,a,b,c,d", "1,1,2,3,4", header=True)


@pytest.mark.parametrize(
    "columns", [["d", "c", "b", "a"], [4, 3, 2, 1], ["b", "a", "c", "d"], ["a", "b", "d", "x"], ["x", "a", "b", "c"]]
)
def test_columns_in_another_order_than_the_features_are_refused(columns: list[str | int]) -> None:
    refusal = _refused("a,b,c,d,x", BELOW + ",5", columns=columns)
    assert refusal.startswith("COLUMNS_OUT_OF_ORDER: columns: ")
    _layout("a,b,c,d,x", BELOW + ",5", columns=columns, match_columns="position")


@pytest.mark.parametrize("header", ["f1,f0,f2,f3", "Column_3,Column_2,Column_1,Column_0", "3,2,1,0", "4,3,2,1"])
def test_generated_names_out_of_order_are_refused(header: str) -> None:
    assert _refused(header, names=(), header=True).startswith("COLUMNS_OUT_OF_ORDER: the header numbers the columns")
    assert _sent(header, names=(), header=True, match_columns="position") == BELOW


@pytest.mark.parametrize("header", ["f0,f1,f2,f3", "0,1,2,3", "1,2,3,4", "Column_0,Column_1,Column_2,Column_3"])
def test_generated_names_in_order_go_by_position(header: str) -> None:
    assert _sent(header, names=(), header=True) == BELOW


def test_rows_that_do_not_fit_the_header_reject_the_file() -> None:
    """As R writes row names: a column more than the header has."""
    with pytest.raises(RejectedError, match="WRONG_COLUMN_COUNT"):
        _layout("d,c,b,a", "x,1,2,3,4", header=True)
    with pytest.raises(RejectedError, match="WRONG_COLUMN_COUNT"):
        _layout("a,b,c,d", "x,1,2,3,4", header=True)


def test_long_names_are_cut_in_messages() -> None:
    refusal = _refused(f"{'x' * 5000},a,b,c,d", "1," + BELOW)
    assert len(refusal) < 200
    assert "`exclude = [1]`" in refusal


words = st.text("abcXYZ_äé ;'\"\n9", min_size=1, max_size=8).map(str.strip).filter(lambda word: word.strip(" 9;'\"\n_"))
frames = st.lists(words, min_size=2, max_size=8, unique_by=lambda word: word.strip())


@given(frames, st.integers(0, 3), st.sampled_from([",", ";", "\t"]), st.randoms(use_true_random=False))
def test_what_is_sent_is_what_pythons_csv_reads_by_name(names: list[str], more: int, mark: str, chance: Random) -> None:
    """Headers in any order, with an id and columns that are dropped, against `csv.DictReader`."""
    others = [f"other {number} 7x" for number in range(more)]
    header = chance.sample([*names, *others], len(names) + more)
    rows = [[str(chance.randint(-9, 9)) for _ in header] for _ in range(5)]
    written = io.StringIO()
    csv.writer(written, delimiter=mark, lineterminator=chance.choice(["\n", "\r\n"])).writerows([header, *rows])
    file = written.getvalue().encode()
    said: dict[str, Any] = {"delimiter": mark, "header": True}
    if others:
        said |= {"id": others[0], "exclude": others[1:]}
    layout = Layout.of(file, Options.parse(said, ""), features=len(names), is_whole=True, names=names)

    sent = list(csv.reader(io.StringIO(layout.payload(file[layout.data_offset :]).decode(), newline="")))

    read = csv.DictReader(io.StringIO(file.decode(), newline=""), delimiter=mark)
    assert sent == [[row[name] for name in names] for row in read]
    assert layout.matching.is_by_name
