"""What the benchmarks leave: one form, goals that are met or missed, a page that shows both; every part can be asked."""

from __future__ import annotations

import importlib
import re

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.figure import Figure, read_figures, write_figures
from benchmarks.page import render
from tests.conftest import ROOT

SLOW = Figure("raw <rows>", 250.0, "ms", parameters={"windows": 3})
QUICK = Figure(
    "whole way", 2500.0, "events/s", "bare agent", 0.61, ">= 0.5", x="events", parameters={"events": 1000}
)


@pytest.mark.parametrize(
    ("value", "ratio", "goal", "reached"),
    [
        (90.0, None, "<= 100", True),
        (101.0, None, "<= 100", False),
        (9.0, 0.5, ">= 0.5", True),
        (9.0, 0.49, ">= 0.5", False),
        (9.0, 0.49, None, None),
    ],
)
def test_a_goal_bounds_the_ratio_or_else_the_value(value, ratio, goal, reached):
    assert Figure("f", value, "ms", "other", ratio, goal).reached is reached


def test_a_goal_nobody_can_check_is_refused():
    with pytest.raises(ValueError, match="expected"):
        _ = Figure("f", 1.0, "ms", goal="about 3").reached


def test_what_is_written_is_read(tmp_path, capsys):
    write_figures(tmp_path / "f.json", [SLOW, QUICK])
    assert read_figures(tmp_path / "f.json") == [SLOW, QUICK]
    assert "0.61 × bare agent [goal >= 0.5: reached]" in capsys.readouterr().out


def test_the_page_shows_figures_goals_and_plots_and_loads_nothing_from_elsewhere():
    page = render({"processor": "2 cores"}, [("A part", "python -m benchmarks.x", [SLOW, QUICK])])
    assert "raw &lt;rows&gt;" in page
    assert '<td class="reached">&gt;= 0.5: reached</td>' in page
    assert page.count("Plotly.newPlot(") >= 2
    assert not re.search(r"<script[^>]+src=|<link", page)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_is_a_benchmark_that_knows_the_options_it_is_given(part):
    module = importlib.import_module(f"benchmarks.{part.module}")
    assert module.main
    source = (ROOT / "benchmarks" / f"{part.module}.py").read_text("utf-8")
    for word in ["--json", *(each for each in part.command(1) if each.startswith("--"))]:
        assert f'"{word}"' in source, word
