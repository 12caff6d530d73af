from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import ConfigurationError
from dropscore.jobs.options import MAX_JOB_OPTIONS_BYTES, Options, parse_job_options

ALL: dict[str, Any] = {
    "max_bad_rows": "0.5%",
    "header": True,
    "delimiter": "\t",
    "escape": "\\",
    "decimal": ",",
    "na_values": ["NA", "\\N"],
    "skip_empty_rows": True,
    "columns": ["b", 3],
    "exclude": [1],
    "id": "claim",
    "output": "append",
    "score_names": ["risk"],
    "threshold": 0.5,
    "labels": ["low", "high"],
}


def _parse(**said: Any) -> Options:
    return Options.parse(said, "route fraud")


def test_every_option_is_kept_as_it_is_said() -> None:
    options = _parse(**ALL)
    assert options.as_dict() == ALL
    assert _parse(quote="none").as_dict() == {"quote": "none"}
    assert (options.columns, options.labels) == (("b", 3), ("low", "high"))


def test_nothing_said_is_the_defaults() -> None:
    assert _parse() == Options()
    assert Options().as_dict() == {}


words = st.text("abcäé ß0", min_size=1, max_size=5).filter(str.strip)
columns = st.lists(words | st.integers(1, 50), unique=True, max_size=4)
some_options = st.fixed_dictionaries(
    {},
    optional={
        "max_bad_rows": st.integers(0, 99) | st.sampled_from(["7", "0.5%", "100%"]),
        "header": st.sampled_from([True, False, "auto"]),
        "delimiter": st.sampled_from(list(",;\t|: ")),
        "columns": columns,
        "exclude": columns,
        "id": st.none() | words | st.integers(1, 50),
        "output": st.sampled_from(["scores", "append"]),
        "score_names": st.lists(st.text("xyz_", min_size=1, max_size=5), unique=True, max_size=3),
        "threshold": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    },
)


