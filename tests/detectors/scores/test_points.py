"""Points: the source's numbers (R4, R5), and that nothing bad ever pays."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scores.points import score_month
from domain.rules.scores import BLIND, PART_OF, ScoreSettings
from tests.detectors.scores.making import CENTRE, OCTOBER, case, finding

PLAIN = {"early": None, "shorter": None, "gaps": None}


def score(cases, findings=(), **settings):
    return score_month(cases, findings, OCTOBER, CENTRE, ScoreSettings(**(PLAIN | settings)))


def value(*arguments, **settings):
    return score(*arguments, **settings).value


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ((), 100),
        (("notice",), 100),
        (("notice", "notice"), 100),
        (("notice", "notice", "notice"), 97),
        (("notice",) * 6, 94),
        (("yellow",), 95),
        (("red",), 90),
        (("notice", "notice", "notice", "yellow", "red"), 82),
        (("red",) * 11, 0),
    ],
)
def test_the_municipal_measure(severities, expected):
    found = [finding(f"f{n}", severity, 20 + n / 10) for n, severity in enumerate(severities)]
    assert value([case("c1")], found) == expected


def test_warnings_in_a_row_are_broken_by_a_case_of_which_nothing_was_found():
    warned = [finding(f"f{n}", "notice", n, case=f"w{n}") for n in (10, 12, 14)]
    assert value([case("c9", stopped=20)], warned) == 97
    assert value([case("c9", stopped=13)], warned) == 100
    late = case("c9", stopped=13, late_entered=frozenset(("on_time",)))
    assert value([late], warned) == 97, "entered late, it breaks nothing"


def test_gaps_cost_a_point_for_each_full_percent_at_most_five():
    def with_gaps(lacking, whole):
        cases = [
            case(f"c{n}", gaps=frozenset(("window",) if n < lacking else ("staff",))) for n in range(whole)
        ]
        return value(cases, gaps={})

    assert [with_gaps(n, 200) for n in (0, 1, 2, 5, 20)] == [100, 100, 99, 98, 95]


def test_early_completions_bring_a_point_for_each_full_tenth():
    def early(number, whole=20, **more):
        cases = [case(f"c{n}", early=n < number, **more) for n in range(whole)]
        return value(cases, early={})

    assert [early(n) for n in (0, 1, 2, 5, 20)] == [100, 100, 101, 102, 110]
    assert early(20, late_entered=frozenset(("early",))) == 100
    cases = [case("c1", early=True)]
    assert value(cases, [finding("f", "yellow")], early={}) == 95, "what was found against is not early"


def test_shorter_promises():
    assert value([case("c1")], shorter={}) == 103, "7 instead of 10 days is 30 %"
    assert value([case("c1"), case("c2", item="B")], shorter={}) == 100, "10 % over both items"
    assert value([case("c1")], shorter={"percent": 10, "points": 3}) == 105


def test_no_case_no_figure_but_the_findings_are_listed():
    found = score([], [finding("f1", case=None)])
    assert found.value is None
    assert [(line.what, line.points) for line in found.lines] == [("time_limit.legal", -10)]
    assert value([case("c1", started=-40, stopped=-30, promised_due=None, legal_due=None)]) is None


def test_revoked_never_counts_and_appealed_is_marked_pending():
    red = finding("f1")
    assert value([case("c1")], [replace(red, revoked=True)]) == 100
    appealed = score([case("c1")], [replace(red, appealed=True), finding("f2", "yellow")])
    assert (appealed.value, appealed.if_revoked) == (85, 95)
    assert [(line.what, line.pending) for line in appealed.lines] == [
        ("time_limit.legal", 1),
        ("time_limit.promised", 0),
    ]


def test_parts_lose_no_more_than_they_hold():
    reds = [finding(f"f{n}") for n in range(5)]
    away = [finding(f"a{n}", rule="absence.red", case=None) for n in range(3)]
    assert value([case("c1")], reds, parts="municipal") == 86, "time holds 14"
    assert value([case("c1")], [*reds, *away], parts="municipal") == 76, "attitude holds 10"


def test_that_we_are_blind_costs_nobody_anything():
    dark = [
        finding(f"f{n}", severity, rule="source.silent", case=None)
        for n, severity in enumerate(("notice",) * 3 + ("red",))
    ]
    assert value([case("c1")], dark) == 100
    assert value([case("c1")], dark[3:], charges={"source": 2}) == 98


def test_every_family_of_the_rules_has_its_part():
    page = Path("docs/rules.md").read_text("utf-8")
    families = set(re.findall(r"^\| `([a-z_]+)\.[a-z_]+", page, re.MULTILINE))
    assert len(families) > 15
    assert families - BLIND <= set(PART_OF)


def test_other_charges_by_rule_or_family():
    found = [finding("f1"), finding("f2", "yellow", rule="absence.yellow", case=None)]
    assert value([case("c1")], found, charges={"absence": 1, "time_limit.legal": 20}) == 79


severity = st.sampled_from(("notice", "yellow", "red"))
rules = st.sampled_from((None, "absence.red", "fees.above", "unheard.of"))
settings = st.fixed_dictionaries(
    {},
    optional={
        "parts": st.just("municipal"),
        "warning_run": st.just({"length": 2, "points": 4}),
        "base": st.just(30),
    },
)


@st.composite
def months(draw):
    cases = [
        case(f"c{n}", 8, draw(st.none() | st.floats(8, 30)), early=draw(st.booleans()), gaps=draw(gap))
        for n in range(draw(st.integers(1, 5)))
    ]
    found = []
    for n in range(draw(st.integers(0, 8))):
        kind, rule = draw(severity), draw(rules)
        more = {} if rule is None else {"rule": rule}
        owner = draw(st.sampled_from([each.case for each in cases]))
        found.append(finding(f"f{n}", kind, draw(st.floats(2, 30)), case=owner, **more))
    return cases, found


gap = st.sampled_from((frozenset(), frozenset(("window",))))


@given(months(), settings, st.floats(2, 30), st.integers(0, 4), rules)
def test_a_red_never_raises_a_score(month, chosen, at, whose, rule):
    cases, found = month
    more = {} if rule is None else {"rule": rule}
    red = finding("new", "red", at, case=cases[whose % len(cases)].case, **more)
    made = ScoreSettings(**chosen)
    before = score_month(cases, found, OCTOBER, CENTRE, made).value
    assert score_month(cases, [*found, red], OCTOBER, CENTRE, made).value <= before


@given(months(), settings, st.integers(0, 7))
def test_revoking_never_lowers_a_score(month, chosen, which):
    cases, found = month
    if not found:
        return
    made, at = ScoreSettings(**chosen), which % len(found)
    before = score_month(cases, found, OCTOBER, CENTRE, made).value
    spared = [replace(each, revoked=True) if n == at else each for n, each in enumerate(found)]
    assert score_month(cases, spared, OCTOBER, CENTRE, made).value >= before
    appealed = [replace(each, appealed=True) if n == at else each for n, each in enumerate(found)]
    pending = score_month(cases, appealed, OCTOBER, CENTRE, made)
    assert pending.value == before
    assert pending.if_revoked == score_month(cases, spared, OCTOBER, CENTRE, made).value


@given(months(), settings, st.randoms())
def test_the_order_of_facts_changes_nothing(month, chosen, random):
    cases, found = month
    made = ScoreSettings(**chosen)
    before = score_month(cases, found, OCTOBER, CENTRE, made)
    random.shuffle(cases)
    random.shuffle(found)
    assert score_month(cases, found, OCTOBER, CENTRE, made) == before
