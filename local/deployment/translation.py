"""Replaces template properties that the emulator does not support, and lists what is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local.deployment.catalog import UNKNOWN_CONDITIONS

Resources = Mapping[str, Any]


def translate(stack: str, resources: Resources) -> Iterator[str]:
    """Change `resources` in place; yields one readable line for each change."""
    yield from _without_unknown_conditions(stack, resources)
    yield from _without_metric_math(stack, resources)


def _without_unknown_conditions(stack: str, resources: Resources) -> Iterator[str]:
    """Remove unsupported conditions from Allow statements; a Deny with such a condition never applies anyway."""
    for key, resource in resources.items():
        for statement in resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", []):
            conditions = statement.get("Condition", {}) if statement["Effect"] == "Allow" else {}
            unknown = sorted(UNKNOWN_CONDITIONS & {name for test in conditions.values() for name in test})
            if unknown:
                kept = {
                    operator: {name: test[name] for name in test if name not in unknown}
                    for operator, test in conditions.items()
                }
                statement["Condition"] = {operator: test for operator, test in kept.items() if test}
                yield f"{stack}/{key}: the conditions {' and '.join(unknown)} of a permission"


def _without_metric_math(stack: str, resources: Resources) -> Iterator[str]:
    """Replace metric math with its first metric and no actions: other resources refer to the alarm."""
    for key, resource in resources.items():
        if resource["Type"] != "AWS::CloudWatch::Alarm" or "Metrics" not in resource["Properties"]:
            continue
        measured = next(entry["MetricStat"] for entry in resource["Properties"].pop("Metrics") if "MetricStat" in entry)
        metric = {name: measured["Metric"][name] for name in ("Namespace", "MetricName")}
        resource["Properties"] |= {**metric, "Statistic": "Sum", "Period": 60, "ActionsEnabled": False}
        yield f"{stack}/{key}: the alarm's metric math"
