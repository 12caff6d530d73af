"""Properties that the emulator does not understand, said in words that it does; what is lost by that is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local.deployment.catalog import UNKNOWN_CONDITIONS

Resources = Mapping[str, Any]


def in_plain_words(stack: str, resources: Resources) -> Iterator[str]:
    """Changes `resources`; one readable line for each change."""
    yield from _without_unknown_conditions(stack, resources)
    yield from _without_metric_math(stack, resources)


def _without_unknown_conditions(stack: str, resources: Resources) -> Iterator[str]:
    """Of permissions only: a prohibition under a condition that is never met prohibits nothing here anyway."""
    for key, resource in resources.items():
        for statement in resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", []):
            asked = statement.get("Condition", {}) if statement["Effect"] == "Allow" else {}
            unknown = sorted(UNKNOWN_CONDITIONS & {name for test in asked.values() for name in test})
            if unknown:
                known = {how: {name: test[name] for name in test if name not in unknown} for how, test in asked.items()}
                statement["Condition"] = {how: test for how, test in known.items() if test}
                yield f"{stack}/{key}: the conditions {' and '.join(unknown)} of a permission"


def _without_metric_math(stack: str, resources: Resources) -> Iterator[str]:
    """The alarm stays, for others refer to it, on the first of its metrics; it tells nobody anything."""
    for key, resource in resources.items():
        if resource["Type"] != "AWS::CloudWatch::Alarm" or "Metrics" not in resource["Properties"]:
            continue
        measured = next(each["MetricStat"] for each in resource["Properties"].pop("Metrics") if "MetricStat" in each)
        metric = {name: measured["Metric"][name] for name in ("Namespace", "MetricName")}
        resource["Properties"] |= {**metric, "Statistic": "Sum", "Period": 60, "ActionsEnabled": False}
        yield f"{stack}/{key}: the alarm's metric math"
