"""Absence: only what is vouched for, only inside open hours, never from unknown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.absence import judge_absence
from domain.events import parse_event
from domain.observations import PresenceSpan
from tests.detectors.making import at, centre, show

ONE = centre(
    cameras=[
        {
            "id": "k",
            "url": "sim://k",
            "posts": [{"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}],
        }
    ]
)
TWO = centre(
    cameras=[
        {
            "id": "k",
            "url": "sim://k",
            "posts": [{"name": n, "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]} for n in ("p", "q")],
        }
    ]
)


def span(state, since, until=None, post="p", seen=None, reason=None):
    """Times of Tuesday 2026-03-03."""
    return PresenceSpan(
        "k",
        post,
        state,
        at(f"03-03 {since}"),
        at(f"03-03 {until}") if until else None,
        reason,
        at(f"03-03 {seen}") if seen else None,
    )


def desk(kind, when):
    return parse_event(
        {
            "event_id": f"{kind}{when}",
            "kind": f"window.{kind}",
            "occurred_at": at(f"03-03 {when}").isoformat(),
            "source": "q",
            "window": "A01",
        }
    )


def judge(*spans, now, desk_events=(), rules=ONE):
    return judge_absence("A01", spans, desk_events, rules, at(now if "-" in now else f"03-03 {now}"))


def found(verdict):
    return [
        (f.severity, show(f.opened_at)[6:], show(f.closed_at) and show(f.closed_at)[6:])
        for f in verdict.findings
    ]


def test_notice_yellow_and_red_after_10_15_and_30_minutes():
    spans = [span("present", "09:00", "09:30"), span("absent", "09:30")]
    assert found(judge(*spans, now="09:39:59")) == []
    assert found(judge(*spans, now="09:40")) == [("notice", "09:40", None)]
    assert found(judge(*spans, now="10:00")) == [
        ("notice", "09:40", None),
        ("yellow", "09:45", None),
        ("red", "10:00", None),
    ]


def test_all_close_when_somebody_is_back():
    spans = [span("absent", "09:30", "09:50"), span("present", "09:50")]
    verdict = judge(*spans, now="10:30")
    assert found(verdict) == [("notice", "09:40", "09:50"), ("yellow", "09:45", "09:50")]
    assert (
        verdict.findings[0].explain["absent_until"]["earliest"]
        == verdict.findings[0].explain["absent_until"]["latest"]
    )


def test_present_for_a_moment_begins_the_count_anew():
    spans = [span("absent", "09:30", "09:39"), span("present", "09:39", "09:40"), span("absent", "09:40")]
    assert found(judge(*spans, now="09:49")) == []


@pytest.mark.parametrize("reason", ["covered", "dark", "stale"])
def test_unknown_never_counts_and_interrupts(reason):
    spans = [
        span("absent", "09:30", "09:39"),
        span("unknown", "09:39", "09:40", reason=reason),
        span("absent", "09:40"),
    ]
    assert found(judge(*spans, now="09:49")) == []
    assert found(judge(span("unknown", "09:00", reason=reason), now="11:00")) == []
    assert found(judge(now="11:00")) == []


def test_lunch_and_closing_end_an_absence():
    assert found(judge(span("absent", "11:50"), now="13:39")) == []
    assert found(judge(span("absent", "11:51"), now="13:39")) == []
    assert found(judge(span("absent", "11:51"), now="13:40")) == [("notice", "13:40", None)]
    assert found(judge(span("absent", "16:45"), now="18:00")) == [("notice", "16:55", "17:00")]


def test_absence_before_opening_counts_from_opening():
    assert found(judge(span("absent", "07:00"), now="09:10")) == [("notice", "09:10", None)]


def test_rest_days_have_no_absence():
    night = PresenceSpan("k", "p", "absent", at("03-07 00:00"))
    assert judge_absence("A01", [night], [], ONE, at("03-07 16:00")).findings == ()
    make_up = PresenceSpan("k", "p", "absent", at("02-28 00:00"))
    assert len(judge_absence("A01", [make_up], [], ONE, at("02-28 09:20")).findings) == 2


def test_a_paused_or_closed_window_may_be_empty():
    absent = span("absent", "09:30")
    for kind in ("paused", "closed"):
        assert found(judge(absent, now="11:00", desk_events=[desk(kind, "09:35")])) == []
        reopened = [desk(kind, "09:35"), desk("opened", "10:00")]
        assert found(judge(absent, now="10:10", desk_events=reopened)) == [("notice", "10:10", None)]
        assert found(judge(absent, now="11:00", desk_events=[desk(kind, "09:47")])) == [
            ("notice", "09:40", "09:47"), ("yellow", "09:45", "09:47"),
        ]  # fmt: skip


def test_opened_while_open_is_no_interruption():
    assert found(judge(span("absent", "09:30"), now="09:41", desk_events=[desk("opened", "09:35")])) == [
        ("notice", "09:40", None)
    ]


def test_present_at_any_post_is_present_and_absent_needs_them_all():
    def two(other):
        return found(judge(span("absent", "09:30"), *other, now="09:41", rules=TWO))

    assert two([span("present", "09:30", post="q")]) == []
    assert two([span("unknown", "09:30", post="q")]) == []
    assert two([]) == [], "a post nobody has heard of is not absent"
    assert two([span("absent", "09:31", post="q")]) == [("notice", "09:41", None)]


def test_a_post_that_is_no_longer_in_the_centre_file_says_nothing():
    for left in (span("present", "08:00", post="gone"), span("absent", "08:00", post="gone", seen="08:10")):
        assert found(judge(span("absent", "09:30", seen="09:41"), left, now="09:41")) == [
            ("notice", "09:40", None)
        ]


def test_only_time_a_camera_vouches_for_counts():
    assert found(judge(span("absent", "09:30", seen="09:39:50"), now="09:40:10")) == []
    assert found(judge(span("absent", "09:30", seen="09:40:05"), now="09:40:10")) == [
        ("notice", "09:40", None)
    ]
    # Nothing heard for a minute: nobody knows, and nothing more opens.
    assert found(judge(span("absent", "09:30", seen="09:41"), now="10:30")) == [("notice", "09:40", None)]
    assert judge(span("absent", "09:30", seen="09:41"), now="10:30").status["presence"] == "unknown"


def test_an_absence_that_ends_in_unknown_is_reported_with_its_bounds():
    spans = [span("absent", "09:30", "09:42"), span("unknown", "09:42", "09:55", reason="covered")]
    assert found(judge(*spans, now="09:50")) == [("notice", "09:40", None)]
    verdict = judge(*spans, span("present", "09:55"), now="10:30")
    assert found(verdict) == [("notice", "09:40", "09:55")]
    bounds = verdict.findings[0].explain["absent_until"]
    assert (bounds["earliest"][11:16], bounds["latest"][11:16]) == ("09:42", "09:55")


@pytest.mark.parametrize(
    ("before", "bounds"),
    [
        ([span("present", "08:00", "09:20"), span("unknown", "09:20", "09:30")], ("09:20", "09:30")),
        (
            [span("unknown", "08:00", "09:30", reason="dark")],
            ("09:00", "09:30"),
        ),  # never before the window opened
        (
            [
                span("absent", "09:05", "09:12"),
                span("unknown", "09:12", "09:20", reason="dark"),
                span("unknown", "09:20", "09:30", reason="moved"),
            ],
            ("09:12", "09:30"),
        ),
        ([span("present", "08:00", "09:30")], None),
    ],
)
def test_an_absence_that_begins_in_unknown_is_counted_from_what_is_sure(before, bounds):
    verdict = judge(*before, span("absent", "09:30"), now="09:45")
    assert found(verdict) == [("notice", "09:40", None), ("yellow", "09:45", None)]
    for finding in verdict.findings:
        told = finding.explain.get("absent_from")
        assert (told and (told["earliest"][11:16], told["latest"][11:16])) == bounds


def test_status_for_the_wall():
    status = judge(span("absent", "09:30"), now="09:35").status
    assert (status["presence"], status["desk"], status["open"]) == ("absent", "open", True)
    assert judge(span("absent", "09:30"), now="12:30").status["open"] is False
    assert (
        judge(span("absent", "09:30"), now="09:35", desk_events=[desk("paused", "09:31")]).status["desk"]
        == "paused"
    )


def test_what_begins_at_this_very_moment_is_looked_at_in_time():
    for spans, events, now in (
        ([span("absent", "09:30")], [], "09:30"),
        ([span("absent", "08:00")], [], "09:00"),
        ([span("absent", "09:00")], [desk("paused", "09:05"), desk("opened", "10:00")], "10:00"),
    ):
        verdict = judge(*spans, now=now, desk_events=events)
        assert verdict.look_at == at(f"03-03 {now}") + timedelta(minutes=10)


def test_minutes_are_settings():
    strict = centre(rules={"absence": {"notice": 1, "yellow": 2, "red": 3}})
    assert len(judge(span("absent", "09:30"), now="09:33", rules=strict).findings) == 3


minutes = st.integers(8 * 60, 18 * 60)


@st.composite
def days(draw):
    edges = sorted(draw(st.sets(minutes, min_size=2, max_size=8)))
    spans = []
    for since, until in zip(edges, [*edges[1:], None], strict=True):
        spans.append(
            PresenceSpan(
                "k",
                "p",
                draw(st.sampled_from(("present", "absent", "absent", "unknown"))),
                at("03-03 00:00") + timedelta(minutes=since),
                None if until is None else at("03-03 00:00") + timedelta(minutes=until),
            )
        )
    kinds = st.tuples(st.sampled_from(("opened", "paused", "closed")), minutes)
    events = [desk(k, f"{m // 60:02}:{m % 60:02}") for k, m in draw(st.lists(kinds, max_size=3, unique=True))]
    return spans, events


def grounds(verdict):
    return [(f.finding_id, f.closed_at, dict(f.explain)) for f in verdict.findings]


@settings(max_examples=80, deadline=None)
@given(days(), minutes, st.floats(0, 1))
def test_nothing_changes_before_look_at(day, now, share):
    spans, events = day
    moment = at("03-03 00:00") + timedelta(minutes=now)
    verdict = judge_absence("A01", spans, events, ONE, moment)
    assert verdict.look_at is not None
    later = min(verdict.look_at, at("03-03 23:59")) - timedelta(microseconds=1)
    future = [s.since for s in spans if s.since > moment] + [
        s.until for s in spans if s.until and s.until > moment
    ]
    later = min(
        [
            later,
            *(
                m - timedelta(microseconds=1)
                for m in (*future, *(e.occurred_at for e in events))
                if m > moment
            ),
        ]
    )
    for t in (moment + (later - moment) * share, later):
        assert grounds(judge_absence("A01", spans, events, ONE, t)) == grounds(verdict)


@settings(max_examples=80, deadline=None)
@given(days(), minutes)
def test_every_finding_stands_on_that_much_uninterrupted_absence(day, now):
    spans, events = day
    verdict = judge_absence("A01", spans, events, ONE, at("03-03 00:00") + timedelta(minutes=now))
    for finding in verdict.findings:
        need = timedelta(minutes={"notice": 10, "yellow": 15, "red": 30}[finding.severity])
        begin = finding.opened_at - need
        # Every minute of it lies inside one absent span, or several that follow each other without a gap.
        t = begin
        while t < finding.opened_at:
            assert any(
                s.state == "absent" and s.since <= t and (s.until is None or t < s.until) for s in spans
            )
            t += timedelta(minutes=1)
