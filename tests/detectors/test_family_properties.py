"""What must hold for every case with all case families on at once: order, duplicates, look_at, suspensions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.case_families import JUDGES
from detectors.cases import judge_case
from domain.events import GROUNDS
from tests.detectors.making import at, centre, event

BASE, NOW = at("02-09 08:00"), at("2027-02-01 12:00")
ITEMS = [
    {
        "code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 5}, "supplement_limit": 5,
        "delivery_limit": 10, "stages": {"check": {"days": 2}, "sign": {"days": 1}}, "materials": ["form"],
        "deemed_approval": {"limit": "promised"}, "lower_review": {"days": 3, "stage": "check"}, "licence": True,
    },
    {"code": "P", "case_type": "parallel", "agencies": {"fire": 3}, "legal_limit": {"days": 60}},
    {"code": "I", "case_type": "immediate", "legal_limit": {"days": 15, "unit": "calendar_day"}},
]  # fmt: skip
FAMILIES = {f"rules__{name}": {} for name in JUDGES}
LAW = centre(items=ITEMS, **FAMILIES)
HUNAN = centre(items=ITEMS, rules__time_limit={"profile": "hunan-2018"}, **FAMILIES)
OFF = centre(items=ITEMS)
KINDS = (
    "received", "supplement_requested", "supplement_received", "accepted", "accepted", "accepted", "stage_started",
    "stage_finished", "suspended", "suspended", "resumed", "extended", "extended", "decided", "closed", "refused",
    "delivered", "case.pre_reviewed", "case.reported_up", "certificate.issued", "fee.charged", "rating.given",
)  # fmt: skip
# Quarter hours make deadlines and events fall together often.
moments = st.integers(0, 4 * 24 * 60).map(lambda quarters: BASE + timedelta(minutes=15 * quarters))


@st.composite
def one_event(draw, number):
    kind = draw(st.sampled_from(KINDS))
    data = {}
    if kind == "suspended":
        data = {"ground": draw(st.sampled_from(sorted(GROUNDS)))}
    if kind == "extended" or (kind == "suspended" and draw(st.booleans())):
        data["days"] = draw(st.integers(1, 8))
    if kind.startswith("stage"):
        data["stage"] = draw(st.sampled_from(("check", "sign")))
        data["agency"] = draw(st.sampled_from(("fire", "water", None)))
    if kind in ("received", "supplement_requested", "supplement_received"):
        data["materials"] = draw(st.sampled_from((["form"], ["photo"], None)))
        data["channel"] = draw(st.sampled_from(("online", None)))
    if kind == "decided":
        data["result"] = draw(st.sampled_from(("granted", "denied")))
    data |= {"fee.charged": {"amount": 5}, "rating.given": {"level": 2}, "certificate.issued": {"certificate_no": "1"}}.get(kind, {})  # fmt: skip
    return event(kind, draw(moments), item=draw(st.sampled_from("AAPI")), id=f"e{number}", **data)


@st.composite
def cases(draw):
    return [draw(one_event(number)) for number in range(draw(st.integers(1, 9)))]


centres = st.sampled_from((LAW, HUNAN))
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def grounds(verdict):
    return [
        (f.finding_id, f.opened_at, f.closed_at, f.state, f.provisional, f.window, dict(f.explain))
        for f in verdict.findings
    ]


def test_the_families_are_on():
    assert set(JUDGES) >= {"time", "procedure"}
    assert all(getattr(LAW.rules, name) is not None for name in JUDGES)


@quick
@given(cases(), centres, st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_duplicates_give_the_same_verdict(events, rules, random):
    shuffled = events + random.sample(events, random.randint(0, len(events)))
    random.shuffle(shuffled)
    one, other = judge_case(events, rules, NOW), judge_case(shuffled, rules, NOW)
    assert grounds(one) == grounds(other)
    assert (one.look_at, one.status) == (other.look_at, other.status)


@quick
@given(cases(), centres, moments, st.floats(0, 1))
def test_nothing_changes_before_look_at(events, rules, now, share):
    verdict = judge_case(events, rules, now)
    later = (
        now + timedelta(days=400) if verdict.look_at is None else verdict.look_at - timedelta(microseconds=1)
    )
    assert later >= now, "look_at lies ahead"
    for moment in (now + (later - now) * share, later):
        again = judge_case(events, rules, moment)
        assert grounds(again) == grounds(verdict)
        assert again.status == verdict.status


@quick
@given(cases(), centres)
def test_findings_hold_together(events, rules):
    verdict = judge_case(events, rules, NOW)
    assert len({f.finding_id for f in verdict.findings}) == len(verdict.findings)
    for finding in verdict.findings:
        assert (finding.state == "open") == (finding.closed_at is None)
        assert finding.closed_at is None or finding.closed_at >= finding.opened_at
        assert finding.opened_at <= NOW
        assert finding.explain["articles"]


@quick
@given(cases())
def test_the_families_change_nothing_of_the_contracts_findings(events):
    contract = grounds(judge_case(events, OFF, NOW))
    beyond = grounds(judge_case(events, LAW, NOW))
    assert [row for row in contract if row not in beyond] == []


@quick
@given(cases(), moments)
def test_an_open_card_of_a_clock_is_never_moved_by_what_happens_later(events, now):
    """Only what ends a clock closes its card: once open it has the same id ever after."""
    clocks = ("time_limit.", "parallel.overdue", "pre_acceptance.", "immediate.", "deemed_approval.passed")
    for rules in (LAW, HUNAN):
        then = {
            f.finding_id
            for f in judge_case(events, rules, now).findings
            if f.rule.startswith(clocks) and f.rule != "time_limit.notice"
        }
        assert then <= {f.finding_id for f in judge_case(events, rules, NOW).findings}


def dues(verdict):
    """Every deadline a case is said to have: of its findings by rule and instance, and of its status."""
    found = {name: verdict.status.get(name) for name in ("promised_due", "legal_due")}
    parallel = verdict.status.get("parallel")
    if parallel is not None:
        found["parallel"] = parallel["total_due"]
        found |= {f"agency {n}": row["due"] for n, row in enumerate(parallel["agencies"])}
    for rule in (
        "immediate.overdue",
        "lower_review.overdue",
        "deemed_approval.passed",
        "deemed_approval.delivery",
    ):
        rows = [f.due_at for f in verdict.findings if f.rule == rule]
        found[rule] = rows[0] if len(rows) == 1 else None
    return {name: due for name, due in found.items() if due is not None}


@quick
@given(cases(), centres, moments, st.integers(0, 600), st.one_of(st.none(), st.integers(1, 5)))
def test_one_more_suspension_never_makes_a_deadline_earlier(events, rules, since, hours, days):
    # It ends by a resume of its own only if no other is open then; else it would end that one.
    events = [e for e in events if e.kind not in ("case.suspended", "case.resumed")]
    data = {} if days is None else {"days": days}
    more = [event("suspended", since, **data), event("resumed", since + timedelta(hours=hours))]
    before, after = dues(judge_case(events, rules, NOW)), dues(judge_case([*events, *more], rules, NOW))
    for name, due in after.items():
        if name in before:
            assert due >= before[name], name


@quick
@given(cases(), centres, moments, st.integers(1, 400), st.floats(0, 0.99))
def test_splitting_a_suspension_changes_nothing(events, rules, since, hours, share):
    """One of which no days were announced; the profile moves deadlines by what was applied for, twice if twice."""
    events = [e for e in events if e.kind not in ("case.suspended", "case.resumed")]
    until = since + timedelta(hours=hours)
    between = since + timedelta(seconds=int(hours * 3600 * share))
    whole = [event("suspended", since), event("resumed", until)]
    parts = [
        event("suspended", since), event("resumed", between), event("suspended", between), event("resumed", until),
    ]  # fmt: skip
    about = (
        "time_limit.",
        "parallel.",
        "immediate.",
        "lower_review.",
        "deemed_approval.",
        "licence.",
        "pre_acceptance.",
    )

    def cards(found):
        return [
            (f.rule, f.opened_at, f.closed_at, f.due_at) for f in found.findings if f.rule.startswith(about)
        ]

    one, other = judge_case([*events, *whole], rules, NOW), judge_case([*events, *parts], rules, NOW)
    assert cards(one) == cards(other)
    assert dues(one) == dues(other)


#: Every key of an event's data that a family reads and no check of the kind guards.
UNGUARDED = (
    "type", "agency", "channel", "materials", "reason", "reason_code", "receipt_no", "approver", "notice_no", "basis",
    "code", "name", "quantity", "payee", "terminal", "ticket", "service",
)  # fmt: skip
junk = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.lists(st.one_of(st.integers(), st.lists(st.text(max_size=2), max_size=1)), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@quick
@given(cases(), centres, st.data())
def test_whatever_else_an_event_says_is_judged_without_an_error(events, rules, data):
    strange = []
    for each in events:
        more = data.draw(st.dictionaries(st.sampled_from(UNGUARDED), junk, max_size=4))
        strange.append(replace(each, data={**each.data, **more}))
    for finding in judge_case(strange, rules, NOW).findings:
        json.dumps(finding.explain)


@pytest.mark.parametrize("section", sorted(JUDGES))
def test_a_family_by_itself_is_only_its_own(section):
    """Turned off it leaves nothing behind: the findings of all families are those of each added up."""
    events = [
        event("received", "03-02 09:00", channel="online", materials=["form"]), event("accepted", "03-20 10:00"),
        event("extended", "03-23 10:00", days=30), event("resumed", "03-24 10:00"), event("fee.charged", "03-24 11:00", amount=5),
        event("decided", "05-20 10:00", result="denied"),
    ]  # fmt: skip
    alone = judge_case(events, centre(items=ITEMS, **{f"rules__{section}": {}}), NOW)
    contract = {f.finding_id for f in judge_case(events, OFF, NOW).findings}
    every = {f.finding_id for f in judge_case(events, LAW, NOW).findings}
    assert contract <= {f.finding_id for f in alone.findings} <= every
