"""Batches of entries after hours, and what must hold of every subject of these families."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import entry_batches, fees, unattached
from detectors.cases import judge_case
from detectors.families import subjects_of
from tests.detectors.making import at, centre, show
from tests.detectors.told import told

WINDOWS = [{"id": "A01", "ticket_machine": True}, {"id": "N1", "open_hours": ["09:00-21:00"]}]
CENTRE = centre(
    windows=WINDOWS,
    people=[{"id": "0417", "name": "李"}],
    items=[{"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 5}, "fees": [{"name": "x", "amount": 5}]}],
    rules__truthfulness={}, rules__both_doors={}, rules__fees={},
)  # fmt: skip
NOW = at("03-31 23:00")


def name(*args, **fields):
    return entry_batches.name_of(told(*args, **fields), CENTRE)


@pytest.mark.parametrize(
    ("moment", "fields", "expected"),
    [
        ("03-02 19:30", {"staff": "0417"}, "2026-03-02/staff/0417"),
        # An hour of grace after closing at 17:00, and before opening at 09:00; lunch is no evening.
        ("03-02 18:00", {"staff": "0417"}, None),
        ("03-02 18:01", {"staff": "0417"}, "2026-03-02/staff/0417"),
        ("03-02 07:59", {"staff": "0417"}, "2026-03-02/staff/0417"),
        ("03-02 12:30", {"staff": "0417"}, None),
        # A Saturday; the Labour Day make-up Saturday of 2026 is a working day.
        ("03-07 10:00", {"staff": "0417"}, "2026-03-07/staff/0417"),
        ("05-09 10:00", {"staff": "0417"}, None),
        # A window that is open in the evening.
        ("03-02 19:30", {"staff": "0417", "window": "N1"}, None),
        # By terminal where nobody is named; by source only if it was keyed in.
        ("03-02 19:30", {"terminal": "PC9"}, "2026-03-02/terminal/PC9"),
        ("03-02 00:00", {}, None),
        ("03-02 10:00", {"entered": "03-03 20:00"}, "2026-03-03/source/test"),
        # When it was keyed in counts, not when it claims to have happened.
        ("03-02 20:00", {"staff": "0417", "entered": "03-03 10:00"}, None),
    ],
)
def test_the_subject(moment, fields, expected):
    assert name("closed", moment, **fields) == expected


def test_what_applicants_do_is_no_entry():
    for kind in ("received", "supplement_received", "withdrawn"):
        assert not list(subjects_of(told(kind, "03-02 20:00", staff="0417"), CENTRE))
    assert [n for _, n in subjects_of(told("closed", "03-02 20:00", staff="0417"), CENTRE)] == [
        "2026-03-02/staff/0417"
    ]
    assert not list(subjects_of(told("closed", "03-02 20:00", staff="0417"), centre()))


def evening(count, minutes, *, cases=None, claimed=None):
    return [
        told("closed", claimed or at("03-02 20:00") + timedelta(minutes=minutes * n), staff="0417", case=f"c{n % (cases or count)}",
             entered=at("03-02 20:00") + timedelta(minutes=minutes * n))
        for n in range(count)
    ]  # fmt: skip


def judge(events, now=NOW):
    return entry_batches.judge("2026-03-02/staff/0417", events, CENTRE, now)


@pytest.mark.parametrize(
    ("events", "opened"),
    [
        (evening(5, 7.5), "03-02 20:30"),
        (evening(5, 7.6), None),
        (evening(4, 1), None),
        # Many entries of few cases.
        (evening(20, 1, cases=4), None),
        (evening(12, 1), "03-02 20:04"),
        # Claimed for the morning, keyed in in the evening.
        (evening(6, 2, claimed="03-02 10:00"), "03-02 20:08"),
    ],
)
def test_a_batch(events, opened):
    findings = judge(events).findings
    assert [show(f.opened_at) for f in findings] == ([opened] if opened else [])
    if opened:
        (finding,) = findings
        assert (finding.rule, finding.severity, finding.state) == (entry_batches.RULE, "notice", "closed")
        assert finding.explain["cases_in_batch"] == 5
        assert finding.explain["cases_after_hours"] == len(events) == len(finding.explain["cases"])
        assert finding.explain["staff"] == "0417"


def test_it_is_said_when_it_is_one():
    events = evening(5, 1)
    early = judge(events, at("03-02 20:03"))
    assert early.findings == ()
    assert early.look_at == at("03-02 20:04")
    assert len(judge(events, early.look_at).findings) == 1


# ---- order, duplicates, look_at ---------------------------------------------------------------------------------------

BASE = at("03-02 17:00")
moments = st.integers(0, 96).map(lambda quarters: BASE + timedelta(minutes=15 * quarters))
maybe = st.one_of(st.none(), moments)


@st.composite
def events_of(draw):
    made = []
    for number in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from((
            "received", "accepted", "stage_started", "stage_finished", "suspended", "resumed", "decided", "closed", "delivered",
            "fee.charged", "queue.served", "queue.abandoned", "certificate.issued",
        )))  # fmt: skip
        data = {
            "fee.charged": {"amount": draw(st.sampled_from(("5", "2.5", "-2.5", 7))), "name": draw(st.sampled_from(("x", "y", None)))},
            "queue.served": {"ticket": "7"}, "queue.abandoned": {"ticket": "7"}, "certificate.issued": {"certificate_no": "7"},
        }.get(kind, {"stage": draw(st.sampled_from("ab"))})  # fmt: skip
        made.append(
            told(
                kind, draw(moments), entered=draw(maybe), received=draw(maybe), id=f"e{number}", item="A",
                case=draw(st.sampled_from(("c1", None))) if "." in kind else "c1",
                window=draw(st.sampled_from(("A01", None))), staff=draw(st.sampled_from(("0417", "who", None))), **data,
            )
        )  # fmt: skip
    return made


def grounds(verdict):
    return [
        (f.finding_id, f.opened_at, f.closed_at, f.state, f.window, dict(f.explain)) for f in verdict.findings
    ]


def as_case(name, events, centre, now):
    return judge_case(events, centre, now)


LOOSE = {
    **CENTRE.model_dump(mode="json"),
    "rules": {**CENTRE.rules.model_dump(mode="json"), "truthfulness": {"batch": {"cases": 2}}},
}
#: Batches of few, so that they come up.
FEW = type(CENTRE).model_validate(LOOSE)
SUBJECTS = {
    "case": (as_case, lambda e: e.case == "c1"),
    "entry_batch": (entry_batches.judge, lambda e: e.kind in entry_batches.KINDS),
    "fee": (fees.judge, lambda e: e.kind == "fee.charged"),
    "ticket": (unattached.TICKET_FAMILY.judge, lambda e: e.kind in unattached.TICKETS),
    "certificate": (unattached.CERTIFICATE_FAMILY.judge, lambda e: e.kind == unattached.ISSUED),
}
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spread(events):
    """Of several cases, as a batch has them."""
    return [
        told(e.kind, e.occurred_at, id=e.event_id, entered=e.entered_at, case=f"c{n % 3}", **e.data)
        for n, e in enumerate(events)
    ]


@pytest.mark.parametrize("subject", SUBJECTS)
@quick
@given(events_of(), st.randoms(use_true_random=False))
def test_order_and_duplicates_change_nothing(subject, events, random):
    judge_one, wanted = SUBJECTS[subject]
    mine = [event for event in events if wanted(event)]
    mine = spread(mine) if subject == "entry_batch" else mine
    mixed = mine + random.sample(mine, random.randint(0, len(mine)))
    random.shuffle(mixed)
    one, other = (judge_one("2026-03-02/x/y", those, FEW, NOW) for those in (mine, mixed))
    assert grounds(one) == grounds(other)
    assert (one.look_at, one.status) == (other.look_at, other.status)


@pytest.mark.parametrize("subject", SUBJECTS)
@quick
@given(events_of(), moments, st.floats(0, 1))
def test_nothing_changes_before_look_at(subject, events, now, share):
    judge_one, wanted = SUBJECTS[subject]
    mine = [event for event in events if wanted(event)]
    mine = spread(mine) if subject == "entry_batch" else mine
    verdict = judge_one("2026-03-02/x/y", mine, FEW, now)
    assert verdict.look_at is None or verdict.look_at > now
    last = (verdict.look_at or now + timedelta(days=60)) - timedelta(microseconds=1)
    for moment in (now + (last - now) * share, last):
        again = judge_one("2026-03-02/x/y", mine, FEW, moment)
        assert (grounds(again), again.status) == (grounds(verdict), verdict.status)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(("1e999999", "Infinity", "-0", " ")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4,
)  # fmt: skip
UNGUARDED = (
    "channel",
    "quantity",
    "code",
    "name",
    "payee",
    "basis",
    "ticket",
    "service",
    "terminal",
    "type",
    "days",
)


@quick
@given(events_of(), st.data())
def test_whatever_else_an_event_says_is_judged_without_an_error(events, data):
    strange = []
    for each in events:
        more = data.draw(st.dictionaries(st.sampled_from(UNGUARDED), junk, max_size=4))
        more.pop("days", None) if each.kind == "case.suspended" else None
        strange.append(replace(each, data={**each.data, **more}))
    found = list(judge_case([e for e in strange if e.case == "c1"], FEW, NOW).findings)
    for each in strange:
        for family, subject in subjects_of(each, FEW):
            found += family.ask(subject, [each], FEW, NOW).findings
    for finding in found:
        json.dumps(finding.explain)
