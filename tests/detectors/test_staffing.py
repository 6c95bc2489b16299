"""Absence joined with roster, leave, lunch duty, cover, the queue; heads at a post; and the old answers without all that."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.absence import WANTED, judge_absence, windows_of
from domain.events import KINDS
from domain.observations import PresenceSpan
from tests.detectors.making import at, centre, show
from tests.detectors.subjects import grounds, said

CAMERA = {
    "id": "k",
    "url": "sim://k",
    "posts": [{"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}],
}
PEOPLE = [{"id": p, "name": p} for p in ("a", "b", "c", "n")]


def office(*, posts=None, section={}, **window):
    return centre(
        cameras=[CAMERA if posts is None else {**CAMERA, "posts": posts}],
        people=PEOPLE,
        windows=[{"id": "A01", **window}, {"id": "A02", "staff": ["n"], "queues": ["tax"]}],
        rules={} if section is None else {"staffing": section},
    )


ALONE = office(staff=["a"])
TWO = office(staff=["a", "b"])


def clock(text):
    return at(text if "-" in text else f"03-03 {text}")


def absent(since, until=None, state="absent", **more):
    return PresenceSpan(
        "k", more.pop("post", "p"), state, clock(since), clock(until) if until else None, **more
    )


def ev(kind, when, **more):
    return said(kind, clock(when), **more)


def leave(staff, from_, to, *, when="03-02 16:00", **more):
    whole = len(from_) == 10
    edges = (from_, to) if whole else (clock(from_).isoformat(), clock(to).isoformat())
    return ev("leave.granted", when, staff=staff, from_=edges[0], to=edges[1], **more)


def judge(*events, spans=None, now="11:00", rules=ALONE, window="A01"):
    return judge_absence(window, [absent("08:00")] if spans is None else spans, events, rules, clock(now))


def found(verdict, *rules):
    return [
        (f.rule, show(f.opened_at)[6:], show(f.closed_at) and show(f.closed_at)[6:])
        for f in verdict.findings
        if not rules or f.rule in rules
    ]


def reds(verdict):
    return [(opened, closed) for rule, opened, closed in found(verdict, "absence.red")]


# ---- what excuses, and what does not ----------------------------------------------------------------------------------


def test_nobody_is_excused_without_grounds():
    verdict = judge()
    assert reds(verdict) == [("09:30", None)]
    assert verdict.findings[-1].explain["on_duty"] == ["a"]


def test_leave_of_the_only_person_excuses_him_and_asks_for_a_substitute():
    verdict = judge(leave("a", "2026-03-03", "2026-03-03"))
    assert found(verdict) == [("staffing.no_substitute", "09:00", None)]
    (finding,) = verdict.findings
    assert (finding.severity, finding.window) == ("notice", "A01")
    assert "A1" in finding.explain["articles"]
    assert finding.explain["leave"][0]["staff"] == "a"
    assert found(judge(leave("a", "2026-03-03", "2026-03-03"), now="20:00")) == [
        ("staffing.no_substitute", "09:00", "17:00")
    ]


def test_a_substitute_has_to_be_there():
    verdict = judge(leave("a", "2026-03-03", "2026-03-03", substitute="b"))
    assert reds(verdict) == [("09:30", None)]
    row = verdict.findings[-1].explain
    assert (row["on_duty"], row["leave"][0]["substitute"]) == (["b"], "b")
    assert not found(verdict, "staffing.no_substitute")


def test_with_two_people_the_other_takes_over():
    verdict = judge(leave("a", "2026-03-03", "2026-03-03"), rules=TWO)
    assert (reds(verdict), verdict.findings[-1].explain["on_duty"]) == ([("09:30", None)], ["b"])
    both = [leave(p, "2026-03-03", "2026-03-03") for p in "ab"]
    assert found(judge(*both, rules=TWO)) == [("staffing.no_substitute", "09:00", None)]


def test_a_short_registered_leave_of_up_to_30_minutes_needs_nobody():
    """Kaifu 2019: leave time, reason, destination; in principle at most 30 minutes."""
    half_hour = leave("a", "09:05", "09:35")
    assert found(judge(half_hour, now="09:40")) == []
    assert found(judge(half_hour, now="10:20"))[0] == ("absence.notice", "09:45", None)
    longer = leave("a", "09:05", "09:36")
    assert found(judge(longer, now="09:40")) == [("staffing.no_substitute", "09:05", "09:36")]


def test_leave_granted_afterwards_excuses_nothing_before_unless_the_centre_says_so():
    late = leave("a", "09:00", "12:00", when="10:00")
    assert reds(judge(late)) == [("09:30", "10:00")]
    assert judge(late).findings[0].explain["ended_by"] == "leave"
    kind = office(staff=["a"], section={"backdated": True})
    assert reds(judge(late, rules=kind)) == []


def test_back_early_from_leave():
    back = ev("leave.ended", "10:00", staff="a")
    assert found(judge(leave("a", "2026-03-03", "2026-03-03"), back), "absence.notice") == [
        ("absence.notice", "10:10", None)
    ]


def test_hours_nobody_is_rostered_for():
    rules = office(staff=["a"], roster=[{"staff": ["a"], "days": ["tue"], "hours": ["10:00-12:00"]}])
    assert found(judge(rules=rules, now="10:05")) == []
    assert reds(judge(rules=rules)) == [("10:30", None)]
    other_day = office(roster=[{"staff": ["a"], "days": ["2026-03-04"]}])
    assert found(judge(rules=other_day)) == []
    assert judge(rules=other_day).status["open"] is False


def test_lunch_duty_is_judged_on_its_days_and_lunch_of_others_is_free():
    """A centre open 9:00–17:00 whose one-person windows take lunch in turns (A5)."""
    hours = {"open_hours": ["09:00-17:00"], "staff": ["a"]}
    spans = [absent("09:00", "11:50", "present"), absent("11:50")]
    on_duty = office(**hours, lunch={"hours": ["12:00-14:00"], "days": ["tue"]})
    assert reds(judge(spans=spans, rules=on_duty, now="13:00")) == [("12:20", None)]
    free = office(**hours, lunch={"hours": ["12:00-14:00"], "days": ["wed"]})
    assert found(judge(spans=spans, rules=free, now="14:05")) == []
    assert reds(judge(spans=spans, rules=free, now="14:40")) == [("14:30", None)]
    # Lunch duty where the office itself is closed at lunch.
    added = office(staff=["a"], lunch={"hours": ["12:00-13:30"], "days": ["tue"]})
    assert reds(judge(spans=spans, rules=added, now="13:00")) == [("12:20", None)]


@pytest.mark.parametrize("window", [{}, {"pair": "A02"}, {"ab_posts": [{"a": "a", "b": "b"}]}])
def test_cover_by_the_b_post_or_the_paired_window_is_service(window):
    rules = office(staff=["a"], **window)
    by = {"by_window": "A02"} if "pair" in window else {"staff": "b"}
    start = ev("cover.started", "09:05", window="A01", **by)
    end = ev("cover.ended", "10:00", window="A01", **by)
    assert found(judge(start, rules=rules)) == []
    assert found(judge(start, end, rules=rules, now="10:31"), "absence.red") == [
        ("absence.red", "10:30", None)
    ]
    ended = judge(ev("cover.started", "09:45", window="A01", **by), rules=rules)
    assert reds(ended) == [("09:30", "09:45")]
    assert ended.findings[0].explain["ended_by"] == "covered"


def test_only_who_may_stand_in_covers():
    rules = office(staff=["a"], ab_posts=[{"a": "a", "b": "b"}])
    assert reds(judge(ev("cover.started", "09:05", window="A01", staff="c"), rules=rules))
    paired = office(staff=["a"], pair="A02")
    assert not reds(judge(ev("cover.started", "09:05", window="A01", staff="n"), rules=paired))


def test_a_cover_ends_with_its_day():
    cover = ev("cover.started", "03-02 16:00", window="A01", staff="b")
    assert reds(judge(cover)) == [("09:30", None)]


def test_a_covered_leave_asks_for_no_substitute():
    cover = ev("cover.started", "08:30", window="A01", staff="b")
    assert found(judge(leave("a", "2026-03-03", "2026-03-03"), cover)) == []


def test_paused_or_closed_in_the_queue_system_still_excuses():
    for kind in ("paused", "closed"):
        assert found(judge(ev(f"window.{kind}", "09:05", window="A01"))) == []


def test_a_and_b_must_not_be_away_at_once():
    rules = office(staff=["a", "b"], ab_posts=[{"a": "a", "b": "b"}])
    first, second = leave("a", "2026-03-03", "2026-03-04"), leave("b", "10:00", "11:00")
    verdict = judge(first, second, spans=[absent("08:00", state="present")], rules=rules, now="12:30")
    assert ("staffing.ab_away", "10:00", "11:00") in found(verdict)
    (finding,) = [f for f in verdict.findings if f.rule == "staffing.ab_away"]
    assert (finding.severity, "A12" in finding.explain["articles"]) == ("yellow", True)
    replaced = leave("b", "10:00", "11:00", substitute="c")
    assert not found(judge(first, replaced, rules=rules), "staffing.ab_away")


# ---- who waits --------------------------------------------------------------------------------------------------------


def ticket(kind, when, number, **more):
    return ev(f"queue.{kind}", when, ticket=number, **more)


def test_people_waiting_make_it_urgent_and_no_more_severe():
    queue = [ticket("ticket_issued", f"09:0{i}", f"T{i}", queue="tax") for i in range(3)]
    called = ticket("called", "09:06", "T0", window="A02")
    rules = office(staff=["a"], queues=["tax"])
    verdict = judge(*queue, called, rules=rules, now="09:12")
    assert (verdict.status["waiting"], verdict.status["urgent"]) == (2, True)
    assert verdict.status["waiting_since"] == at("03-03 09:01")
    assert found(verdict) == [("absence.notice", "09:10", None)]
    assert verdict.findings[0].explain["waiting"] == {"count": 2, "since": "2026-03-03T09:01:00+08:00"}
    alone = judge(rules=rules, now="09:12")
    assert [f.severity for f in alone.findings] == [f.severity for f in verdict.findings]
    assert alone.status["urgent"] is False


def test_tickets_of_other_queues_days_and_windows_do_not_wait_here():
    rules = office(staff=["a"], queues=["tax"])
    others = [
        ticket("ticket_issued", "09:01", "1", queue="land"),
        ticket("ticket_issued", "09:01", "2", window="A02", queue="tax"),
        ticket("ticket_issued", "03-02 16:00", "3", queue="tax"),
        ticket("ticket_issued", "09:01", "4", queue="tax"),
        ticket("abandoned", "09:02", "4"),
    ]
    assert judge(*others, rules=rules, now="09:12").status["waiting"] == 0
    assert (
        judge(ticket("ticket_issued", "09:01", "5", window="A01"), rules=rules, now="09:12").status["waiting"]
        == 1
    )


def test_a_number_called_in_another_queue_still_waits_here():
    rules = office(staff=["a"], queues=["tax"])
    issued = ticket("ticket_issued", "09:01", "1", queue="tax")
    assert (
        judge(issued, ticket("called", "09:02", "1", queue="land"), rules=rules, now="09:12").status[
            "waiting"
        ]
        == 1
    )
    assert (
        judge(issued, ticket("called", "09:02", "1", queue="tax"), rules=rules, now="09:12").status["waiting"]
        == 0
    )


def test_who_has_clocked_in_is_told():
    verdict = judge(ev("attendance.clock_in", "08:50", staff="a"), rules=TWO)
    assert (verdict.findings[0].explain["on_duty"], verdict.findings[0].explain["clocked_in"]) == (
        ["a", "b"],
        ["a"],
    )


# ---- seen waiting ------------------------------------------------------------------------------------------------------


SOMEBODY = [
    absent("08:00", "09:03", waiting=False), absent("09:03", "09:05", waiting=True), absent("09:05", waiting=False)
]  # fmt: skip


def test_who_was_seen_waiting_is_told_and_makes_nothing_worse():
    plain = office(section=None, staff=["a"])
    spans = [absent("09:00", "09:03"), *SOMEBODY[1:]]
    verdict = judge(spans=spans, rules=plain, now="09:40")
    assert found(verdict) == found(judge(spans=[absent("09:00")], rules=plain, now="09:40"))
    for finding in verdict.findings:
        assert finding.explain["seen_waiting"]["since"].endswith("09:03:00+08:00")
    # Whoever came after the finding opened is not part of what it says.
    late = [absent("09:00", "09:12"), absent("09:12", waiting=True)]
    told = {
        f.rule: f.explain.get("seen_waiting") for f in judge(spans=late, rules=plain, now="09:20").findings
    }
    assert told["absence.notice"] is None
    assert told["absence.yellow"]["since"].endswith("09:12:00+08:00")


def test_the_window_is_urgent_while_somebody_is_seen_waiting():
    def urgent(now, rules=ALONE):
        return judge(spans=[s for s in SOMEBODY if s.since <= clock(now)], rules=rules, now=now).status.get(
            "urgent"
        )

    assert [urgent("09:02"), urgent("09:04"), urgent("09:06")] == [False, True, False]
    assert urgent("09:04", office(section=None)) is True
    assert urgent("09:06", office(section=None)) is None


@pytest.mark.parametrize(
    ("minutes", "spans", "opened"),
    [
        (None, SOMEBODY, "09:10"),
        (5, SOMEBODY, "09:05"),  # he came before: the minutes decide
        (2, SOMEBODY, "09:03"),  # the minutes were over: his coming decides
        (5, [absent("08:00", waiting=False)], "09:10"),
        (20, SOMEBODY, "09:10"),  # never later
    ],
)
def test_a_notice_may_come_earlier_where_somebody_waits(minutes, spans, opened):
    rules = centre(cameras=[CAMERA], windows=[{"id": "A01"}], rules={"absence": {"notice_waiting": minutes}})
    verdict = judge(spans=spans, rules=rules, now="09:20")
    assert found(verdict) == [("absence.notice", opened, None), ("absence.yellow", "09:15", None)]
    early = (clock(opened) - clock("09:00")).seconds / 60
    assert verdict.findings[0].explain["minutes"] == early


# ---- heads ------------------------------------------------------------------------------------------------------------


def test_fewer_people_than_a_post_needs():
    rules = office(staff=["a", "b"], posts=[{**CAMERA["posts"][0], "required": 2}])
    one = [absent("08:00", state="present", people=1)]
    assert found(judge(spans=one, rules=rules, now="09:12")) == [("staffing.short", "09:10", None)]
    back = [absent("08:00", "09:20", "present", people=1), absent("09:20", state="present", people=2)]
    verdict = judge(spans=back, rules=rules, now="10:00")
    assert found(verdict) == [("staffing.short", "09:10", "09:20")]
    assert (verdict.findings[0].severity, verdict.findings[0].explain["required"]) == ("notice", 2)
    uncounted = [absent("08:00", state="present")]
    assert found(judge(spans=uncounted, rules=rules, now="10:00")) == [], "nobody has counted"
    assert found(judge(spans=one, rules=ALONE, now="10:00")) == []


# ---- wiring -----------------------------------------------------------------------------------------------------------


def test_which_windows_an_event_concerns():
    rules = office(
        staff=["a"], roster=[{"staff": ["a", "c"]}], ab_posts=[{"a": "a", "b": "b"}], queues=["tax"]
    )
    table = [
        (ev("window.paused", "09:00", window="A01"), {"A01"}),
        (leave("a", "2026-03-03", "2026-03-03"), {"A01"}),
        (leave("b", "2026-03-03", "2026-03-03"), {"A01"}),
        (leave("n", "2026-03-03", "2026-03-03"), {"A02"}),
        (leave("x", "2026-03-03", "2026-03-03"), set()),
        (ev("cover.started", "09:00", window="A02", staff="a"), {"A02"}),
        (ev("cover.ended", "09:00", staff="b"), {"A01"}),
        (ev("attendance.clock_in", "09:00", staff="c"), {"A01"}),
        (ticket("ticket_issued", "09:00", "1", queue="tax"), {"A01", "A02"}),
        (ticket("ticket_issued", "09:00", "1", window="A01"), {"A01", "A02"}),
        (ticket("called", "09:00", "1", window="A02"), {"A01", "A02"}),
        (ticket("called", "09:00", "1"), {"A01", "A02"}),
        (ev("fee.charged", "09:00", amount=1), set()),
    ]
    for event, windows in table:
        assert windows_of(event, rules) == windows, event.kind
    off = office(section=None, staff=["a"])
    assert windows_of(table[0][0], off) == {"A01"}
    assert {windows_of(event, off) for event, _ in table[1:]} == {frozenset()}
    assert WANTED <= KINDS


def test_a_shadow_section_changes_nothing_that_is_issued():
    rules = office(staff=["a"], section={"shadow": True})
    away = leave("a", "2026-03-03", "2026-03-03")
    verdict = judge(away, rules=rules, now="09:50")
    issued = [f for f in verdict.findings if not f.shadow]
    old = judge(rules=office(staff=["a"], section=None), now="09:50")
    assert (issued, verdict.status) == (list(old.findings), old.status)
    assert [f.rule for f in verdict.findings if f.shadow] == ["staffing.no_substitute"]
    assert verdict.look_at == old.look_at


# ---- properties -------------------------------------------------------------------------------------------------------

RICH = office(
    staff=["a"],
    roster=[{"staff": ["a"]}, {"staff": ["b"], "hours": ["13:30-17:00"]}],
    lunch={"hours": ["12:00-13:30"], "days": ["tue"]},
    ab_posts=[{"a": "a", "b": "b"}],
    pair="A02",
    queues=["tax"],
)
PLAIN = office(section=None, staff=["a"])
minutes = st.integers(8 * 12, 18 * 12).map(lambda m: at("03-03 00:00") + timedelta(minutes=5 * m))
PERSON = st.sampled_from(("a", "b"))
happenings = st.one_of(
    st.builds(lambda k, t: said(f"window.{k}", t, window="A01"), st.sampled_from(("opened", "paused", "closed")), minutes),
    st.builds(
        lambda who, t, start, hours, sub: said(
            "leave.granted", t, staff=who, from_=start.isoformat(), to=(start + timedelta(minutes=20 * hours)).isoformat(), substitute=sub
        ),
        PERSON, minutes, minutes, st.integers(1, 12), st.sampled_from((None, None, "c")),
    ),
    st.builds(lambda who, t: said("leave.ended", t, staff=who), PERSON, minutes),
    st.builds(
        lambda k, t, who: said(f"cover.{k}", t, window="A01", staff=who),
        st.sampled_from(("started", "ended")), minutes, st.sampled_from(("b", "c")),
    ),
    st.builds(
        lambda k, t, n: said(f"queue.{k}", t, ticket=n, queue="tax"),
        st.sampled_from(("ticket_issued", "called", "abandoned")), minutes, st.sampled_from("12"),
    ),
    st.builds(lambda who, t: said("attendance.clock_in", t, staff=who), PERSON, minutes),
)  # fmt: skip


@st.composite
def days(draw):
    edges = sorted(draw(st.sets(minutes, min_size=2, max_size=6)))
    spans = [
        PresenceSpan(
            "k", "p", draw(st.sampled_from(("present", "absent", "absent", "absent", "unknown"))), a, b
        )
        for a, b in zip(edges, [*edges[1:], None], strict=True)
    ]
    return spans, draw(st.lists(happenings, max_size=7))


@settings(max_examples=120, deadline=None)
@given(days(), minutes, st.integers(0, 999), st.floats(0, 1))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(day, now, seed, share):
    spans, events = day
    verdict = judge_absence("A01", spans, events, RICH, now)
    mixed = [*events, *events[::2]]
    random.Random(seed).shuffle(mixed)
    assert grounds(judge_absence("A01", spans, mixed, RICH, now)) == grounds(verdict)
    ends = [m for span in spans for m in (span.since, span.until) if m is not None and m > now]
    later = min([verdict.look_at, at("03-03 23:59"), *ends]) - timedelta(microseconds=1)
    for moment in (now + (later - now) * share, later):
        assert grounds(judge_absence("A01", spans, events, RICH, moment)) == grounds(verdict)


@settings(max_examples=80, deadline=None)
@given(days(), minutes)
def test_without_the_section_nothing_of_it_is_looked_at(day, now):
    spans, events = day
    desk = [event for event in events if event.kind.startswith("window.")]
    whole, old = (
        judge_absence("A01", spans, events, PLAIN, now),
        judge_absence("A01", spans, desk, PLAIN, now),
    )
    assert (grounds(whole), whole.look_at, whole.status) == (grounds(old), old.look_at, old.status)
    assert not {"on_duty", "waiting", "urgent"} & whole.status.keys()


@settings(max_examples=80, deadline=None)
@given(days(), minutes)
def test_what_excuses_never_makes_an_absence_worse(day, now):
    """Leave with a substitute, cover and roster may shorten an absence or take it away; they lengthen none."""
    spans, events = day
    simple = office(staff=["a"])
    desk = [event for event in events if event.kind.startswith("window.")]

    def reddest(some):
        verdict = judge_absence("A01", spans, some, simple, now)
        return sum(f.rule.startswith("absence.") for f in verdict.findings)

    covers = [e for e in events if e.kind == "cover.started"]
    leaves = [e for e in events if e.kind == "leave.granted"]
    for excuse in (*covers, *leaves):
        # One excuse cuts an absence in two at the most.
        assert reddest([*desk, excuse]) <= 2 * reddest(desk)
