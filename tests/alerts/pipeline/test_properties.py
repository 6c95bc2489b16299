"""Whatever comes in whatever order: nothing is lost, nothing depends on the order, nothing changes when it is asked again."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.pipeline.draft import Draft
from alerts.pipeline.facts import Facts
from alerts.pipeline.leaving import Leaving
from alerts.planner import Planner
from alerts.reasons import Why
from domain.messages import Route
from tests.alerts.conftest import LINKS, make_centre, make_finding
from tests.alerts.pipeline.making import at, make_draft
from tests.alerts.pipeline.test_stages import silence

CENTRE = make_centre(
    budget={"per_day": 6, "keep_for_red": 2},
    flood={"more_than": 3, "within": 10, "every": 30},
    quiet={"hours": ["21:00-07:00"], "rest_days": True},
    digest={"at": "17:30"},
)
PLANNER = Planner(CENTRE, LINKS)
ROUTES = [
    Route(to=["handler"]),
    Route(id="w", to=["handler"], hours="working"),
    Route(id="h", to=["handler"], hold_for=3),
]
#: A working afternoon, a rest day, the evening before a make-up Saturday.
MOMENTS = [at("2026-02-13 10:00"), at("2026-02-18 12:00"), at("2026-02-13 21:30")]

# Person 6 has the number of person 1.
PEOPLE = {f"p{n}": f"1380000{n:04d}" for n in range(1, 5)} | {"p6": "+86 138 0000 0001"}


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Draft], Facts]:
    now = draw(st.sampled_from(MOMENTS))
    findings = [
        make_finding(
            number,
            rule=draw(st.sampled_from(["time_limit.promised", "time_limit.legal", "absence.red"])),
            severity=draw(st.sampled_from(["notice", "yellow", "red"])),
            case=f"LY-{draw(st.integers(1, 3))}",
            window=draw(st.sampled_from(["A07", "A08"])),
            opened_at=now - timedelta(minutes=draw(st.integers(0, 9))),
        )
        for number in range(draw(st.integers(1, 7)))
    ]
    drafts = [
        make_draft(
            person=person,
            role=draw(st.sampled_from(["handler", "leader", "inspectors"])),
            why=draw(st.sampled_from([Why.OPENED, Why.REOPENED, Why.REVOKED])),
            phone=PEOPLE[person],
            route=ROUTES[finding.opened_at.minute % len(ROUTES)],
            now=now,
            finding=finding,
        )
        for finding in findings
        for person in draw(st.lists(st.sampled_from(sorted(PEOPLE)), unique=True, max_size=4))
    ]
    known = [
        Leaving(person, PEOPLE[person], now - timedelta(minutes=minutes), number, gather)
        for person, minutes, number, gather in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(sorted(PEOPLE)),
                    st.integers(-60, 60),
                    st.integers(1, 4),
                    st.sampled_from([None, "group"]),
                ),
                max_size=4,
            )
        )
    ]
    silences = (silence(match={"window": ("A08",)}),) if draw(st.booleans()) else ()
    return drafts, Facts(tuple(findings), silences, tuple(known))


@settings(max_examples=150, deadline=None)
@given(batches(), st.integers(0, 9))
def test_no_draft_is_lost_and_neither_order_nor_repetition_changes_anything(
    batch: tuple[list[Draft], Facts], seed: int
) -> None:
    drafts, facts = batch
    if not drafts:
        return
    now, pipeline = drafts[0].created_at, PLANNER.stages(facts)
    decided = pipeline.exec(drafts, now)
    assert [draft.key for draft in decided] == [draft.key for draft in drafts]
    assert all(draft.verdict == "send" or draft.reason is not None for draft in decided)
    assert all(draft.leaves_at > now for draft in decided if draft.verdict == "hold")
    for before, later in zip(decided, pipeline.exec(decided, now), strict=True):
        assert (later.verdict, later.reason) == (before.verdict, before.reason)
        assert later.leaves_at >= before.leaves_at, "asked again, nothing is let go sooner"
    # The order of the people of one finding is the route's, and says who stays of those with one number.
    turn = random.Random(seed).sample(range(len(facts.open_findings)), len(facts.open_findings))
    mixed = sorted(drafts, key=lambda draft: turn[int(draft.finding.finding_id[1:])])
    again = {(draft.key, draft.news.why): draft for draft in pipeline.exec(mixed, now)}
    assert [again[draft.key, draft.news.why] for draft in decided] == decided
