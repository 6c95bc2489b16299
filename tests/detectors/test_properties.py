"""What must hold for every case: order of arrival, duplicates, suspensions that only lengthen, the promise of look_at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.cases import judge_case
from domain.events import GROUNDS
from tests.detectors.making import at, centre, event

BASE = at("02-09 08:00")
NOW = at("2027-02-01 12:00")
CLOSE, MIDNIGHT = centre(), centre(rules__time_limit={"deadline_at": "midnight"})
KINDS = (
    "received", "supplement_requested", "supplement_received", "accepted", "accepted", "stage_started", "stage_finished",
    "suspended", "suspended", "resumed", "extended", "decided", "closed", "delivered",
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
        data["stage"] = "review"
    if kind == "accepted":
        for name in ("legal_deadline", "promised_deadline"):
            if draw(st.integers(0, 3)) == 0:
                data[name] = draw(moments).isoformat()
    return event(kind, draw(moments), item=draw(st.sampled_from("AAB")), id=f"e{number}", **data)


@st.composite
def cases(draw):
    return [draw(one_event(number)) for number in range(draw(st.integers(1, 9)))]


centres = st.sampled_from((CLOSE, MIDNIGHT))
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def grounds(verdict):
    return [
        (f.finding_id, f.closed_at, f.state, f.provisional, f.window, dict(f.explain))
        for f in verdict.findings
    ]


@quick
@given(cases(), centres, st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_duplicates_give_the_same_verdict(events, rules, random):
    shuffled = events + random.sample(events, random.randint(0, len(events)))
    random.shuffle(shuffled)
    one, other = judge_case(events, rules, NOW), judge_case(shuffled, rules, NOW)
    assert grounds(one) == grounds(other)
    assert (one.look_at, one.status) == (other.look_at, other.status)
    assert {e.event_id for e, *_ in one.ineffective} == {e.event_id for e, *_ in other.ineffective}


@quick
@given(cases(), centres, moments, st.floats(0, 1))
def test_nothing_changes_before_look_at(events, rules, now, share):
    verdict = judge_case(events, rules, now)
    later = (
        now + timedelta(days=400) if verdict.look_at is None else verdict.look_at - timedelta(microseconds=1)
    )
    assert later >= now, "look_at lies ahead"
    between = now + (later - now) * share
    assert grounds(judge_case(events, rules, between)) == grounds(verdict)
    assert grounds(judge_case(events, rules, later)) == grounds(verdict)


@quick
@given(cases(), centres, moments)
def test_going_from_look_at_to_look_at_ends_where_one_judgement_ends(events, rules, now):
    steps = 0
    while True:
        verdict = judge_case(events, rules, now)
        if verdict.look_at is None or verdict.look_at > NOW:
            break
        assert verdict.look_at > now
        now, steps = verdict.look_at, steps + 1
        assert steps < 100
    assert grounds(verdict) == grounds(judge_case(events, rules, NOW))


@quick
@given(cases(), centres, moments, st.integers(0, 600), st.one_of(st.none(), st.integers(1, 5)))
def test_one_more_suspension_never_makes_a_deadline_earlier(events, rules, since, hours, days):
    # It ends by a resume of its own only if no other is open then; else it would end that one.
    if any(e.kind in ("case.suspended", "case.resumed") for e in events):
        events = [e for e in events if e.kind not in ("case.suspended", "case.resumed")]
    data = {} if days is None else {"days": days}
    more = [event("suspended", since, **data), event("resumed", since + timedelta(hours=hours))]
    before, after = judge_case(events, rules, NOW).status, judge_case([*events, *more], rules, NOW).status
    for name in ("promised_due", "legal_due"):
        if before.get(name) is not None and after.get(name) is not None:
            assert after[name] >= before[name]


@quick
@given(cases(), centres, moments, st.integers(1, 400), st.floats(0, 0.99))
def test_splitting_a_suspension_changes_nothing(events, rules, since, hours, share):
    events = [e for e in events if e.kind not in ("case.suspended", "case.resumed")]
    until = since + timedelta(hours=hours)
    between = since + timedelta(seconds=int(hours * 3600 * share))
    whole = [event("suspended", since), event("resumed", until)]
    parts = [
        event("suspended", since),
        event("resumed", between),
        event("suspended", between),
        event("resumed", until),
    ]

    def cards(verdict):
        return [
            (f.rule, f.opened_at, f.closed_at, f.due_at) for f in verdict.findings if f.severity != "notice"
        ]

    one, other = judge_case([*events, *whole], rules, NOW), judge_case([*events, *parts], rules, NOW)
    assert cards(one) == cards(other)


@quick
@given(cases(), centres, moments)
def test_an_open_card_is_never_closed_or_moved_by_what_happens_later(events, rules, now):
    """Rule table, end: only the stop closes yellow and red, so a card once open has the same id ever after."""
    then = {f.finding_id for f in judge_case(events, rules, now).findings if f.severity != "notice"}
    assert then <= {f.finding_id for f in judge_case(events, rules, NOW).findings}


@quick
@given(cases(), centres)
def test_findings_hold_together(events, rules):
    verdict = judge_case(events, rules, NOW)
    assert len({f.finding_id for f in verdict.findings}) == len(verdict.findings)
    for finding in verdict.findings:
        assert (finding.state == "open") == (finding.closed_at is None)
        assert finding.closed_at is None or finding.closed_at >= finding.opened_at
        assert finding.opened_at <= NOW


@given(cases(), moments)
@settings(max_examples=60, deadline=None)
def test_the_offset_an_event_is_written_in_does_not_matter(events, now):
    from datetime import UTC

    other = [replace(e, occurred_at=e.occurred_at.astimezone(UTC)) for e in events]
    assert grounds(judge_case(other, CLOSE, now)) == grounds(judge_case(events, CLOSE, now))
