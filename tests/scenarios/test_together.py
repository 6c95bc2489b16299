"""Where the parts meet: silences and reminders, quiet hours and escalation, groups and revocations, floods and acknowledgements."""

from __future__ import annotations

from typing import Any

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import chain, gathered, held, not_sent, row
from tests.scenarios.steps import (
    absent,
    acknowledge,
    answer,
    centre_file,
    delivered,
    down,
    event,
    gateway,
    kill_sender,
    locked,
    message,
    present,
    refuses,
    restart,
    rules_away,
    silence,
    sms,
    undelivered,
)

RED = {"severity": ["red"]}
YELLOW = {"severity": ["yellow"]}


def overdue(s: Script, case: str = "C1", deadline: str = "15:00", **data: Any) -> None:
    s.at(
        "09:00",
        event("case.accepted", case=case, item="A-001", window="A07", legal_deadline=deadline, **data),
    )


# -- quiet hours -------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    messages={
        "quiet": {"hours": ["21:00-07:00"]},
        "routes": [
            {
                "id": "cards",
                "match": YELLOW,
                "to": ["handler"],
                "remind_every": 30,
                "most_reminders": 2,
                "escalate": [{"after": 45, "to": ["superior"]}],
            }
        ],
    },
)
def test_the_escalation_counts_from_when_somebody_could_hear(s: Script) -> None:
    """Found at ten in the evening, told at seven: reminders and steps begin at seven, too."""
    overdue(s, "C1", "03-20 17:00", promised_deadline="22:00")
    s.check("22:01", held("quiet_hours", to="张三", about="C1"))
    s.expect("03-04 07:00", sms(to="张三", why="opened"))
    s.expect("03-04 07:30", sms(to="张三", why="reminder"))
    s.expect("03-04 07:45", sms(to="李四", why="escalation"))
    s.expect("03-04 08:00", sms(to="张三", why="reminder"))
    s.expect_none("03-04 08:01", "03-04 12:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "quiet": {"hours": ["21:00-07:00"]},
        "routes": [
            {"id": "cards", "match": YELLOW, "to": ["handler"], "remind_every": 60, "most_reminders": 9}
        ],
    },
)
def test_a_night_of_reminders_is_not_made_up_for(s: Script) -> None:
    """Reminders rest in the quiet hours; in the morning comes one, not ten."""
    overdue(s, "C1", "03-20 17:00", promised_deadline="19:30")
    s.expect("19:30", sms(to="张三", why="opened"))
    s.expect("20:30", sms(to="张三", why="reminder"))
    s.expect_none("20:31", "03-04 06:59", sms())
    s.expect("03-04 07:00", sms(to="张三", why="reminder"))
    s.expect("03-04 08:00", sms(to="张三", why="reminder"))
    s.at("03-04 08:10", acknowledge("C1", person="张三"))
    s.expect_none("03-04 08:11", "03-04 12:00", sms())


# -- silences ----------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    messages={
        "routes": [{"id": "cards", "match": RED, "to": ["handler"], "remind_every": 30, "most_reminders": 9}]
    },
)
def test_a_silence_over_reminders_lets_one_out_at_its_end(s: Script) -> None:
    """Two hours of silence hold back four reminders; one is told when it ends, and then they go on."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:10", silence({"case": "C1"}, until="17:10", author="赵六", reason="正在现场核实"))
    s.expect_none("15:11", "17:09:59", sms())
    s.expect("17:10", sms(to="张三", contains="第4次", why="reminder"))
    s.check("17:11", not_sent("superseded", to="张三", about="C1"))
    s.expect("17:30", sms(to="张三", contains="第5次", why="reminder"))
    s.at("17:40", acknowledge("C1", person="张三"))
    s.expect_none("17:41", "19:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [{"id": "cards", "match": RED, "to": ["handler"], "remind_every": 30, "most_reminders": 9}]
    },
)
def test_who_acts_during_a_silence_hears_nothing_at_its_end(s: Script) -> None:
    """A held reminder of what was acknowledged meanwhile is not sent, and its row says why."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:10", silence({"case": "C1"}, until="17:10", author="赵六", reason="正在现场核实"))
    s.at("16:10", acknowledge("C1", person="张三"))
    s.expect_none("15:11", "19:00", sms())
    s.check("17:11", not_sent("acknowledged", to="张三", about="C1"))


