"""Progress of a job: what it prints, and whether it should stop.

It prints a line per round, as the built-in algorithm does, and the best values at the end. METRIC_DEFINITIONS are the
regular expressions by which SageMaker reads them; {metric} is a name such as `auc`. The first is the value of every
round; the others appear once, so that a tuning job uses the best round's value and not the last round's.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

NUMBER = r"([-+]?(?:[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|nan|inf))"
METRIC_DEFINITIONS = {
    "round:{channel}-{metric}": r".*\[[0-9]+\].*#011{channel}-{metric}:" + NUMBER + ".*",
    "{channel}:{metric}": r"^{channel}:{metric}=" + NUMBER,
    "kfold:{metric}": r"^kfold:{metric}=" + NUMBER,
    "kfold:{metric}-std": r"^kfold:{metric}-std=" + NUMBER,
}

Scores = dict[str, float]


class Stop:
    """Set by SIGTERM: SageMaker stops a job, or reclaims a spot instance, with 120 s of grace."""

    def __init__(self) -> None:
        self.is_requested = False

    def request(self, *_: object) -> None:
        self.is_requested = True

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self.request)


def metric_definition(name: str, *, metric: str, channel: str = "validation") -> dict[str, str]:
    """Return one entry of a training job's MetricDefinitions."""
    fill = {"channel": re.escape(channel), "metric": re.escape(metric)}
    regex = METRIC_DEFINITIONS[name]
    for key, value in fill.items():
        regex = regex.replace("{" + key + "}", value)
    return {"Name": name.format(channel=channel, metric=metric), "Regex": regex}


def print_line(line: str) -> None:
    print(line, flush=True)


def scores_in(line: str) -> Scores:
    """Parse a line of `Booster.eval_set`, such as `[3]\\ttrain-auc:0.9\\tvalidation-auc:0.8`."""
    pairs = (part.rsplit(":", 1) for part in line.split("\t")[1:])
    return {name: float(value) for name, value in pairs}


def print_round(number: int, scores: Scores) -> None:
    """Print a tab as #011: the built-in algorithm's tabs reach CloudWatch so, and its metric definitions expect it."""
    print_line("#011".join([f"[{number}]", *(f"{name}:{value:.6g}" for name, value in scores.items())]))


def print_best(channel: str, scores: Mapping[str, float]) -> None:
    for name, value in scores.items():
        if name.startswith(f"{channel}-"):
            print_line(f"{channel}:{name.removeprefix(f'{channel}-')}={value:.6g}")


def print_folds(summary: Mapping[str, Mapping[str, float]]) -> None:
    for metric, found in summary.items():
        print_line(f"kfold:{metric}={found['mean']:.6g}")
        print_line(f"kfold:{metric}-std={found['std']:.6g}")
