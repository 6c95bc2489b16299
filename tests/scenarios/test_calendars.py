"""Complaints 13, 17, 18, 19: holidays, working hours, pauses, targets that overrule each other.

In 2026 Saturday 14 February is a working day, 15–23 February are holidays; Sunday 20 September works, 25–27 September and
1–7 October are holidays.
"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import finding, held, query
from tests.scenarios.steps import absent, centre_file, event, present, sms

WORKING = {"routes": [{"id": "cards", "match": {"severity": ["red"]}, "hours": "working", "to": ["handler"]}]}


def accept(case: str = "C1", item: str = "A-001", **data: str):  # type: ignore[no-untyped-def]
    return event("case.accepted", case=case, item=item, window="A07", **data)


@scenario(day="2026-02-13", messages=WORKING)
def test_outside_working_hours_a_message_waits_for_the_next_opening(s: Script) -> None:
    """ "Public holidays, working hours" (13: HC 1109, 1044, 926, 41): also on a Saturday that the State Council made a working day."""
    s.at("09:00", accept("C1", legal_deadline="18:30"))
    s.at("09:00", accept("C2", legal_deadline="02-14 10:00"))
    s.at("09:00", accept("C3", legal_deadline="02-18 10:00"))
    s.check("18:31", held("quiet_hours", to="张三", about="C1"))
    s.expect("02-14 09:00", sms(to="张三", contains="C1"))
    s.expect("02-14 10:00", sms(to="张三", contains="C2"))
    s.expect_none("02-14 17:01", "02-24 08:59", sms())
    s.expect("02-24 09:00", sms(to="张三", contains="C3"))


@scenario(
    day="2026-02-13",
    messages={
        "yellow": ["handler"],
        "red": ["handler"],
        "quiet": {"hours": ["21:00-07:00"], "rest_days": True, "except": ["red"]},
    },
)
def test_quiet_hours_on_the_legal_calendar(s: Script) -> None:
    """Nobody is woken for a yellow card; a red one cannot wait (13, 18)."""
    s.at("09:00", accept("C1", promised_deadline="22:00", legal_deadline="03-10 17:00"))
    s.at("09:00", accept("C2", promised_deadline="02-16 10:00", legal_deadline="03-10 17:00"))
    s.at("09:00", accept("C3", legal_deadline="02-16 10:00"))
    s.check("22:01", held("quiet_hours", to="张三", about="C1"))
    s.expect("02-14 07:00", sms(to="张三", contains=("黄牌", "C1")))  # a Saturday, but a working one
    s.expect("02-16 10:00", sms(to="张三", contains=("红牌", "C3")))
    s.expect("02-24 07:00", sms(to="张三", contains=("黄牌", "C2")))


@scenario(day="2026-09-23", messages={"yellow": ["handler"], "red": ["handler"]})
def test_limits_count_working_days_make_up_days_included(s: Script) -> None:
    """ "SLA ignores schedule / holidays" (19: osTicket 2131, 1168, 3034, 6438); "holiday feed counts days that are not holidays"
    (18: zammad 390, 5177)."""
    s.at("10:00", accept("C1", item="A-002"))  # promised 2, legal 5 working days
    # 24 September, then 28: the 25th to 27th are holidays.
    s.expect("09-28 17:00", sms(to="张三", contains=("黄牌", "C1")))
    s.expect_none("09-23 10:00", "09-28 16:59", sms())
    # 29, 30 September and 8 October: the 1st to 7th are holidays.
    s.expect("10-08 17:00", sms(to="张三", contains=("红牌", "C1")))


@scenario(
    day="2026-02-13",
    rules={"absence": {"notice": 10, "yellow": 15, "red": 30}},
    messages={"yellow": ["handler"]},
)
def test_an_empty_window_on_a_working_saturday_and_on_a_holiday(s: Script) -> None:
    """ "Public holidays" (13): a make-up Saturday is watched, a holiday is not."""
    s.at("02-14 09:59:30", present("A07"))
    s.at("02-14 10:00", absent("A07"))
    s.expect("02-14 10:15", sms(to="张三", contains=("黄牌", "无人在岗")), within="90s")
    s.at("02-14 10:20", present("A07"))
    s.at("02-16 10:00", absent("A07"))
    s.at("02-16 11:00", present("A07"))
    s.expect_none("02-15 00:00", "02-16 12:00", sms())


@scenario(day="2026-03-06", messages={"yellow": ["handler"], "red": ["handler"]})
def test_a_pause_over_a_weekend_adds_what_it_took_and_no_more(s: Script) -> None:
    """ "Pause over a weekend adds too much" (17: glpi 10594, 6902): intervals with their legal ground, not an accumulated number."""
    s.at("09:30", accept("C1", item="A-002"))  # Friday; promised 2 working days: Tuesday the 10th
    s.at("15:00", event("case.suspended", case="C1", ground="hearing"))
    s.at("03-09 10:00", event("case.resumed", case="C1"))
    # Only Monday is excluded (Saturday and Sunday count for nobody): Tuesday and Wednesday are the two days.
    s.expect_none("03-06 09:00", "03-11 16:59", sms())
    s.expect("03-11 17:00", sms(to="张三", contains=("黄牌", "C1")))


@scenario(day="2026-03-06", messages={"yellow": ["handler"], "red": ["handler"]})
def test_a_pause_survives_a_change_of_the_limits(s: Script) -> None:
    """ "Pause lost when SLA changes" (17: glpi 15429): a case keeps the limits it began under, and its pauses."""
    s.at("09:30", accept("C1", item="A-002"))
    s.at("15:00", event("case.suspended", case="C1", ground="hearing"))
    items = [{"code": "A-001"}, {"code": "A-002", "legal_limit": {"days": 2}, "promised_limit": {"days": 1}}]
    s.at("16:00", centre_file(items=items))
    s.at("03-09 10:00", event("case.resumed", case="C1"))
    s.expect_none("03-06 09:00", "03-11 16:59", sms())
    s.expect("03-11 17:00", sms(to="张三", contains=("黄牌", "C1")))


@scenario(day="2026-03-06", messages={"yellow": ["handler"], "red": ["handler"]})
def test_a_pause_that_is_told_of_late_takes_the_card_back(s: Script) -> None:
    """The hearing was on Monday, its notice is entered on Tuesday evening: the card was wrong, and says so (table row 32)."""
    s.at("09:30", accept("C1", item="A-002"))  # Friday; promised 2 working days: Tuesday the 10th
    s.expect("03-10 17:00", sms(to="张三", contains=("黄牌", "C1")))
    late = event("case.suspended", case="C1", ground="hearing", days=1, happened="03-09 09:30")
    s.at("03-10 18:00", late, event("case.resumed", case="C1", happened="03-09 16:00"))
    s.expect("03-10 18:00", sms(to="张三", contains=("撤销", "C1")))
    s.expect("03-11 17:00", sms(to="张三", contains=("黄牌", "C1")))


@scenario(day="2026-03-03", messages={"yellow": ["handler"], "red": ["handler"]})
def test_several_clocks_and_none_overrules_another(s: Script) -> None:
    """ "One target overrules another" (18: zammad 904, 5177): stage, promise and law, each card at its own moment."""
    s.at("09:30", accept("C1", item="A-002"), event("case.stage_started", case="C1", stage="审核"))
    s.expect("03-04 17:00", sms(to="张三", contains=("黄牌", "环节超时")))
    s.expect("03-05 17:00", sms(to="张三", contains=("黄牌", "超承诺时限")))
    s.expect("03-10 17:00", sms(to="张三", contains=("红牌", "超法定时限")))
    s.check(
        "03-10 17:01", finding("C1", "stage.overdue", "open"), finding("C1", "time_limit.promised", "open")
    )


@scenario(day="2026-03-03", messages={"notice": ["handler"], "yellow": ["handler"], "red": ["handler"]})
def test_warned_before_the_deadline(s: Script) -> None:
    """A warning stage before the limit, by working days (table row 3); who closes in time hears no more."""
    s.at("09:30", accept("C1", item="A-002"))
    s.expect("09:30", sms(to="张三", contains=("预警", "C1")))  # two working days before is the start already
    s.at("03-05 16:00", event("case.decided", case="C1", result="granted"))
    s.expect_none("09:32", "03-12 17:00", sms())


@scenario(day="2026-12-30", messages={"yellow": ["handler"], "red": ["handler"]})
def test_a_deadline_in_a_year_nobody_has_published_is_provisional(s: Script) -> None:
    """The next year's working days come out in November, or later: the card says that it is provisional (table row 30)."""
    s.at("09:30", accept("C1", item="A-002"))
    s.ignores(sms())  # when it opens depends on what is published by now
    sql = "select provisional from finding where rule = 'time_limit.promised'"
    s.check("2027-01-05 09:00", query("the card is provisional", sql, [(True,)]))