# -- groups ------------------------------------------------------------------------------------------------------------


@scenario(day="2026-03-03", messages={"red": ["handler", "leader"], "group": {"wait": 5}})
def test_revoked_while_it_waits_for_the_group(s: Script) -> None:
    """The leader never hears of what was revoked before his message left; the handler, who was told, does."""
    overdue(s, "C1")
    overdue(s, "C2")
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="张三", contains="C2"))
    s.at("15:02", event("case.decided", case="C1", result="granted", happened="14:50"))
    s.expect("15:02", sms(to="张三", contains=("撤销", "C1")))
    s.expect("15:05", sms(to="王五", contains=("红牌", "C2"), lacks="C1", why="opened"))
    s.check("15:06", not_sent("revoked", to="王五", about="C1"))
    s.expect_none("15:06", "18:00", sms())


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={"red": ["handler", "leader"], "channels": ["sms", "voice"]},
)
def test_a_group_goes_on_by_the_next_channel_as_one(s: Script) -> None:
    """The leader's phone is off: the digest goes on by voice as it is, and what it told stays told in it."""
    s.at("09:00", gateway("sms", undelivered, to="王五"))
    overdue(s, "C1")
    overdue(s, "C2")
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="张三", contains="C2"))
    s.expect("15:01", sms(to="王五", contains="2项"))
    s.expect("15:01:05", message("voice", to="王五", contains="2项"), within="30s")
    s.check("15:03", gathered(to="王五", about="C1"), gathered(to="王五", about="C2"))
    s.at("15:20", event("case.decided", case="C1", result="granted", happened="14:50"))
    s.expect("15:20", sms(to="张三", contains=("撤销", "C1")))
    s.expect("15:20", message(to="王五", contains=("撤销", "C1")), within="2min")
    s.ignores(message(to="王五", contains="撤销"))  # his phone is still off: by voice as well


# -- floods ------------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    messages={
        "flood": {"more_than": 2, "within": 10, "every": 30},
        "routes": [{"id": "cards", "match": YELLOW, "to": ["superior"]}],
    },
)
def test_what_was_revoked_in_a_flood_is_not_in_its_digest(s: Script) -> None:
    """Of five two are told, three wait; one of them is revoked, and the digest counts two."""
    for number in range(1, 6):
        overdue(s, f"C{number}", "03-20 17:00", promised_deadline=f"15:00:0{number}")
    s.expect("15:00", sms(to="李四", contains="C1"), sms(to="李四", contains="C2"))
    s.at("15:10", event("case.decided", case="C4", result="granted", happened="14:50"))
    s.expect("15:30", sms(to="李四", contains="2项", why="digest"), within="65s")
    s.check("15:32", not_sent("revoked", to="李四", about="C4"), gathered(to="李四", about="C3"))
    s.expect_none("15:32", "18:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "flood": {"more_than": 2, "within": 60, "every": 60},
        "routes": [
            {"id": "cards", "match": YELLOW, "to": ["superior"], "remind_every": 30, "most_reminders": 2}
        ],
    },
)
def test_reminders_in_a_flood_are_gathered_too(s: Script) -> None:
    """Four cards, each reminded of twice: one number is not rung twelve times."""
    for number in range(1, 5):
        overdue(s, f"C{number}", "03-20 17:00", promised_deadline="15:00")
    s.expect("15:00", sms(to="李四", contains="黄牌", count=2))
    s.ignores(sms(to="李四", why="digest"))
    s.expect_none("15:01", "19:00", sms(to="李四", why="reminder"))
    s.at("15:45", acknowledge("C1", person="李四", by="desk"), acknowledge("C2", person="李四", by="desk"))
    s.at("15:45", acknowledge("C3", person="李四", by="desk"), acknowledge("C4", person="李四", by="desk"))
    s.check("17:00", row("skipped", to="李四", about="C1", reason="acknowledged"))


