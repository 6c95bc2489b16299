"""Complaints 1 and 12: repeats that come too soon, never, or by e-mail only. (AM = prometheus/alertmanager, HC = healthchecks)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.sends import next_sends
from tests.scenarios.steps import acknowledge, answer, event, message, restart, sms

#: The handler is told, and again every half hour until he says that he has seen it, three times at most.
EVERY_HALF_HOUR = [
    {
        "id": "cards",
        "match": {"severity": ["red"]},
        "to": ["handler"],
        "remind_every": 30,
        "most_reminders": 3,
        "channels": ["sms"],
    }
]


@scenario(day="2026-03-03", messages={"routes": EVERY_HALF_HOUR})
def test_repeats_keep_their_interval_and_end(s: Script) -> None:
    """ "Repeats come sooner than repeat_interval or never" (1: AM 2320, 3369, 642).

    One number; what else happens meanwhile (another card for the same people, a restart) moves nothing.
    """
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.at("14:00", event("case.accepted", case="C2", item="A-001", window="A07", legal_deadline="15:10"))
    s.expect("15:00", sms(to="张三", contains=("红牌", "C1"), why="opened"))
    s.expect("15:10", sms(to="张三", contains=("红牌", "C2"), why="opened"))
    s.at("15:20", restart)
    for number, (first, second) in enumerate((("15:30", "15:40"), ("16:00", "16:10"), ("16:30", "16:40")), 1):
        s.expect(first, sms(to="张三", contains=(f"第{number}次", "C1"), why="reminder"))
        s.expect(second, sms(to="张三", contains=(f"第{number}次", "C2"), why="reminder"))
    s.expect_none("16:45", "19:00", sms())


@scenario(day="2026-03-03", messages={"routes": EVERY_HALF_HOUR})
def test_the_next_sends_can_be_seen_in_advance(s: Script) -> None:
    """ "The three intervals are not understood" (1: AM 2647, 676): the page shows the next sends with their moments."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", why="opened"))
    s.check(
        "15:05",
        next_sends(
            "C1", ("15:30", "reminder", "张三"), ("16:00", "reminder", "张三"), ("16:30", "reminder", "张三")
        ),
    )
    s.expect("15:30", sms(to="张三", why="reminder"))
    s.check("15:35", next_sends("C1", ("16:00", "reminder", "张三"), ("16:30", "reminder", "张三")))
    s.at("15:40", acknowledge("C1", person="张三"))
    s.check("15:41", next_sends("C1"))
    s.expect_none("15:41", "18:00", sms())


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True, "wecom": False},
    messages={
        "routes": [
            {
                "id": "voice",
                "match": {"severity": ["red"], "window": ["A08"]},
                "to": ["handler"],
                "remind_every": 10,
                "channels": ["voice"],
            },
            {
                "id": "chat",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "remind_every": 10,
                "channels": ["wecom"],
            },
        ]
    },
    people=[
        {"id": "zhang", "name": "张三", "phone": "13800000001", "addresses": {"wecom": "zhangsan"}},
        {"id": "qian", "name": "钱七", "phone": "13800000005"},
        {"id": "li", "name": "李四", "phone": "13800000002"},
        {"id": "wang", "name": "王五", "phone": "13800000003"},
        {"id": "zhao", "name": "赵六", "phone": "13800000004"},
    ],
)
def test_repeats_by_whatever_channel_the_route_names(s: Script) -> None:
    """ "No repeat except by e-mail" (12: HC 510, 48, 1256, 691)."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.at("14:00", event("case.accepted", case="C2", item="A-001", window="A08", legal_deadline="15:00"))
    for moment, why in (("15:00", "opened"), ("15:10", "reminder"), ("15:20", "reminder")):
        s.expect(moment, message("wecom", to="zhangsan", contains="C1", why=why))
        s.expect(moment, message("voice", to="钱七", contains="C2", why=why))
    s.at("15:25", event("case.decided", case="C1", result="granted"))
    s.at("15:25", event("case.decided", case="C2", result="granted"))
    s.expect_none("15:25", "17:00", message())


@scenario(
    day="2026-03-06",  # a Friday
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "hours": "working",
                "to": ["handler"],
                "remind_every": 60,
                "most_reminders": 4,
            }
        ]
    },
)
def test_repeats_in_working_hours_count_working_minutes(s: Script) -> None:
    """ "Reminders at midnight or on weekends" (18: zammad 4432, 2082; 1: AM 642): office time is counted, not the clock's."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:30"))
    s.expect("15:30", sms(to="张三", why="opened"))
    s.expect("16:30", sms(to="张三", why="reminder"))
    s.expect_none("16:31", "03-09 08:59", sms())
    s.expect("03-09 09:30", sms(to="张三", why="reminder"))
    s.expect("03-09 10:30", sms(to="张三", why="reminder"))
    s.expect("03-09 11:30", sms(to="张三", why="reminder"))
    s.expect_none("03-09 11:35", "03-09 17:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "remind_every": 30,
                "escalate": [{"after": 45, "to": ["superior"]}, {"after": 120, "to": ["leader"]}],
            }
        ]
    },
)
def test_nobody_acknowledges_and_the_next_ones_hear_of_it(s: Script) -> None:
    """Handler, superior, leader in charge, one after the other, until somebody says that he has seen it (table row 11)."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", why="opened"))
    s.expect("15:30", sms(to="张三", why="reminder"))
    s.expect("15:45", sms(to="李四", contains="升级", why="escalation"))
    s.expect("16:00", sms(to="张三", why="reminder"))  # nobody hears twice within half an hour
    s.expect("16:30", sms(to="张三", why="reminder"), sms(to="李四", why="reminder"))
    s.at("16:40", acknowledge("C1", person="李四"))
    s.expect_none("16:41", "18:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "until": "answered",
                "escalate": [{"after": 30, "to": ["superior"]}, {"after": 60, "to": ["inspectors"]}],
            }
        ]
    },
)
def test_a_route_may_go_on_until_somebody_answers(s: Script) -> None:
    """To have seen it is not to have answered it: here only an answer ends the escalation (table row 11)."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:10", acknowledge("C1", person="张三"))
    s.expect("15:30", sms(to="李四", why="escalation"))
    s.at("15:40", answer("C1", person="张三"))
    s.expect_none("15:41", "18:00", sms())


@scenario(day="2026-03-03", messages={"routes": EVERY_HALF_HOUR})
def test_a_reminder_that_is_no_longer_true_is_not_sent(s: Script) -> None:
    """A decision that came late proves the card wrong: no reminder follows, and whoever was told is told of it."""
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:20", event("case.decided", case="C1", result="granted", happened="14:50"))
    s.expect("15:20", sms(to="张三", contains="撤销", why="revoked"))
    s.expect_none("15:21", "18:00", sms())
