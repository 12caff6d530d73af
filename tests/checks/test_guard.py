"""Our own rules: a conforming template passes, and only the matching rule finds each break, at its resource."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from typing import Any

import pytest

from tests.checks.conforming import BREAKS, GONE, TEMPLATE
from tools.checks.checkers import guard
from tools.checks.subject import Subject, Template

Broken = dict[int, set[tuple[str, str]]]


def changed(path: str, value: object) -> dict[str, Any]:
    """The conforming template with one value changed; a leading `..` refers to the level above the resources."""
    template = copy.deepcopy(TEMPLATE)
    above = path.startswith("..")
    *parents, last = path.removeprefix("..").split(".")
    at: Any = template if above else template["Resources"]
    for step in parents:
        at = at[int(step) if isinstance(at, list) else step]
    if value is GONE:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return template


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """The findings (rule, place) by the number of the break, from one run; -1 is the unchanged template."""
    folder = tmp_path_factory.mktemp("templates")
    contents = {-1: TEMPLATE, **{number: changed(path, value) for number, (_, path, value) in enumerate(BREAKS)}}
    templates = []
    for number, content in contents.items():
        path = folder / f"{number}.json"
        path.write_text(json.dumps(content))
        templates.append(Template(str(number), "", path))
    found: Broken = defaultdict(set)
    for finding in guard.check(Subject(templates=templates)):
        stack, _, resource = finding.place.partition("/")
        found[int(stack)].add((finding.rule, resource))
        assert finding.message, f"{finding.rule} says nothing"
    return found


def test_a_template_that_keeps_the_rules_passes(broken: Broken) -> None:
    assert broken[-1] == set()


@pytest.mark.parametrize(("number", "rule", "path"), [(n, rule, path) for n, (rule, path, _) in enumerate(BREAKS)])
def test_a_break_is_found_by_its_rule_alone(broken: Broken, number: int, rule: str, path: str) -> None:
    place = "" if path.startswith("..") else path.partition(".")[0]
    assert broken[number] == {(rule, place)}


def test_every_rule_has_a_break() -> None:
    text = "".join(file.read_text() for file in guard.RULES.glob("*.guard"))
    rules = re.findall(r"^rule (\w+)", text, re.MULTILINE)
    assert len(rules) == len(set(rules)) >= 12
    assert {rule for rule, _, _ in BREAKS} == set(rules)