@given(some_options)
def test_options_survive_json(said: dict[str, Any]) -> None:
    options = _parse(**said)
    again = Options.parse(json.loads(json.dumps(options.as_dict())), "elsewhere")
    assert again == options
    assert again.digest == options.digest
    assert all(options.as_dict()[key] != getattr(Options(), key) for key in options.as_dict())


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"haeder": True}, "route fraud: unknown option 'haeder'; did you mean header?"),
        ({"x" * 99: True}, "route fraud: unknown option '" + "x" * 40 + "…'; the options are max_bad_rows, header"),
        ({"quote": '"'}, 'quote: write "double"'),
        ({"escape": "/"}, r'escape: write "\\", a backslash'),
        ({"escape": "\\", "quote": "none"}, "escape: needs quotes"),
        ({"escape": "\\", "delimiter": "\\"}, "escape: a backslash cannot be both"),
        ({"decimal": ";"}, 'decimal: write "." or ","'),
        ({"decimal": ","}, "decimal: is the delimiter too"),
        ({"na_values": "NA"}, "na_values: write a list"),
        ({"na_values": ["NA", "NA"]}, "na_values: write each word once"),
        ({"na_values": [""]}, "na_values: write words"),
        ({"na_values": ["a,b"]}, "na_values: a word contains the delimiter"),
        ({"na_values": [str(number) for number in range(51)]}, "at most 50"),
        ({"skip_empty_rows": 1}, "skip_empty_rows: write true or false"),
        ({"header": "yes"}, 'route fraud: header: write true, false or "auto"'),
        ({"header": 1}, "header: write true"),
        ({"max_bad_rows": True}, "max_bad_rows: write a number of rows"),
        ({"max_bad_rows": 1.5}, "max_bad_rows: write a number of rows"),
        ({"max_bad_rows": -1}, "max_bad_rows: write a number of rows"),
        ({"max_bad_rows": "101%"}, "max_bad_rows: write a number of rows"),
        ({"columns": "a"}, "columns: write a list"),
        ({"columns": [True]}, "columns: write a column's name"),
        ({"columns": [0]}, "columns: write a column's name"),
        ({"columns": [" "]}, "columns: write a column's name"),
        ({"columns": ["a", 1, "a"]}, "columns: a column is listed twice"),
        ({"columns": ["a" * 201]}, "columns: a word has 201 characters"),
        ({"columns": ["\ud800"]}, "columns: a word contains half a character"),
        ({"exclude": [1, 1]}, "exclude: a column is listed twice"),
        ({"id": 0}, "id: write a column's name"),
        ({"id": False}, "id: write a column's name"),
        ({"id": ["a"]}, "id: write a column's name"),
        ({"output": "ids"}, 'output: write "scores", "id" or "append"'),
        ({"output": "id"}, "output: needs the option `id`"),
        ({"score_names": "a"}, "score_names: write a list"),
        ({"score_names": ["a", "a"]}, "score_names: a name occurs twice"),
        ({"score_names": [""]}, "score_names: write words"),
        ({"score_names": ['a"']}, "score_names: write words"),
        ({"score_names": ["a\nb"]}, "score_names: write words"),
        ({"score_names": ["a,b"]}, "score_names: a name contains the delimiter"),
        ({"score_names": ["a;b"], "delimiter": ";"}, "score_names: a name contains the delimiter"),
        ({"threshold": True}, "threshold: write a finite number"),
        ({"threshold": "0.5"}, "threshold: write a finite number"),
        ({"threshold": float("nan")}, "threshold: write a finite number"),
        ({"threshold": 10**400}, "threshold: write a finite number"),
        ({"labels": ["no", "yes"]}, "labels: need a threshold"),
        ({"labels": ["no"], "threshold": 1}, "labels: write two words"),
        ({"labels": ["no", 1], "threshold": 1}, "labels: write words"),
        ({"labels": ["n,o", "yes"], "threshold": 1, "delimiter": ";"}, "labels: a label contains a comma"),
        ({"labels": ["n;o", "yes"], "threshold": 1, "delimiter": ";"}, "labels: a label contains a comma"),
    ],
)
def test_what_an_option_may_not_be(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Options.parse(said, "route fraud")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("route fraud: ")


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\r", "\n", "a", "Z", "0", ".", "+", "-", "\x1f", "\x7f", "§", 1])
def test_what_is_no_delimiter(delimiter: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"delimiter: write one character"):
        _parse(delimiter=delimiter)


def test_a_score_name_may_hold_a_comma_where_another_delimiter_is_written() -> None:
    assert _parse(score_names=["a,b"], delimiter=";").score_names == ("a,b",)


def test_a_sidecar_has_its_word_over_the_route() -> None:
    route = _parse(header=True, id="claim", threshold=0.5)
    options = route.overridden({"header": "auto", "id": None, "output": "append"}, "claims.csv.job.json")
    assert options == Options(threshold=0.5, output="append")
    assert route == Options(header=True, id="claim", threshold=0.5)


def test_a_sidecar_that_does_not_go_with_the_route_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match=r"^claims\.csv\.job\.json: output: needs the option"):
        _parse().overridden({"output": "id"}, "claims.csv.job.json")


@pytest.mark.parametrize("key", [key for key in ALL if key != "max_bad_rows"])
def test_the_digest_follows_each_option_that_changes_bytes(key: str) -> None:
    options, others = _parse(**ALL), {name: value for name, value in ALL.items() if name != key}
    if key == "threshold":
        others.pop("labels")
    if key == "delimiter":
        others["delimiter"] = ";"
    assert len(options.digest) == 8
    assert _parse(**others).digest != options.digest


def test_the_digest_does_not_follow_how_many_rows_may_be_bad() -> None:
    assert _parse(max_bad_rows=3, id=1).digest == _parse(id=1).digest


def test_a_sidecar_says_options_and_a_model() -> None:
    found = parse_job_options(b'\xef\xbb\xbf{"model": "fraud", "header": true}', "x")
    assert found == ({"header": True}, "fraud")
    assert parse_job_options(b"{}", "x").model is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "is not JSON"),
        (b"{secret}", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * MAX_JOB_OPTIONS_BYTES, "is not JSON"),
        (b'["secret"]', "is not a JSON object"),
        (b'{"model": 3}', "model: write the name of a model"),
        (b"{" + b" " * MAX_JOB_OPTIONS_BYTES + b"}", "has 65538 bytes; the limit is 65536"),
    ],
)
def test_what_a_sidecar_may_not_be(text: bytes, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_job_options(text, "input/a.csv.job.json")
    assert str(caught.value).startswith(f"input/a.csv.job.json: {complaint}")
    assert "secret" not in str(caught.value)


def test_the_largest_sidecar_is_read() -> None:
    assert parse_job_options(b"{" + b" " * (MAX_JOB_OPTIONS_BYTES - 2) + b"}", "x") == ({}, None)
