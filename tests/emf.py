"""Reads a log line as CloudWatch does: is it in the embedded metric format, and which metrics does it contain?

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Fails for lines that CloudWatch would drop silently.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

UNITS = {"Count", "Bytes", "Seconds", "Milliseconds"}
MOST_BYTES = 256 * 1024
MOST_VALUES = MOST_METRICS = 100
MOST_DIMENSIONS = 30


def metrics_of(line: str) -> dict[str, list[float]]:
    """The values by metric; empty for an ordinary line. Fails if CloudWatch would refuse the line."""
    assert len(line.encode()) <= MOST_BYTES
    entry = json.loads(line)
    if "_aws" not in entry:
        return {}
    aws = entry["_aws"]
    assert set(aws) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(aws["Timestamp"], int)
    assert aws["Timestamp"] > 1_500_000_000_000, "milliseconds since 1970"
    return {name: values for directive in aws["CloudWatchMetrics"] for name, values in _values(directive, entry)}


def _values(directive: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterable[tuple[str, list[float]]]:
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == "Dropscore"
    for dimensions in directive["Dimensions"]:
        assert 0 < len(dimensions) <= MOST_DIMENSIONS
        assert all(isinstance(entry[name], str) and entry[name] for name in dimensions)
    assert 0 < len(directive["Metrics"]) <= MOST_METRICS
    for metric in directive["Metrics"]:
        assert set(metric) == {"Name", "Unit"}
        assert metric["Unit"] in UNITS
        values = entry[metric["Name"]]
        listed = values if isinstance(values, list) else [values]
        assert 0 < len(listed) <= MOST_VALUES
        assert all(isinstance(value, int | float) for value in listed)
        yield metric["Name"], [float(value) for value in listed]


def totals(lines: Iterable[str]) -> Counter[str]:
    """The sum of each metric over many lines."""
    total: Counter[str] = Counter()
    for line in lines:
        total.update({name: sum(values) for name, values in metrics_of(line).items()})
    return total
