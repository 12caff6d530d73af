"""Write the evaluation report: report.json for programs, report.html for people, the curves as SVG files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import xgboost

from model.training.folders import write_atomically
from model.training.report.svg import bar_chart, line_chart

IMPORTANCE_TYPES = ("gain", "total_gain", "weight", "cover")
SHOWN_FEATURES = 20
STYLE = (
    "body{font-family:sans-serif;max-width:1010px;margin:2em auto;color:#333}"
    "td,th{text-align:left;padding:.15em 1.2em .15em 0}table{margin-bottom:1.5em}svg{margin:4px}"
)


def importance(booster: xgboost.Booster) -> dict[str, dict[str, float]]:
    """Return importances by feature, most total gain first. Features that no tree uses are absent."""
    by_type = {name: booster.get_score(importance_type=name) for name in IMPORTANCE_TYPES}
    order = sorted(by_type["total_gain"], key=lambda feature: -_plain(by_type["total_gain"][feature]))
    return {feature: {name: _plain(by_type[name][feature]) for name in IMPORTANCE_TYPES} for feature in order}


def _plain(value: float | list[float]) -> float:
    return float(sum(value)) if isinstance(value, list) else float(value)


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    pictures = _pictures(report)
    write_atomically(folder / "report.json", json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
    for name, picture in pictures.items():
        write_atomically(folder / f"{name}.svg", picture.encode())
    write_atomically(folder / "report.html", _page(report, pictures).encode())


def _pictures(report: Mapping[str, Any]) -> dict[str, str]:
    curves = report["evaluation"].get("curves", {})
    gains = {name: values["total_gain"] for name, values in list(report["importance"].items())[:SHOWN_FEATURES]}
    pictures = {}
    if "roc" in curves:
        pictures["roc"] = line_chart("ROC", "false positive rate", "recall", {"": curves["roc"]}, diagonal=True)
        pictures["pr"] = line_chart("Precision and recall", "recall", "precision", {"": curves["pr"]})
    if "calibration" in curves:
        pictures["calibration"] = line_chart(
            "Calibration", "predicted", "observed", {"": curves["calibration"]}, diagonal=True, dots=True
        )
    pictures["learning"] = _learning(report["rounds"])
    pictures["importance"] = bar_chart("Importance (total gain)", gains)
    return pictures


def _learning(rounds: list[dict[str, float | None]]) -> str:
    """Plot the metric of early stopping, round by round, on each data set."""
    metric = list(rounds[0])[-1].split("-", 1)[1]
    lines = {
        name.removesuffix(f"-{metric}"): [
            (number, float("nan") if scores[name] is None else float(scores[name] or 0))
            for number, scores in enumerate(rounds, 1)
        ]
        for name in rounds[0]
        if name.split("-", 1)[1] == metric
    }
    return line_chart("Learning", "round", metric, lines, unit=False)


def _page(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    evaluation = report["evaluation"]
    tables = {
        "Model": report["model"],
        f"Measured on {report['evaluated_on']}": evaluation["metrics"],
        "Cheapest threshold": evaluation.get("threshold", {}),
        "k-fold": {name: f"{value['mean']:.5g} ± {value['std']:.2g}" for name, value in report["kfold"].items()},
        "Hyperparameters": report["hyperparameters"],
    }
    body = "".join(f"<h2>{escape(title)}</h2>{_table(rows)}" for title, rows in tables.items() if rows)
    charts = "".join(pictures.values())
    note = f"<p>{escape(evaluation['note'])}</p>" if "note" in evaluation else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Training report</title><style>{STYLE}</style>'
        f"<h1>Training report</h1>{note}{charts}{body}</html>\n"
    )


def _table(rows: Mapping[str, Any]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(_shown(value))}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
