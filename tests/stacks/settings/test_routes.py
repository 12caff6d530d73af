"""A route's options mean the same in dropscore.toml as in the runtime, which reads them from ROUTES."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dropscore.errors import ConfigurationError
from dropscore.jobs.options import Options
from dropscore.settings import SubmitSettings
from stacks.settings.routes import RouteSettings

GOOD: dict[str, list[Any]] = {
    "max_bad_rows": [0, 25, "25", "0.5%", "100%"],
    "header": [True, False, "auto"],
    "delimiter": [",", ";", "|", "\t", " ", "'", "~", "_"],
    "match_columns": ["name", "position"],
    "quote": ["double", "none"],
    "escape": ["\\"],
    "decimal": ["."],
    "na_values": [[], ["NA", "null", "\\N"], ["-999", " NA"]],
    "skip_empty_rows": [True, False],
    "columns": [[], ["a"], [1, 3, "2"], ["größe", " b "], ["x" * 200]],
    "exclude": [[], ["label", 7]],
    "id": ["customer", 1],
    "output": ["scores", "append"],
    "score_names": [[], ["fraud"], ["no", "yes"]],
    "threshold": [0, 0.5, -3, 1e300],
    "labels": [["0", "1"]],
}
BAD: dict[str, list[Any]] = {
    "max_bad_rows": [-1, "101%", "some", True, 0.5, [1], "", "1 %"],
    "header": ["yes", "True", 1, 0, None, []],
    "delimiter": ["", ";;", "a", "1", ".", "+", "-", '"', "\n", "\r", "\0", "\x7f", "é", 1, None],
    "match_columns": ["names", "", True, None, 1, []],
    "quote": ['"', "", "'", None, True, []],
    "escape": ["", "/", "\\\\", True, [], 1],
    "decimal": [",", "", ";", 0.5, None, []],
    "na_values": ["NA", [""], [1], ["a", "a"], ["a,b"], ['"NA"'], ["a\n"], ["x" * 201], [str(n) for n in range(51)]],
    "skip_empty_rows": [0, 1, "true", None, []],
    "columns": ["a", [0], [-1], [True], [1.5], [""], [" "], ["a", "a"], [None], ["x" * 201], 1, {"a": 1}],
    "exclude": ["a", [0], ["a", "a"], [[1]]],
    "id": ["", " ", 0, True, 1.5, ["a"], "x" * 201],
    "output": ["id", "both", "", 1, True, []],
    "score_names": ["fraud", [""], [1], ["a", "a"], ["a,b"], ['a"'], ["a\n"], ["a\0"], ["x" * 201]],
    "threshold": ["0.5", True, float("nan"), float("inf"), [], 10**400],
    "labels": [["good", "bad"], ["0"], ["0", "1", "2"], "01", ["0", 1], ["", "1"]],
}
TOGETHER: list[tuple[bool, dict[str, Any]]] = [
    (True, {"output": "id", "id": "customer"}),
    (True, {"threshold": 0.5, "labels": ["good", "bad"]}),
    (True, {"threshold": 0.5, "labels": ["same", "same"]}),
    (True, {"columns": ["a", "b"], "exclude": ["b"]}),
    (True, {"columns": ["a"], "id": "a"}),
    (True, {"delimiter": ";", "score_names": ["a,b"]}),
    (True, {"threshold": 0.5, "score_names": ["a", "b"]}),
    (True, {"delimiter": ";", "decimal": ","}),
    (True, {"delimiter": ";", "na_values": ["a,b"]}),
    (True, {"delimiter": "\\", "quote": "none"}),
    (False, {"quote": "none", "escape": "\\"}),
    (False, {"delimiter": "\\", "escape": "\\"}),
    (False, {"delimiter": ";", "na_values": ["a;b"]}),
    (False, {"threshold": 0.5, "labels": ["good"]}),
    (False, {"threshold": 0.5, "labels": ["good", "fair", "bad"]}),
    (False, {"delimiter": ";", "score_names": ["a;b"]}),
    (False, {"threshold": 0.5, "labels": ["a,b", "c"]}),
    (False, {"threshold": 0.5, "delimiter": ";", "labels": ["a;b", "c"]}),
    (False, {"threshold": 0.5, "delimiter": ";", "labels": ["a,b", "c"]}),
]


def single_settings(cases: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [{key: value} for key, values in cases.items() for value in values]


def settings(values: Mapping[str, Any]) -> RouteSettings:
    return RouteSettings.model_validate({"model": "fraud", **values})


def runtime_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the runtime reads from ROUTES for these settings, without the model."""
    route: dict[str, Any] = json.loads(json.dumps(settings(values).spelled_out()))
    assert route.pop("model") == "fraud"
    return route


