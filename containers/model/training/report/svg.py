"""Draw line and bar charts as SVG text, to avoid a plotting library of 40 MB."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Point = Sequence[float]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 360, 84, 20, 36, 52
COLORS = ("#1f6f8b", "#c8553d", "#5b8c3a", "#7d5ba6")
GREY, INK = "#cccccc", "#333333"


def line_chart(
    title: str,
    across: str,
    up: str,
    lines: Mapping[str, Sequence[Point]],
    *,
    diagonal: bool = False,
    dots: bool = False,
    unit: bool = True,
) -> str:
    """Return an SVG. `unit` fixes both axes to 0…1; otherwise they fit the points."""
    points = [point for line in lines.values() for point in line if math.isfinite(point[1])]
    span_x = (0.0, 1.0) if unit else _span([point[0] for point in points])
    span_y = (0.0, 1.0) if unit else _span([point[1] for point in points])
    body = [*_frame(across, up, span_x, span_y)]
    if diagonal:
        body.append(_path([(0, 0), (1, 1)], span_x, span_y, GREY, dashed=True))
    for color, (name, line) in zip(COLORS, lines.items(), strict=False):
        finite = [point for point in line if math.isfinite(point[1])]
        body.append(_path(finite, span_x, span_y, color))
        body += [_dot(point, span_x, span_y, color) for point in finite] if dots else []
        if len(lines) > 1:
            at = TOP + 14 * (1 + list(lines).index(name))
            body.append(_text(WIDTH - RIGHT - 8, at, name, anchor="end", color=color))
    return _picture(title, HEIGHT, body)


def bar_chart(title: str, bars: Mapping[str, float]) -> str:
    """Return an SVG of horizontal bars, the first on top; lengths are relative to the longest."""
    row, label = 20, 150
    longest = max(bars.values(), default=0) or 1
    body = []
    for number, (name, value) in enumerate(bars.items()):
        top = TOP + number * row
        length = max(0.0, value / longest) * (WIDTH - label - 80)
        body.append(_text(label - 6, top + 13, name if len(name) <= 22 else name[:21] + "…", anchor="end"))
        body.append(f'<rect x="{label}" y="{top + 2}" width="{length:.1f}" height="{row - 6}" fill="{COLORS[0]}"/>')
        body.append(_text(label + length + 6, top + 13, f"{value:.4g}"))
    return _picture(title, TOP + max(1, len(bars)) * row + 10, body)


def _picture(title: str, height: int, body: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
    )
    background = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, background, _text(WIDTH / 2, 20, title, anchor="middle"), *body, "</svg>"]) + "\n"


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _frame(across: str, up: str, span_x: Point, span_y: Point) -> list[str]:
    parts = []
    for step in range(6):
        x, y = (low + (high - low) * step / 5 for low, high in (span_x, span_y))
        at_x, at_y = _place((x, y), span_x, span_y)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y:.1f}" y2="{at_y:.1f}" stroke="#eeeeee"/>')
        parts.append(_text(at_x, HEIGHT - BOTTOM + 16, f"{x:.3g}", anchor="middle"))
        parts.append(_text(LEFT - 6, at_y + 4, f"{y:.3g}", anchor="end"))
    box = f'width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    parts.append(f'<rect x="{LEFT}" y="{TOP}" {box} fill="none" stroke="{GREY}"/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across, anchor="middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<g transform="rotate(-90 16 {middle})">{_text(16, middle, up, anchor="middle")}</g>')
    return parts


def _place(point: Point, span_x: Point, span_y: Point) -> tuple[float, float]:
    share_x = (point[0] - span_x[0]) / (span_x[1] - span_x[0])
    share_y = (point[1] - span_y[0]) / (span_y[1] - span_y[0])
    return LEFT + share_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share_y * (HEIGHT - TOP - BOTTOM)


def _path(points: Sequence[Point], span_x: Point, span_y: Point, color: str, *, dashed: bool = False) -> str:
    places = (_place(point, span_x, span_y) for point in points)
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="2"{dashes}/>'


def _dot(point: Point, span_x: Point, span_y: Point, color: str) -> str:
    x, y = _place(point, span_x, span_y)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", color: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'
