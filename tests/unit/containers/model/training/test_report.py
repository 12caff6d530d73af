from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from model.training.report.svg import HEIGHT, WIDTH, bar_chart, line_chart
from tests.unit.containers.model.training.conftest import Home, csv_of, table

SVG = "{http://www.w3.org/2000/svg}"


def points_of(picture: str) -> list[list[tuple[float, float]]]:
    lines = Xml.fromstring(picture).iter(f"{SVG}polyline")  # noqa: S314  our own text
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", line.get("points", ""))] for line in lines
    ]


def test_a_line_goes_where_its_points_are() -> None:
    (line,) = points_of(line_chart("t", "x", "y", {"": [(0, 0), (0.5, 1), (1, 0)]}))
    (left, low), (middle, high), (right, end) = line
    assert 0 < left < middle < right < WIDTH
    assert middle - left == pytest.approx(right - middle, abs=0.2)
    assert 0 < high < low == end < HEIGHT


def test_axes_fit_the_points_and_gaps_are_left_out() -> None:
    picture = line_chart("t", "x", "y", {"a": [(1, 5), (2, float("nan")), (3, 7)], "b": [(1, 6), (3, 6)]}, unit=False)
    first, second = points_of(picture)
    assert len(first) == 2
    assert first[0][1] > second[0][1] > first[1][1]
    flat = points_of(line_chart("t", "x", "y", {"a": [(1, 5)]}, unit=False))
    assert np.isfinite(flat[0]).all()


def test_bars_are_as_long_as_their_values() -> None:
    picture = Xml.fromstring(bar_chart("t", {"a<b & c": 4.0, "d": 1.0, "e": 0.0}))  # noqa: S314  our own text
    widths = [float(bar.get("width", "")) for bar in picture.iter(f"{SVG}rect")][1:]
    assert widths[0] == pytest.approx(4 * widths[1], abs=0.3)
    assert widths[2] == 0
    assert "a<b & c" in {text.text for text in picture.iter(f"{SVG}text")}


def test_a_report_has_all_its_parts(ready: Home) -> None:
    ready.put("train", csv_of(table(), "label,<b>age</b>,b,c,d"))
    ready.order(cost_false_negative="5")
    assert ready.train() == 0
    folder = ready.root / "output" / "data"
    assert {path.name for path in folder.iterdir()} == {
        *("report.json", "report.html", "roc.svg", "pr.svg", "calibration.svg", "learning.svg", "importance.svg")
    }
    for path in folder.glob("*.svg"):
        assert Xml.fromstring(path.read_text()).tag == f"{SVG}svg"  # noqa: S314  our own text
    page = (folder / "report.html").read_text()
    assert "<b>age" not in page
    assert page.count("<svg") == 5
    assert {"auc", "pr_auc", "f1", "log_loss", "brier", "calibration_error"} <= set(
        ready.report["evaluation"]["metrics"]
    )
    assert ready.report["evaluation"]["threshold"]["cost_false_negative"] == 5
    assert ready.report["evaluated_on"] == "validation"
    assert ready.report["model"]["rows"] == {"train": 400, "validation": 200}


def test_importance_names_the_columns_that_matter(ready: Home) -> None:
    assert ready.train() == 0
    assert list(ready.report["importance"])[:2] == ["f0", "f1"] or list(ready.report["importance"])[:2] == ["f1", "f0"]
    gains = [kinds["total_gain"] for kinds in ready.report["importance"].values()]
    assert gains == sorted(gains, reverse=True)


def test_curves_begin_and_end_where_they_must(ready: Home) -> None:
    assert ready.train() == 0
    curves = ready.report["evaluation"]["curves"]
    assert (curves["roc"][0], curves["roc"][-1]) == ([0, 0], [1, 1])
    assert curves["pr"][-1][0] == 1
    assert len(curves["roc"]) <= 203
    area = np.trapezoid([point[1] for point in curves["roc"]], [point[0] for point in curves["roc"]])
    assert area == pytest.approx(ready.report["evaluation"]["metrics"]["auc"], abs=0.01)


def test_a_report_on_the_training_rows_warns_that_it_overestimates(home: Home) -> None:
    home.put("train", csv_of(table()))
    home.order(objective="reg:squarederror")
    assert home.train() == 0
    assert home.report["evaluated_on"].startswith("train, which overestimates the model")
    assert set(home.report["evaluation"]["metrics"]) == {"rmse", "mae", "bias", "r2"}


def test_a_single_leaf_has_no_importance_and_still_a_report(home: Home, tmp_path: Path) -> None:
    home.put("train", "0,1\n1,1\n" * 20)
    home.order(num_round="1")
    assert home.train() == 0
    assert home.report["importance"] == {}