# -- channels and people -------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={
        "routes": [
            {
                "id": "cards",
                "match": RED,
                "to": ["handler"],
                "channels": ["sms", "voice"],
                "remind_every": 30,
                "most_reminders": 1,
            }
        ]
    },
)
def test_who_has_acknowledged_is_not_rung_by_the_next_channel(s: Script) -> None:
    """The receipt says undelivered, but he has seen it at the desk meanwhile."""
    s.at("09:00", gateway("sms", undelivered_after(600)))
    overdue(s)
    s.expect("15:00", sms(to="张三"))
    s.at("15:05", acknowledge("C1", person="张三", by="desk"))
    s.expect_none("15:01", "18:00", message())
    s.check("15:11", not_sent("acknowledged", to="张三", about="C1"))


def undelivered_after(seconds: float):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(undelivered, after=seconds)


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={"routes": [{"id": "cards", "match": RED, "to": ["handler"], "channels": ["sms", "voice"]}]},
)
def test_killed_while_a_message_changes_its_channel(s: Script) -> None:
    """A sender dies with the refusal in its hand; another one asks, is refused, and goes on, once."""
    s.at("09:00", gateway("sms", refuses))
    overdue(s)
    s.at("14:59", kill_sender)
    s.expect("15:00:30", message("voice", to="张三", contains="C1"), within="60s")
    s.expect_none("15:02", "18:00", message())


@scenario(
    day="2026-03-03",
    rules={"staffing": {}},
    messages={
        "routes": [{"id": "cards", "match": RED, "to": ["handler"], "remind_every": 60, "most_reminders": 2}]
    },
)
def test_a_reminder_goes_to_who_acts_for_the_handler_by_then(s: Script) -> None:
    """He goes on leave between the card and its reminder: the substitute is reminded."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    leave = event(
        "leave.granted",
        staff="zhang",
        **{"from": "2026-03-03T15:30:00+08:00", "to": "2026-03-04"},
        substitute="qian",
    )
    s.at("15:20", leave)
    s.expect("16:00", sms(to="钱七", contains="C1", why="reminder"))
    s.at("16:10", acknowledge("C1", person="钱七"))
    s.expect_none("16:11", "19:00", sms())


@scenario(day="2026-03-03", messages={"names": "surname", "red": ["handler"]})
def test_names_are_masked_where_the_centre_wants_it(s: Script) -> None:
    """A phone lies on a table: 张某 is enough."""
    overdue(s)
    s.expect("15:00", sms(to="张三", contains="张某", lacks="张三"))


@scenario(
    day="2026-03-03",
    windows=[{"id": "A07", "name": "规划许可", "handler": "zhang", "superior": "zhang", "leader": "wang"}],
    messages={"red": ["handler", "superior", "leader"]},
)
def test_one_person_in_two_roles_has_one_message(s: Script) -> None:
    """A small window: who handles it is also in charge of it."""
    overdue(s)
    s.expect("15:00", sms(to="张三"))
    s.expect("15:01", sms(to="王五"))


# -- the rules -------------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": RED,
                "to": ["handler"],
                "remind_every": 30,
                "most_reminders": 9,
                "escalate": [{"after": 45, "to": ["superior"]}, {"after": 100, "to": ["inspectors"]}],
            }
        ]
    },
)
def test_rules_that_were_away_for_two_hours_tell_each_once(s: Script) -> None:
    """Three reminders and two steps were missed: everybody hears one thing, and what was missed stands in the chain."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:10", rules_away)
    s.expect_none("15:11", "17:09:59", sms())
    s.at("17:10", restart)
    s.expect(
        "17:10",
        sms(to="张三", why="reminder"),
        sms(to="李四", why="escalation"),
        sms(to="赵六", why="escalation"),
    )
    s.check("17:11", chain("C1", "message.missed"))
    s.expect("17:40", sms(to="张三", why="reminder"))
    s.at("17:41", acknowledge("C1", person="张三"))
    s.ignores(sms(to="李四", why="reminder"), sms(to="赵六", why="reminder"))
    s.expect_none("17:42", "19:00", sms())