def test_the_keys_and_their_defaults_are_the_runtimes() -> None:
    defaults = {
        name: field.default
        for name, field in RouteSettings.model_fields.items()
        if name not in ("model", "priority", "uploaders")
    }
    assert defaults == {field.name: field.default for field in fields(Options)}
    assert GOOD.keys() == BAD.keys() == defaults.keys()


@pytest.mark.parametrize("values", [*single_settings(GOOD), *[case for is_good, case in TOGETHER if is_good]], ids=repr)
def test_what_may_be_said_reaches_the_runtime_as_it_was_said(values: dict[str, Any]) -> None:
    assert Options.parse(runtime_values(values), "ROUTES") == Options.parse(values, "")


@pytest.mark.parametrize(
    "values", [*single_settings(BAD), *[case for is_good, case in TOGETHER if not is_good]], ids=repr
)
def test_what_may_not_be_said_is_refused_here_already(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Options.parse(values, "")
    with pytest.raises(ValidationError) as refused:
        settings(values)
    assert refused.value.error_count() == 1


TEXTS = st.text(st.sampled_from(string.printable + "äß\x7f\0"), max_size=3)
VALUES = st.one_of(
    st.booleans(), st.integers(-1, 3), st.floats(), TEXTS, st.sampled_from(["auto", "id", "append", "scores", "5%"])
)
ROUTE_SETTINGS = st.fixed_dictionaries(
    {}, optional={name: st.one_of(VALUES, st.lists(VALUES, max_size=2)) for name in GOOD}
)


@given(ROUTE_SETTINGS)
def test_both_take_and_refuse_the_same(values: dict[str, Any]) -> None:
    try:
        expected = Options.parse(values, "")
    except ConfigurationError:
        with pytest.raises(ValidationError):
            settings(values)
    else:
        assert Options.parse(runtime_values(values), "ROUTES") == expected


def test_only_what_differs_from_the_defaults_is_told() -> None:
    assert runtime_values({}) == {}
    assert runtime_values({"max_bad_rows": 0, "header": "auto", "columns": [], "labels": ["0", "1"]}) == {}
    assert runtime_values({"header": False, "columns": ["a", 2]}) == {"header": False, "columns": ["a", 2]}


@pytest.mark.parametrize("priority", [-1, 10_000, "7", 1.0, True, None, [1]])
def test_a_priority_is_one_that_batch_knows(priority: Any) -> None:
    with pytest.raises(ValidationError, match="write a whole number from 0 to 9999"):
        settings({"priority": priority})


@pytest.mark.parametrize("priority", [0, 1, 9999])
def test_the_runtime_is_told_the_priority(priority: int) -> None:
    spelled_out = json.dumps({"default": settings({"priority": priority}).spelled_out()})
    models = json.dumps({"fraud": {"endpoint": "e", "version": "v", "max_payload_bytes": 1}})
    env = {"MODELS": models, "ROUTES": spelled_out, "INPUTS": '["*.csv"]', "JOB_TTL_DAYS": "1", "SHARD_BYTES": "1"}
    env |= dict.fromkeys(("JOBS_TABLE", "BUCKET", "JOB_QUEUE", "JOB_DEFINITION", "ENVIRONMENT"), "x")
    assert SubmitSettings.from_env(env).routes["default"].priority == priority
