"""Writes docs/cost.md and the README's cost table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stacks.settings import Settings
from stacks.settings.sections import NetworkSettings
from stacks.settings.workers import WorkerSettings
from tools.cost.idle import Prices, idle
from tools.cost.million import million
from tools.cost.templates import Configuration, synthesize

TEXT = Path(__file__).with_name("page.md")
NETWORKED = ("VPC interface endpoints", "NAT gateways", "public addresses")
MODES, COMPUTES, ZONES = ("endpoints", "nat"), ("fargate", "ec2"), (1, 2, 3)


def page(typical: str, choices: str, prices: Prices) -> str:
    return TEXT.read_text().format(typical=typical, choices=choices, **prices)


def table(configurations: Sequence[Configuration], prices: Prices) -> str:
    """The idle cost and the cost of a million rows, a column per configuration."""
    return "\n".join(
        [
            _line("", [configuration.title for configuration in configurations]),
            "|---|" + "---|" * len(configurations),
            *_rows([idle(configuration, prices) for configuration in configurations], "idle, a month", 2),
            *_rows([million(configuration, prices) for configuration in configurations], "a million rows, on top", 4),
        ]
    )


def choices(settings: Settings, prices: Prices) -> str:
    """The hourly network cost by network mode, worker compute and number of zones."""
    lines = [_line("network, workers", [f"{zones} zone{'s' * (zones > 1)}" for zones in ZONES])]
    lines.append("|---|" + "---|" * len(ZONES))
    for mode in MODES:
        for compute in COMPUTES:
            hourly = [_network(settings, prices, mode, compute, zones) for zones in ZONES]
            lines.append(_line(f'`"{mode}"`, `"{compute}"`', [f"${dollars:.3f}" for dollars in hourly]))
    return "\n".join(lines)


def _network(settings: Settings, prices: Prices, mode: str, compute: str, zones: int) -> float:
    network = NetworkSettings.model_validate({"mode": mode, "max_azs": zones})
    worker = WorkerSettings.model_validate({"compute": compute})
    changed = settings.model_copy(update={"network": network, "worker": worker})
    monthly = idle(synthesize("", changed), prices)
    return sum(monthly.get(name, 0.0) for name in NETWORKED) / float(prices["assumed"]["hours_a_month"])


def _rows(columns: Sequence[Mapping[str, float]], total: str, digits: int) -> list[str]:
    names = dict.fromkeys(name for column in columns for name in column)
    lines = [_line(name, [f"${column.get(name, 0.0):,.{digits}f}" for column in columns]) for name in names]
    sums = [f"**${sum(column.values()):,.{digits}f}**" for column in columns]
    return [*lines, _line(f"**{total}**", sums)]


def _line(first: str, rest: Sequence[str]) -> str:
    return " | ".join([f"| {first}", *rest]) + " |"