@scenario(
    day="2026-03-03",
    messages={"yellow": ["handler"], "red": ["handler"]},
    rules={"absence": {"notice": 300, "yellow": 15, "red": 301}},
)
def test_an_absence_that_wavers_is_one_card(s: Script) -> None:
    """A late look takes the card back and the next gives it again: who was told both times hears both times, in order."""
    s.at("10:00", absent("A07"))
    s.expect("10:15", sms(to="张三", contains="无人在岗", why="opened"), within="60s")
    s.at("10:25", present("A07"))
    s.at("10:40", absent("A07"))
    s.expect("10:55", sms(to="张三", contains="无人在岗", why="opened"), within="60s")
    s.at("11:10", present("A07"))
    s.expect_none("11:10", "12:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": RED,
                "to": ["handler"],
                "remind_every": 30,
                "escalate": [{"after": 60, "to": ["superior"]}],
            }
        ]
    },
)
def test_a_route_that_is_taken_out_goes_on_no_more(s: Script) -> None:
    """The centre file is edited while a card waits for its acknowledgement."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:20", centre_file(messages={"routes": []}))
    s.expect_none("15:21", "18:00", sms())


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={"operators": ["zhou"], "red": ["handler"], "channels": ["sms"]},
)
def test_with_one_channel_that_is_off_messages_wait_for_it(s: Script) -> None:
    """Nothing dies while the account is in arrears; when it is mended all of it leaves."""
    from tests.scenarios.steps import switch_on

    s.at("09:00", gateway("sms", locked))
    for number in range(1, 6):
        overdue(s, f"C{number}", f"15:0{number}")
    s.expect_none("15:00", "03-04 16:59", sms())
    s.ignores(message("voice", to="周九"))
    s.at("03-04 17:00", gateway("sms", delivered), switch_on("sms"))
    for number in range(1, 6):
        s.expect("03-04 17:00", sms(to="张三", contains=f"C{number}"))
    s.check("03-04 17:02", row("delivered", to="张三", about="C1"))


# -- links, replies, answers -----------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={
        "routes": [
            {"id": "cards", "match": RED, "to": ["handler"], "channels": ["sms", "voice"], "remind_every": 30}
        ]
    },
)
def test_the_link_of_the_second_channel_works_too(s: Script) -> None:
    """What came by the second channel can be acknowledged there; nobody is reminded by either."""
    s.at("09:00", gateway("sms", refuses))
    overdue(s)
    s.expect("15:00", message("voice", to="张三", contains="/ack/"))
    s.at("15:10", acknowledge("C1", person="张三"))
    s.expect_none("15:11", "18:00", message())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": RED,
                "to": ["handler"],
                "until": "answered",
                "remind_every": 30,
                "most_reminders": 9,
            }
        ]
    },
)
def test_reminded_of_the_answer_although_he_has_seen_it(s: Script) -> None:
    """``until: answered``: seen is not answered, and the words of the reminder say so."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:10", acknowledge("C1", person="张三"))
    s.expect("15:30", sms(to="张三", contains="尚未反馈", why="reminder"))
    s.at("15:40", answer("C1", person="张三"))
    s.expect_none("15:41", "18:00", sms())


