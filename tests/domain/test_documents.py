"""docs/events.md and docs/rules.md say what the program knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.events import CASE_KINDS, KINDS, OTHER_KINDS

DOCS = Path(__file__).parents[2] / "docs"
RULE = re.compile(r'"((?:time_limit|stage|acceptance|suspension|extension|delivery|parallel|lower_review|immediate|'
                  r'deemed_approval|licence|procedure)\.[a-z_]+)"')  # fmt: skip


def first_cells(page):
    """Everything in backticks in the first cell of the rows of its tables."""
    rows = re.findall(r"^\|([^|]*)\|", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_kind_of_event_is_documented_and_no_other():
    assert first_cells("events.md") == set(KINDS)
    assert len(KINDS) == len(CASE_KINDS) + len(OTHER_KINDS)


@pytest.mark.parametrize(
    "module",
    [
        "time_limit", "stages", "acceptance", "suspension", "course", "delivery", "hunan", "parallel", "lower_review",
        "immediate", "deemed_approval", "licence", "extension_limits", "procedure", "stage_order",
    ],
)  # fmt: skip
def test_every_rule_about_a_cases_time_and_procedure_is_documented(module):
    source = (DOCS.parent / "detectors" / f"{module}.py").read_text("utf-8")
    rules = set(RULE.findall(source))
    assert rules
    assert rules <= first_cells("rules.md")
