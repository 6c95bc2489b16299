"""Each stage by itself: a table of what it holds back, until when and why."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from alerts.pipeline.budget import Budget
from alerts.pipeline.dedup import Dedup
from alerts.pipeline.draft import Draft, News, Recipient
from alerts.pipeline.flood import Flood
from alerts.pipeline.group import Group
from alerts.pipeline.hours import Hours
from alerts.pipeline.inhibit import Inhibit
from alerts.pipeline.lasting import Lasting
from alerts.pipeline.leaving import Leaving, number_of
from alerts.pipeline.links import LinkTimes
from alerts.pipeline.silence import Silenced
from alerts.reasons import Reason, Why
from alerts.silence import Silence
from domain.messages import BudgetSettings, FloodSettings, GroupSettings, Route
from domain.recurring import Recurring
from tests.alerts.conftest import NOW, make_centre, make_finding
from tests.alerts.pipeline.making import SHANGHAI, after, at, make_draft

MINUTE = timedelta(minutes=1)


def reasons(drafts: list[Draft]) -> list[Reason | None]:
    return [draft.reason for draft in drafts]


# -- group ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "grouped"),
    [
        (("leader",), True),
        (("handler",), False),
        (("superior",), False),
        (("leader", "superior"), False),  # a card comes by itself, whoever else the person is
        (("leader", "inspectors"), False),
        ((), False),
    ],
)
def test_only_messages_to_leaders_are_grouped_and_never_cards(roles: tuple[str, ...], grouped: bool) -> None:
    draft = dataclasses.replace(make_draft(severity="red"), roles=roles)
    (decided,) = after(Group(GroupSettings(wait=1)), [draft])
    assert (decided.verdict, decided.reason) == (("hold", Reason.GROUP) if grouped else ("send", None))
    assert decided.gather == ("group" if grouped else None)
    assert decided.leaves_at == NOW + (MINUTE if grouped else 0 * MINUTE)


def test_a_group_counts_from_when_its_message_would_leave() -> None:
    waits = make_draft(role="leader").hold(Reason.HOLD_FOR, NOW + 5 * MINUTE)
    (decided,) = after(Group(GroupSettings(wait=2)), [waits])
    assert (decided.reason, decided.gather, decided.until) == (Reason.HOLD_FOR, "group", NOW + 7 * MINUTE)


def test_corrections_are_gathered_apart_from_what_they_correct() -> None:
    (decided,) = after(Group(GroupSettings()), [make_draft(role="leader", why=Why.REVOKED)])
    assert decided.gather == "group:corrections"


# -- hold for ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "why", "until"),
    [
        (0, Why.OPENED, 3),
        (2, Why.OPENED, 1),
        (3, Why.OPENED, None),  # it has lasted
        (60, Why.REOPENED, 3),  # it has to last again
        (0, Why.REMINDER, None),
        (0, Why.REVOKED, None),
    ],
)
def test_nobody_is_told_before_it_has_lasted(opened: int, why: Why, until: int | None) -> None:
    draft = make_draft(why=why, route=Route(to=["handler"], hold_for=3), opened_at=NOW - opened * MINUTE)
    (decided,) = after(Lasting(), [draft])
    assert decided.leaves_at == NOW + (until or 0) * MINUTE
    assert decided.reason is (Reason.HOLD_FOR if until else None)


def test_what_was_over_before_its_time_is_told_to_nobody() -> None:
    ended = {"opened_at": NOW - 10 * MINUTE, "closed_at": NOW - 8 * MINUTE, "state": "closed"}
    draft = make_draft(route=Route(to=["handler"], hold_for=3), **ended)
    (decided,) = after(Lasting(), [draft])
    assert (decided.verdict, decided.reason) == ("skip", Reason.OVER)
    assert decided.detail["hold_for"] == 3


# -- inhibit -------------------------------------------------------------------------------------------------------------


def inhibited(target: Draft, *sources: object, **settings: object) -> Draft:
    centre = make_centre(**settings)
    return after(Inhibit(centre, sources), [target])[0]  # type: ignore[arg-type]


def test_the_first_inhibitor_is_recorded() -> None:
    newer = make_finding(7, rule="time_limit.legal", case="LY-0001", opened_at=NOW)
    older = make_finding(9, rule="time_limit.legal", case="LY-0001", opened_at=NOW - MINUTE)
    decided = inhibited(make_draft(1), newer, older)
    assert (decided.verdict, decided.reason) == ("skip", Reason.INHIBITED)
    assert decided.detail == {
        "inhibitor": "f9",
        "rule": "time_limit.legal",
        "opened_at": (NOW - MINUTE).astimezone(SHANGHAI).isoformat(),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"case": "LY-0002"},
        {"case": None},
        {"case": "LY-0001", "state": "closed"},
        {"case": "LY-0001", "rule": "time_limit.notice"},
    ],
)
def test_another_case_a_closed_finding_or_another_rule_inhibits_nothing(changes: dict[str, object]) -> None:
    source = make_finding(7, **({"rule": "time_limit.legal"} | changes))
    assert inhibited(make_draft(1), source).reason is None


@pytest.mark.parametrize("why", [Why.REVOKED, Why.LATE])
def test_corrections_and_late_answers_are_told_all_the_same(why: Why) -> None:
    source = make_finding(7, rule="time_limit.legal", case="LY-0001")
    assert inhibited(make_draft(1, why=why), source).reason is None


def test_two_that_could_inhibit_each_other_do_not() -> None:
    both = [{"source": {"rule": ["absence.*"]}, "target": {"rule": ["absence.*"]}, "equal": ["window"]}]
    one, other = (make_finding(n, rule="absence.red", case=None) for n in (1, 2))
    assert inhibited(make_draft(finding=one), one, other, inhibit=both).reason is None


def test_a_finding_that_names_its_own_cause() -> None:
    decided = inhibited(make_draft(1, explain={"inhibited_by": "source:site:hall"}))
    assert (decided.reason, decided.detail) == (Reason.INHIBITED, {"inhibitor": "source:site:hall"})


# -- silence -------------------------------------------------------------------------------------------------------------


def silence(number: int = 1, **changes: object) -> Silence:
    given: dict[str, object] = {
        "silence_id": number,
        "centre": "530502",
        "match": {"window": ("A07",)},
        "author": "p4",
        "reason": "装修",
        "starts_at": at("2026-02-13 08:00"),
        "ends_at": at("2026-02-16 08:00"),
    }
    return Silence(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-02-13 12:00", None),  # a Friday at work
        ("2026-02-13 19:00", "2026-02-14 08:00"),  # … and its evening
        ("2026-02-14 12:00", None),  # a Saturday that is worked, before the spring festival
        ("2026-02-14 19:00", "2026-02-16 00:00"),  # from the night straight into the day of rest
        ("2026-02-15 12:00", "2026-02-16 00:00"),  # the holiday begins on Sunday
    ],
)
def test_a_recurring_silence_follows_the_legal_calendar(moment: str, until: str | None) -> None:
    rest, nights = Recurring(days=("rest",)), Recurring(days=("working",), hours=("18:00-08:00",))
    silences = [silence(1, recurring=nights), silence(2, recurring=rest, ends_at=at("2026-02-16 00:00"))]
    now = at(moment)
    (decided,) = after(Silenced(make_centre(), silences), [make_draft(now=now, severity="red")], now)
    assert decided.until == (None if until is None else at(until))
    assert decided.reason is (None if until is None else Reason.SILENCED)


def test_the_silence_and_its_author_are_recorded_and_cards_wait_one_by_one() -> None:
    now = at("2026-02-13 12:00")
    drafts = [
        make_draft(1, now=now),
        make_draft(1, "p4", "inspectors", now=now),
        make_draft(2, now=now, window="A08"),
    ]
    card, other, elsewhere = after(Silenced(make_centre(), [silence()]), drafts, now)
    assert (card.reason, card.gather, card.until) == (Reason.SILENCED, None, at("2026-02-16 08:00"))
    assert card.detail == {"silence": 1, "author": "p4"}
    assert other.gather == "silenced"
    assert elsewhere.verdict == "send"


def test_a_message_waits_for_the_last_of_several_silences() -> None:
    now = at("2026-02-13 12:00")
    second = silence(2, match={"person": ("p1",)}, ends_at=at("2026-02-17 08:00"))
    (decided,) = after(Silenced(make_centre(), [silence(), second]), [make_draft(now=now)], now)
    assert decided.until == at("2026-02-17 08:00")


# -- hours ---------------------------------------------------------------------------------------------------------------

WORKING = Route(id="w", to=["handler"], hours="working")


@pytest.mark.parametrize(
    ("moment", "leaves"),
    [
        ("2026-02-13 10:00", "2026-02-13 10:00"),
        ("2026-02-13 12:30", "2026-02-13 13:30"),  # lunch
        ("2026-02-13 18:00", "2026-02-14 09:00"),  # the next day is a Saturday, and worked
        ("2026-02-14 10:00", "2026-02-14 10:00"),  # make-up day: 调休上班
        ("2026-02-14 17:00", "2026-02-24 09:00"),  # spring festival from the 15th to the 23rd
        ("2026-02-20 10:00", "2026-02-24 09:00"),  # a Friday that is a holiday
        ("2026-02-28 10:00", "2026-02-28 10:00"),  # another Saturday that is worked
    ],
)
def test_business_hours_know_holidays_and_make_up_weekends(moment: str, leaves: str) -> None:
    now = at(moment)
    draft = make_draft(now=now, route=WORKING, severity="red")
    (decided,) = after(Hours(make_centre()), [draft], now)
    assert decided.leaves_at == at(leaves)
    assert decided.reason is (None if moment == leaves else Reason.QUIET_HOURS)


QUIET = {"quiet": {"hours": ["21:00-07:00"], "rest_days": True, "except": ["red"]}}


@pytest.mark.parametrize(
    ("moment", "severity", "leaves"),
    [
        ("2026-02-13 20:59", "yellow", "2026-02-13 20:59"),
        ("2026-02-13 21:00", "yellow", "2026-02-14 07:00"),  # Saturday is no rest day this time
        ("2026-02-14 21:00", "yellow", "2026-02-24 07:00"),
        ("2026-02-18 12:00", "yellow", "2026-02-24 07:00"),
        ("2026-02-18 12:00", "red", "2026-02-18 12:00"),  # spared
        ("2026-03-07 12:00", "notice", "2026-03-09 07:00"),  # a plain weekend
    ],
)
def test_quiet_hours_end_on_the_legal_calendar(moment: str, severity: str, leaves: str) -> None:
    now = at(moment)
    (decided,) = after(Hours(make_centre(**QUIET)), [make_draft(now=now, severity=severity)], now)
    assert decided.leaves_at == at(leaves)


def test_quiet_hours_and_hours_of_a_route_are_both_kept() -> None:
    now = at("2026-02-13 22:00")
    (decided,) = after(Hours(make_centre(**QUIET)), [make_draft(now=now, route=WORKING)], now)
    assert decided.leaves_at == at("2026-02-14 09:00")


# -- flood ---------------------------------------------------------------------------------------------------------------

THREE = FloodSettings(more_than=3, within=10, every=30)


def test_what_is_too_many_for_one_person_is_gathered() -> None:
    drafts = [make_draft(n, role="superior", opened_at=NOW + n * MINUTE) for n in range(1, 6)] + [
        make_draft(1, "p2", "superior")
    ]
    decided = after(Flood(THREE, []), drafts)
    assert reasons(decided) == [None, None, None, Reason.FLOOD, Reason.FLOOD, None]
    assert {(draft.until, draft.gather) for draft in decided[3:5]} == {(NOW + 30 * MINUTE, "flood")}


def test_cards_to_whoever_has_to_answer_them_are_never_gathered() -> None:
    assert reasons(after(Flood(THREE, []), [make_draft(n) for n in range(9)])) == [None] * 9
    notices = [make_draft(n, severity="notice") for n in range(9)]
    assert reasons(after(Flood(THREE, []), notices)).count(Reason.FLOOD) == 6


def test_red_cards_to_handler_and_superior_are_never_gathered_but_count() -> None:
    drafts = [make_draft(n, role="superior", severity="red") for n in range(5)] + [
        make_draft(9, role="superior")
    ]
    assert reasons(after(Flood(THREE, []), drafts)) == [None] * 5 + [Reason.FLOOD]
    leaders = [make_draft(n, role="leader", severity="red") for n in range(5)]
    assert reasons(after(Flood(THREE, []), leaders)).count(Reason.FLOOD) == 2


@pytest.mark.parametrize(("minutes", "flooded"), [(9, True), (11, False)])
def test_messages_of_the_last_minutes_count(minutes: int, flooded: bool) -> None:
    leaving = [Leaving("p1", "1", NOW - minutes * MINUTE, 3), Leaving("p2", "2", NOW, 3)]
    (decided,) = after(Flood(THREE, leaving), [make_draft(role="superior")])
    assert decided.reason is (Reason.FLOOD if flooded else None)


def test_a_group_is_one_message_however_many_are_in_it() -> None:
    grouped = [make_draft(n, role="leader").hold(Reason.GROUP, NOW + MINUTE, Reason.GROUP) for n in range(9)]
    assert set(reasons(after(Flood(THREE, []), grouped))) == {Reason.GROUP}
    many = [Leaving("p1", "1", NOW - MINUTE, 3)]
    assert {draft.until for draft in after(Flood(THREE, many), grouped)} == {NOW + 31 * MINUTE}


# -- budget --------------------------------------------------------------------------------------------------------------

FIVE = {"budget": {"per_day": 5, "keep_for_red": 2}}
MORNING = at("2026-02-13 09:00")  # a Friday; the Saturday after it is worked


def test_a_number_takes_so_many_messages_a_day_and_the_last_are_kept_for_red_cards() -> None:
    drafts = [make_draft(n, now=MORNING) for n in range(5)]
    drafts += [make_draft(10 + n, severity="red", now=MORNING) for n in range(4)]
    decided = after(Budget(make_centre(**FIVE), []), drafts, MORNING)
    assert reasons(decided)[5:] == [None] * 4, "four red cards, and one of the five was left for the rest"
    assert reasons(decided)[:5] == [Reason.BUDGET] * 5, (
        "red cards come first, and two are kept for later ones"
    )
    assert {(draft.until, draft.gather) for draft in decided[:5]} == {(at("2026-02-14 09:00"), "budget")}


def test_red_cards_have_a_limit_too_and_become_a_digest() -> None:
    drafts = [make_draft(n, severity="red", now=MORNING) for n in range(7)]
    decided = after(Budget(make_centre(**FIVE), []), drafts, MORNING)
    assert reasons(decided).count(Reason.BUDGET) == 2


def test_what_falls_out_leaves_with_the_next_digest() -> None:
    centre = make_centre(digest={"at": "17:30"}, **FIVE)
    sent = [Leaving("p1", "13800000001", MORNING - MINUTE, 3)]
    (decided,) = after(Budget(centre, sent), [make_draft(now=MORNING)], MORNING)
    assert (decided.until, decided.detail) == (at("2026-02-13 17:30"), {"sent": 3})


def test_a_digest_of_the_same_day_has_the_last_place_of_that_day() -> None:
    drafts = [make_draft(n, severity="red", now=MORNING) for n in range(7)]
    decided = after(Budget(make_centre(digest={"at": "17:30"}, **FIVE), []), drafts, MORNING)
    assert reasons(decided).count(None) == 4
    assert {draft.until for draft in decided if draft.reason} == {at("2026-02-13 17:30")}


@pytest.mark.parametrize(
    ("leaving", "held"),
    [
        (Leaving("p9", "+86 138 0000 0001", MORNING, 3), True),  # another person, the same number
        (Leaving("p1", "13800000001", MORNING, 2), False),
        (Leaving("p1", "13800000001", at("2026-02-12 23:59"), 9), False),  # the day before, in Shanghai
        (Leaving("p1", "13800000001", at("2026-02-13 23:59"), 3), True),  # waits, and leaves today
        (Leaving("p1", "13800000001", at("2026-02-13 23:59"), 9, "group"), False),  # nine that leave as one
    ],
)
def test_the_number_and_its_local_day_count(leaving: Leaving, held: bool) -> None:
    (decided,) = after(Budget(make_centre(**FIVE), [leaving]), [make_draft(now=MORNING)], MORNING)
    assert decided.reason is (Reason.BUDGET if held else None)


def test_only_telephone_numbers_have_a_budget() -> None:
    drafts = [make_draft(n, phone="zhang@example.cn", now=MORNING) for n in range(9)]
    assert set(reasons(after(Budget(make_centre(**FIVE), []), drafts, MORNING))) == {None}
    assert (number_of("+86 138-0000-0001"), number_of("room"), number_of("a1")) == ("13800000001", None, None)


def test_cards_that_waited_over_a_holiday_do_not_all_leave_at_once() -> None:
    """More than the number takes on the day they are let go: the rest is gathered."""
    end = at("2026-02-24 07:00")
    drafts = [make_draft(n, now=MORNING).hold(Reason.QUIET_HOURS, end) for n in range(6)]
    decided = after(Budget(make_centre(**FIVE), []), drafts, MORNING)
    assert [draft.gather for draft in decided].count("budget") == 3
    assert {draft.until for draft in decided if draft.gather} == {at("2026-02-25 09:00")}
    assert set(reasons(decided)) == {Reason.QUIET_HOURS}, "the first reason stands"


# -- dedup ---------------------------------------------------------------------------------------------------------------


def test_one_message_for_one_phone_and_the_first_of_the_route_stays() -> None:
    drafts = [
        make_draft(1, "p1"),
        make_draft(1, "p6", "superior", phone="+86 138 0000 0001"),
        make_draft(2, "p1"),
    ]
    decided = after(Dedup(), drafts)
    assert reasons(decided) == [None, Reason.SAME_PHONE, None]
    assert decided[1].detail == {"told": "p1"}


def test_of_two_with_one_phone_the_one_who_is_told_sooner_stays() -> None:
    waits = make_draft(1, "p1").hold(Reason.SILENCED, NOW + MINUTE)
    decided = after(Dedup(), [waits, make_draft(1, "p6", "superior", phone="13800000001")])
    assert reasons(decided) == [Reason.SAME_PHONE, None]


def test_people_without_a_number_are_not_all_one() -> None:
    addresses = ["zhang", "li", "room", "room"]
    drafts = [make_draft(1, f"p{n}", phone=address) for n, address in enumerate(addresses, start=1)]
    assert reasons(after(Dedup(), drafts)) == [None, None, None, Reason.SAME_PHONE]


@pytest.mark.parametrize(
    ("why", "told"),
    [(Why.REOPENED, True), (Why.ESCALATION, True), (Why.REMINDER, False), (Why.REVOKED, False)],
)
@pytest.mark.parametrize("earlier", [Recipient("p1", "139"), Recipient("p9", "+8613800000001")])
def test_whoever_knows_already_is_told_again_only_by_reminders(
    why: Why, told: bool, earlier: Recipient
) -> None:
    draft = make_draft(1)
    news = News(draft.finding, why, why.value, earlier=(earlier,))
    (decided,) = after(Dedup(), [dataclasses.replace(draft, news=news)])
    assert decided.reason is (Reason.ALREADY_TOLD if told else None)


# -- links, and what a verdict is ----------------------------------------------------------------------------------------


def test_a_link_lives_from_the_moment_its_message_leaves() -> None:
    waits = dataclasses.replace(make_draft(), ack_digest="x").hold(Reason.QUIET_HOURS, NOW + 60 * MINUTE)
    (decided,) = after(LinkTimes(timedelta(hours=72), SHANGHAI), [waits])
    assert decided.ack_expires_at == NOW + timedelta(hours=73)
    assert decided.params["ack_until"] == (NOW + timedelta(hours=73)).astimezone(SHANGHAI).isoformat()


def test_the_first_reason_stands_and_the_later_moment_counts() -> None:
    held = (
        make_draft().hold(Reason.GROUP, NOW + MINUTE, "group").hold(Reason.FLOOD, NOW + 30 * MINUTE, "flood")
    )
    assert (held.reason, held.gather, held.until) == (Reason.GROUP, "group", NOW + 30 * MINUTE)
    assert held.waits_for(Reason.FLOOD)
    sooner = held.hold(Reason.BUDGET, NOW + 2 * MINUTE)
    assert sooner == held
    skipped = held.skip(Reason.INHIBITED).skip(Reason.OVER).hold(Reason.GROUP, NOW + timedelta(days=9))
    assert (skipped.verdict, skipped.reason, skipped.until) == ("skip", Reason.INHIBITED, None)
    assert BudgetSettings().keep_for_red == 10
