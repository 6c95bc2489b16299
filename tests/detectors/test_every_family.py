"""What holds for every family of subjects, whoever it is: found by walking the registry, so that a new one is held to it too."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.case_families import JUDGES, UNENTERED
from detectors.families import FAMILIES
from detectors.family import cut
from domain.centre import CASE_FAMILIES
from domain.events import GROUNDS
from tests.detectors import test_family_properties
from tests.detectors.making import at, centre
from tests.detectors.subjects import check_look_at, check_set_only, grounds, said

START, NOW = at("03-02 00:00"), at("2026-12-31 12:00")
RULES = centre(
    rules={name: {} for name in sorted({family.name for family in FAMILIES})},
    people=[{"id": "p1", "name": "张三"}],
    windows=[{"id": "A01", "staff": ["p1"], "ticket_machine": True}, {"id": "A02"}],
)
#: Data without which an event is refused, and by which it names its subject.
NAMES = {
    "rating": "r1", "complaint": "k1", "commission": "m1", "tender": "t1", "certificate_no": "z1", "ticket": "q1",
}  # fmt: skip
DATA = {
    "leave.granted": {"from_": "2026-03-03", "to": "2026-03-05"},
    "rating.given": {"level": 4},
    "fee.charged": {"amount": 5},
    "case.decided": {"result": "granted"},
    "case.extended": {"days": 3},
    "case.stage_started": {"stage": "s"},
    "case.stage_finished": {"stage": "s"},
    "case.suspended": {"ground": min(GROUNDS)},
}
#: What some families read, and others do not mind.
MORE = {
    "bidder": ("b1", "b2", "b3"), "price": (100, 100.05, 200), "ip": ("1.2.3.4", "5.6.7.8"), "unit": ("working_day", "calendar_day"),
    "days": (1, 5), "approver": ("z", None), "reason": ("x", None), "result": ("upheld", "dismissed"), "channel": ("online", "phone"),
    "level": (1, 3, 5), "basis": ("x", None), "designated": (True, False), "terminal": ("t", None), "department": ("a", "b"),
}  # fmt: skip


def one(family, number, choice, night):
    kind = choice.choice(sorted(family.kinds))
    moment = START + timedelta(minutes=15 * choice.randrange(4 * 24 * 100))
    data = {**NAMES, "bidder": "b1"}
    for name, values in MORE.items():
        if choice.random() < 0.4:
            data[name] = choice.choice(values)
    if not kind.startswith("commission."):
        data.pop("unit", None)
    if not kind.startswith("bid."):
        data.pop("result", None)
    if kind.startswith("leave."):
        day = moment + timedelta(days=choice.randint(-3, 3))
        data |= {"from_": day.isoformat(), "to": (day + timedelta(hours=choice.randint(1, 60))).isoformat()}
    data |= {name: value for name, value in DATA.get(kind, {}).items() if kind != "leave.granted"}
    case = None if family.subject in ("fee", "ticket", "certificate") else f"c{choice.choice((1, 2, number))}"
    made = said(kind, moment, id=f"e{number}", staff="p1", window="A01", case=case, item="A", **data)
    # Some histories were keyed in during one night.
    entered = (
        moment + timedelta(hours=choice.choice((0, 9, 30)))
        if night is None
        else night + timedelta(minutes=number)
    )
    return made if choice.random() < 0.3 else replace(made, entered_at=entered)


def history(family, seed):
    """Events of one subject: those of the name that most of them have."""
    choice = random.Random(seed)
    by_name = {}
    night = None if choice.random() < 0.7 else START + timedelta(days=choice.randint(0, 100), hours=22)
    for number in range(choice.randint(1, 10)):
        each = one(family, number, choice, night)
        name = family.name_of(each, RULES)
        if name is not None:
            by_name.setdefault(name, []).append(each)
    return max(by_name.items(), key=lambda item: (len(item[1]), item[0]), default=("x", []))


def histories(family):
    return st.integers(0, 10**6).map(lambda seed: history(family, seed))


quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.subject)
moments = st.integers(0, 4 * 24 * 140).map(lambda q: START + timedelta(minutes=15 * q))


@each_family
@quick
@given(st.data())
def test_any_order_any_duplicates_and_nothing_before_look_at(family, data):
    name, events = data.draw(histories(family))
    now = data.draw(moments)
    check_set_only(family, name, events, RULES, now, data.draw(st.integers(0, 99)))
    check_look_at(family, name, events, RULES, now, data.draw(st.floats(0, 1)))


@each_family
@quick
@given(st.data())
def test_findings_hold_together_and_say_on_what_grounds(family, data):
    name, events = data.draw(histories(family))
    verdict = family.ask(name, events, RULES, NOW)
    assert len({f.finding_id for f in verdict.findings}) == len(verdict.findings)
    for finding in verdict.findings:
        assert (finding.state == "open") == (finding.closed_at is None)
        assert finding.closed_at is None or finding.closed_at >= finding.opened_at
        assert finding.opened_at <= NOW
        assert finding.explain["articles"]
        json.dumps(finding.explain)


@each_family
def test_some_history_of_it_is_found_fault_with(family):
    """Or the properties above would hold of nothing."""
    drawn = (history(family, seed) for seed in range(400))
    assert any(family.judge(name, events, RULES, NOW).findings for name, events in drawn)


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each.back], ids=lambda family: family.subject
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_look_back_changes_nothing_that_is_found_since(family, data):
    name, events = data.draw(histories(family))
    now = data.draw(moments)
    since = data.draw(moments)
    calendar = RULES.working_time
    since = calendar.day_start(calendar.local_date(min(since, now)))
    whole = family.judge(name, events, RULES, now)
    less = family.judge(name, cut(events, family, since), RULES, now)

    def later(verdict):
        return [row for row in grounds(verdict) if row[2] > since]

    assert later(less) == later(whole)
    assert (less.look_at, less.status) == (whole.look_at, whole.status)


def test_every_family_of_cases_is_held_to_the_same():
    """Families about cases are judged together: tests/detectors/test_family_properties.py has all of them on."""
    assert set(JUDGES) == set(CASE_FAMILIES)
    assert set(UNENTERED) <= set(JUDGES)
    for rules in (test_family_properties.LAW, test_family_properties.HUNAN):
        assert all(getattr(rules.rules, name) is not None for name in JUDGES)
