"""What a job prints: a line a round as the built-in algorithm does, and the best values at the end.

METRIC_DEFINITIONS are the regular expressions by which SageMaker reads them; {metric} is a name such as `auc`.
The first is the value of every round; the others appear once, so that a tuning job takes the best round's and not
the last's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NUMBER = r"([-+]?(?:[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|nan|inf))"
METRIC_DEFINITIONS = {
    "round:{channel}-{metric}": r".*\[[0-9]+\].*#011{channel}-{metric}:" + NUMBER + ".*",
    "{channel}:{metric}": r"^{channel}:{metric}=" + NUMBER,
    "kfold:{metric}": r"^kfold:{metric}=" + NUMBER,
    "kfold:{metric}-std": r"^kfold:{metric}-std=" + NUMBER,
}

Scores = dict[str, float]


def metric_definition(name: str, *, metric: str, channel: str = "validation") -> dict[str, str]:
    """One entry of a training job's MetricDefinitions."""
    fill = {"channel": re.escape(channel), "metric": re.escape(metric)}
    regex = METRIC_DEFINITIONS[name]
    for key, value in fill.items():
        regex = regex.replace("{" + key + "}", value)
    return {"Name": name.format(channel=channel, metric=metric), "Regex": regex}


def say(line: str) -> None:
    print(line, flush=True)


def scores_in(line: str) -> Scores:
    """`[3]\\ttrain-auc:0.9\\tvalidation-auc:0.8` of `Booster.eval_set`, by name."""
    pairs = (part.rsplit(":", 1) for part in line.split("\t")[1:])
    return {name: float(value) for name, value in pairs}


def say_round(number: int, scores: Scores) -> None:
    """A tab reaches CloudWatch as #011, which is what the built-in algorithm's metric definitions look for."""
    say("#011".join([f"[{number}]", *(f"{name}:{value:.6g}" for name, value in scores.items())]))


def say_best(channel: str, scores: Mapping[str, float]) -> None:
    for name, value in scores.items():
        if name.startswith(f"{channel}-"):
            say(f"{channel}:{name.removeprefix(f'{channel}-')}={value:.6g}")


def say_folds(summary: Mapping[str, Mapping[str, float]]) -> None:
    for metric, found in summary.items():
        say(f"kfold:{metric}={found['mean']:.6g}")
        say(f"kfold:{metric}-std={found['std']:.6g}")
