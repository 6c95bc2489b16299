"""Why this person, this channel, this moment, and why not others: from what is kept, in words of both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts import silences
from alerts.coming import coming
from alerts.explain import RouteTried, explain, first_failure, routes_tried, why_nobody
from alerts.explain_catalogue import WORDS
from alerts.explain_words import Speech
from alerts.outbox import hold_messages
from alerts.planner import Planner
from alerts.reasons import Reason, Why
from alerts.rounds.schedule import Planned
from alerts.silence import Wanted
from alerts.states import STATES
from domain.messages import Match
from tests.alerts.conftest import LINKS, NOW, Desk, make_centre, make_finding

ROUTES = [
    {"id": "absence", "match": {"rule": ["absence.*"]}, "to": ["handler"]},
    {
        "id": "red", "match": {"severity": ["red"], "window": ["A07"]}, "to": ["handler", "superior", "leader", "inspectors"],
        "remind_every": 30, "escalate": [{"after": 60, "to": ["p6"]}], "channels": ["sms", "mail"],
    },
]  # fmt: skip
CENTRE = make_centre(routes=ROUTES)
ZH = Speech("zh-CN", CENTRE, NOW)
EN = Speech("en", CENTRE, NOW)


# ---- routes


@pytest.mark.parametrize(
    ("match", "failed"),
    [
        ({}, None),
        ({"rule": ["time_limit.*"], "severity": ["yellow"]}, None),
        ({"rule": ["absence.*"], "severity": ["red"]}, ("rule", ("absence.*",), "time_limit.promised")),
        ({"severity": ["red"]}, ("severity", ("red",), "yellow")),
        ({"window": ["A08"]}, ("window", ("A08",), "A07")),
        ({"department": ["d1"]}, ("department", ("d1",), None)),
        ({"level": ["township"]}, ("level", ("township",), "county")),
    ],
)
def test_the_first_condition_that_does_not_hold_is_named(match: dict[str, Any], failed: object) -> None:
    assert first_failure(Match.model_validate(match), make_finding(), CENTRE) == failed


def test_routes_are_asked_up_to_the_one_that_fits() -> None:
    red = make_finding(severity="red", rule="time_limit.legal")
    assert [each.id for each in routes_tried(red, CENTRE)] == ["absence", "red"]
    assert list(routes_tried(make_finding(), CENTRE))[-1] == RouteTried(None), "the lists by severity"
    assert [each.failed for each in routes_tried(make_finding(), CENTRE)] == ["rule", "severity", None]


# ---- the whole, over a database


def _planner(desk: Desk) -> None:
    desk.centre, desk.planner = CENTRE, Planner(CENTRE, LINKS, correction_hold=timedelta(0))


def test_who_was_told_and_what_comes(desk: Desk) -> None:
    _planner(desk)
    silences.create(
        desk.connection,
        CENTRE,
        Wanted({"person": ("p2",)}, "出差", NOW, NOW + timedelta(hours=3)),
        author="p4",
        now=NOW,
    )
    desk.issue(make_finding(1, rule="time_limit.legal", severity="red"))
    desk.issue(make_finding(2, case="LY-0001"))
    found = explain(desk.connection, desk.planner, "f1", NOW + timedelta(minutes=2))
    assert why_nobody(found) is None
    states = {row["person"]: ZH.state(row) for row in found.messages}
    assert states["p1"] == "待发送"
    assert "静默（第1条，赵六） [silenced]" in states["p2"]
    assert "20:30:00" in states["p2"]
    assert "[group]" in states["p3"], "the leader's waits a little"
    assert found.messages[0]["fallback"] == ["mail"]
    assert "13800000001" not in str(found.to_json())
    dry = {each.person: [(step.stage, step.reason) for step in each.steps] for each in found.dry}
    assert dry == {"p1": [], "p2": [("silenced", "silenced")], "p3": [("group", "group")], "p4": []}
    sends = [what for _, what, _ in ZH.sends(found.coming)]
    assert "提醒 1/5，除非已确认" in sends
    assert "升级 1/1，除非已确认" in sends

    assert "提醒 1/5（静默），除非已确认" in sends, "what is to come to whom a silence covers"

    other = explain(desk.connection, desk.planner, "f2", NOW)
    assert why_nobody(other) == "all_skipped"
    plain = Speech("zh-CN", CENTRE, NOW, codes=False)
    assert all("（超法定时限 f1）" in plain.state(row) for row in other.messages)
    assert all("（time_limit.legal f1） [inhibited]" in ZH.state(row) for row in other.messages)
    assert other.coming == ()

    soon = coming(desk.connection, CENTRE, NOW, channels=("sms",))
    assert soon[0].planned.person == "p3", "held for its group"
    assert {each.finding for each in soon} == {"f1"}
    mine = coming(desk.connection, CENTRE, NOW, person="p6", channels=("sms",))
    assert next(each.planned.why for each in mine) is Why.ESCALATION

    hold_messages(desk.connection, "restored")
    assert explain(desk.connection, desk.planner, "f1", NOW).held is not None


def test_nobody_told_says_why(desk: Desk) -> None:
    _planner(desk)
    old = make_finding(1, opened_at=NOW - timedelta(days=3))
    desk.issue(old)
    found = explain(desk.connection, desk.planner, "f1", NOW)
    assert why_nobody(found) == "stale"
    assert "立案已久" in ZH.reason("stale", {})
    desk.connection.execute("delete from outbox")
    assert why_nobody(explain(desk.connection, desk.planner, "f1", NOW)) == "no_rows"


def test_a_message_told_in_a_digest_names_it(desk: Desk) -> None:
    _planner(desk)
    desk.issue(make_finding(1))
    first, second = desk.rows("message_id")
    desk.connection.execute(
        "update outbox set template = 'digest.group', state = 'delivered', finding_id = null, delivered_at = %s"
        " where message_id = %s",
        (NOW + timedelta(minutes=1), first),
    )
    desk.connection.execute(
        "update outbox set state = 'gathered', digest_id = %s where message_id = %s", (first, second)
    )
    row = explain(desk.connection, desk.planner, "f1", NOW).messages[0]
    assert ZH.state(row) == "并入合并通知（http 17:31:00 已送达）"
    assert EN.state(row) == "told in a message for several (http 17:31:00 delivered)"


# ---- words


def test_both_languages_have_the_same_words_and_every_code_has_one() -> None:
    assert WORDS["zh-CN"].keys() == WORDS["en"].keys()
    assert {f"state_{state}" for state in STATES} <= WORDS["en"].keys()
    assert {f"why_{why}" for why in Why} <= WORDS["en"].keys()
    assert {f"reason_{reason}" for reason in Reason if reason is not Reason.NO_NEWS} <= WORDS["en"].keys()


def test_what_comes_is_one_line_for_all_who_hear_the_same() -> None:
    both = [Planned(NOW, Why.REMINDER, who, "sms", 1, 5, unless="acknowledged") for who in ("p1", "p2")]
    later = Planned(NOW + timedelta(days=1), Why.DIGEST, "role:leader", None)
    lines = list(ZH.sends([*both, later]))
    assert lines == [
        (NOW, "提醒 1/5，除非已确认", "张三、李四（sms）"),
        (later.at, "日报", "分管领导（无人）"),
    ]
    assert ZH.at(later.at) == "2026-11-21 17:30"


def test_what_keeps_a_message_longer_is_said_beside_its_reason() -> None:
    plain = Speech("zh-CN", CENTRE, NOW, codes=False)
    detail = {"silenced": {"silence": 3, "author": "p4"}, "quiet_hours": True}
    assert plain.reason("group", detail) == "分管领导的通知稍候合并；静默（第3条，赵六）；免打扰时段"
    assert plain.reason("silenced", {"silence": 3, "author": "p4"}) == "静默（第3条，赵六）"
    assert plain.reason("quiet_hours", {"hours": "working"}) == "工作时间外（该路由仅在工作时间发送）"
    assert plain.reason("flood", {"recent": 12}) == "短时间内通知过多，合并发出（此前12条）"


def test_a_roster_answer_says_who_stands_in_and_for_whom() -> None:
    away = {
        "code": "substitute", "for": "p1", "event": "e1", "from": "2026-11-20T00:00:00+08:00",
        "to": "2026-11-22T00:00:00+08:00",
    }  # fmt: skip
    row = {"roles": ["handler"], "detail": {"roster": [away]}, "state": "sent"}
    assert ZH.chosen(row) == "经办人（替张三，其2026-11-20至2026-11-21请假（leave.granted e1））"
