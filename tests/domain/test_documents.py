"""docs/events.md and docs/rules.md say what the program knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.events import CASE_KINDS, KINDS, OTHER_KINDS
from domain.rule_names import NAMES, rule_name
from domain.rules.trading import TRAITS

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


PEOPLE = re.compile(
    r'"((?:rating|complaint|staffing|attendance|commission|calendar|rule|camera)\.[a-z_]*[a-z])"'
)


@pytest.mark.parametrize(
    "module", ["ratings", "complaints", "staffing", "head_count", "attendance", "intermediaries", "blind"]
)
def test_every_rule_about_people_and_sources_is_documented(module):
    source = (DOCS.parent / "detectors" / f"{module}.py").read_text("utf-8")
    rules = set(PEOPLE.findall(source)) - KINDS
    assert rules
    assert rules <= first_cells("rules.md")


TRUTH = re.compile(r'"((?:fees|both_doors|truthfulness)\.[a-z_]+)"')


@pytest.mark.parametrize(
    "module", ["fees", "both_doors", "late_entry", "stamped", "truthfulness", "entry_batches"]
)
def test_every_rule_about_fees_doors_and_truth_is_documented(module):
    source = (DOCS.parent / "detectors" / f"{module}.py").read_text("utf-8")
    rules = set(TRUTH.findall(source))
    assert rules
    assert rules <= first_cells("rules.md")


def test_every_sign_of_collusion_is_documented():
    signs = {f"bid.same_{trait}" for trait in TRAITS} | {"bid.price_near", "bid.price_regular"}
    assert signs == {name for name in first_cells("rules.md") if name.startswith("bid.")}


def test_every_rule_has_a_name_in_both_languages_and_no_other_has():
    text = (DOCS / "rules.md").read_text("utf-8")
    rows = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}
    extra = {
        "absence.notice",
        "absence.yellow",
        "absence.red",
        "source.silent",
    }  # always on, told of in the text
    shortened = {"pre_acceptance.yellow", "pre_acceptance.red"}
    assert set(NAMES) == listed | extra | shortened
    assert all(zh.strip() and en.strip() for zh, en in NAMES.values())
    assert rule_name("bid.price_near", "zh") == "投标报价异常接近"
    assert rule_name("bid.price_near", "en") == "prices abnormally alike"
    assert rule_name("unheard.of", "zh") == "unheard.of"
