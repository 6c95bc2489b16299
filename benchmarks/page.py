"""The page with plots: what was measured in one run, its ratios and whether the goals are met. It opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from benchmarks.figure import Figure

_STYLE = """
body { font: 16px/1.5 "Noto Sans CJK SC", system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-bottom: 2px solid #1b1f24 } pre { background: #f3f4f6; padding: .6rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d0d7de }
td.number { text-align: right; font-variant-numeric: tabular-nums } .reached { color: #0a6b2d } .missed { color: #a40e26; font-weight: 700 }
"""


def render(machine: Mapping[str, str], parts: Sequence[tuple[str, str, Sequence[Figure]]]) -> str:
    """The page as HTML.

    Args:
        machine: what it was measured on, by name.
        parts: (title, command that repeats it, its figures).
    """
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in machine.items()
    )
    body = "".join(_part(*part) for part in parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Mingjing: figures</title><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script><h1>明镜 Mingjing: figures of one run</h1><table>{facts}</table>{body}</html>"
    )


def _part(title: str, command: str, figures: Sequence[Figure]) -> str:
    rows = "".join(_row(figure) for figure in figures)
    head = "<tr><th>figure</th><th>load</th><th>value</th><th>beside</th><th>ratio</th><th>goal</th></tr>"
    return f"<h2>{escape(title)}</h2><pre>{escape(command)}</pre><table>{head}{rows}</table>{_plots(figures)}"


def _row(figure: Figure) -> str:
    load = ", ".join(f"{name} {_number(value)}" for name, value in figure.parameters.items())
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    state = {True: "reached", False: "missed", None: ""}[figure.reached]
    goal = "" if figure.goal is None else f"{figure.goal}: {state}"
    return (
        f"<tr><td>{escape(figure.name)}{' · ' + escape(figure.series) if figure.series else ''}</td><td>{escape(load)}</td>"
        f'<td class="number">{_number(figure.value)} {escape(figure.unit)}</td><td>{escape(figure.beside or "")}</td>'
        f'<td class="number">{ratio}</td><td class="{state}">{escape(goal)}</td></tr>'
    )


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _plots(figures: Sequence[Figure]) -> str:
    """A line over its parameter for figures that name one; bars for the others, those of one unit together."""
    lines = sorted((f for f in figures if f.x is not None), key=lambda f: (f.unit, f.x or ""))
    plots = []
    for (unit, x), group in groupby(lines, key=lambda f: (f.unit, f.x or "")):
        plot = go.Figure()
        by_line: dict[str, list[Figure]] = {}
        for figure in group:
            by_line.setdefault(" · ".join(filter(None, (figure.name, figure.series))), []).append(figure)
        for name, points in by_line.items():
            points.sort(key=lambda f: float(f.parameters[x]))
            xs, ys = [f.parameters[x] for f in points], [f.value for f in points]
            plot.add_trace(go.Scatter(x=xs, y=ys, name=name, mode="lines+markers"))
        plot.update_xaxes(title=x, type="log")
        plot.update_yaxes(title=unit, rangemode="tozero")
        plots.append(_html(plot))
    bars = sorted((f for f in figures if f.x is None), key=lambda f: f.unit)
    for unit, group in groupby(bars, key=lambda f: f.unit):
        shown = list(group)
        labels = [
            " · ".join(filter(None, (f.name, f.series, *map(_number, f.parameters.values())))) for f in shown
        ]
        plot = go.Figure(go.Bar(x=[f.value for f in shown], y=labels, orientation="h"))
        plot.update_xaxes(title=unit)
        plot.update_yaxes(autorange="reversed", automargin=True)
        plot.update_layout(height=140 + 34 * len(shown))
        plots.append(_html(plot))
    return "".join(plots)


def _html(plot: go.Figure) -> str:
    plot.update_layout(
        margin={"t": 20, "r": 20}, template="plotly_white", legend={"orientation": "h", "y": 1.15}
    )
    return str(plot.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False}))