# -- who ---------------------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    rules={"staffing": {}},
    windows=[
        {
            "id": "A07",
            "name": "规划许可",
            "staff": ["zhang"],
            "handler": "zhang",
            "superior": "li",
            "leader": "wang",
        }
    ],
    messages={"routes": [{"id": "cards", "match": RED, "to": ["handler"]}]},
)
def test_on_leave_with_nobody_in_his_place_the_next_one_up_hears(s: Script) -> None:
    """No substitute, no B-post: the superior, and the row says why."""
    s.at("08:30", event("leave.granted", staff="zhang", **{"from": "2026-03-03", "to": "2026-03-03"}))
    overdue(s)
    s.expect("15:00", sms(to="李四", contains="C1"))
    s.check("15:01", not_sent("on_leave", to="张三", about="C1"))


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {"id": "town", "match": {"level": ["township"]}, "to": ["leader"]},
            {
                "id": "county",
                "match": {"severity": ["red"], "level": ["county"], "item": ["A-*"]},
                "to": ["inspectors"],
            },
            {"id": "rest", "match": RED, "to": ["handler"]},
        ]
    },
)
def test_the_first_route_that_matches_decides(s: Script) -> None:
    """By level of the hierarchy and item: the division code says that this is a county."""
    overdue(s)
    s.expect("15:00", sms(to="赵六", contains="C1"))
    s.at("09:00", event("case.accepted", case="B1", item="B-9", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", contains="B1"))


@scenario(
    day="2026-03-03",
    rules={"sources": {"feed_silent": 30, "camera_silent": 1000000}},
    messages={"yellow": ["handler", "inspectors"], "red": [], "notice": ["handler", "inspectors"]},
)
def test_what_concerns_no_window_goes_to_who_is_left(s: Script) -> None:
    """A feed that falls silent has no handler: the inspectors hear, and it is kept why the handler does not."""
    s.at("10:00", event("case.received", case="C1", item="A-001", window="A07"))
    s.expect("10:30", sms(to="赵六", contains="数据中断"), within="2min")
    s.check("10:35", not_sent("no_window", to="role:handler", about="source.silent"))


# -- limits -------------------------------------------------------------------------------------------------------------------


@scenario(
    day="2026-03-03",
    messages={
        "budget": {"per_day": 4, "keep_for_red": 1},
        "flood": None,
        "routes": [
            {"id": "cards", "match": YELLOW, "to": ["handler"], "remind_every": 30, "most_reminders": 9}
        ],
    },
)
def test_reminders_use_up_the_day_and_the_last_message_is_kept_for_a_red_card(s: Script) -> None:
    """A card and its reminders: three messages, and the number is quiet; a red card still comes."""
    overdue(s, "C1", "03-20 17:00", promised_deadline="14:00")
    s.expect("14:00", sms(to="张三", why="opened"))
    s.expect("14:30", sms(to="张三", why="reminder"))
    s.expect("15:00", sms(to="张三", why="reminder"))
    s.check("15:31", held("budget", to="张三", about="C1"))
    overdue(s, "C2", "16:00")
    s.ignores(sms(contains="C2"))
    s.expect("16:00", sms(to="张三", contains=("红牌", "C2")))
    s.expect_none("15:01", "15:59", sms())


@scenario(
    day="2026-03-03",
    rules={"absence": {"notice": 10, "yellow": 300, "red": 301}},
    messages={
        "routes": [
            {
                "id": "absence",
                "match": {"rule": ["absence.notice"]},
                "to": ["handler"],
                "hold_for": 20,
                "remind_every": 15,
                "most_reminders": 2,
            }
        ]
    },
)
def test_a_finding_that_has_to_last_is_reminded_of_from_when_it_was_told(s: Script) -> None:
    """Found at 10:10, told at 10:30, reminded at 10:45 and 11:00; with a restart in between."""
    s.at("10:00", absent("A07"))
    s.at("10:20", restart)
    s.expect("10:30", sms(to="张三", why="opened"), within="30s")
    s.expect("10:45", sms(to="张三", why="reminder"), within="30s")
    s.expect("11:00", sms(to="张三", why="reminder"), within="30s")
    s.at("11:10", present("A07"))
    s.expect_none("11:01", "12:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "quiet": {"hours": ["21:00-07:00"]},
        "routes": [{"id": "cards", "match": YELLOW, "to": ["handler"]}],
    },
)
def test_a_gateway_that_comes_back_at_night_rings_nobody(s: Script) -> None:
    """Found in the evening, the gateway down until eleven: what is tried again in the quiet hours waits for the morning."""
    overdue(s, "C1", "03-20 17:00", promised_deadline="20:50")
    s.at("20:49", gateway("sms", down))
    s.at("23:00", gateway("sms", delivered))
    s.expect_none("20:50", "03-04 06:59", sms())
    s.expect("03-04 07:00", sms(to="张三", contains="C1"), within="31min")
