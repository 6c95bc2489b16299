"""The page of messages: what is wrong, which channels are off, what waits and what has not arrived."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from alerts.channel_state import switch_off
from alerts.links import AckLinks
from alerts.outbox import beat
from alerts.planner import Planner
from alerts.states import STATES
from dashboard.catalogue import EN, ZH
from dashboard.desk.hands import Hands
from mingjing.desk.overview import DeskOverview
from tests.dashboard.desk.conftest import Browser, Still
from tests.store.making import CENTRE

pytestmark = pytest.mark.postgres

LINKS = AckLinks(b"x" * 32, "http://wall")
HANDS = Hands(
    overview=DeskOverview(
        lambda centre: Planner(
            centre, LINKS, channel="sms", kinds={"sms": "phone", "wecom": "user", "log": "phone"}
        )
    )
)


def put(db: psycopg.Connection, key: str, state: str, at: object, **more: object) -> None:
    row = {
        "centre": CENTRE,
        "person": "p1",
        "phone": "13800000001",
        "channel": "sms",
        "template": "finding.red",
    } | more
    db.execute(
        f"insert into outbox (idempotency_key, state, created_at, next_try_at, give_up_at, handed_at, {', '.join(row)})"
        f" values (%s, %s, %s, now(), now() + interval '1 day', now(){', %s' * len(row)})",
        [key, state, at, *row.values()],
    )


def test_everything_that_is_wrong_is_on_it(
    visit: Callable[..., Browser], db: psycopg.Connection, clock: Still
) -> None:
    now = clock.at
    put(db, "a", "delivered", now)
    put(db, "b", "dead", now, reason="refused", last_error="403 no such template")
    put(db, "c", "undelivered", now, fate_code="MK:0001", person="p2")
    put(db, "d", "held", now, reason="quiet_hours", held_until=now + timedelta(hours=1), why="opened")
    put(db, "e", "delivered", now - timedelta(days=3))
    put(db, "z", "dead", now, centre="999999", reason="refused")
    switch_off(db, "wecom", reason="refused", error="invalid access_token", at=now)
    db.execute(
        "insert into trouble (name, since, seen_at, detail) values ('waiting:sms', now(), now(), %s)",
        [json.dumps({"minutes": 17})],
    )
    page = visit("director", hands=HANDS).get("/messages").text
    for words in (
        "没有发送进程在运行", "通道sms有信息已等待17分钟未发出", "请检查发送进程与网关", "invalid access_token",
        "未能发出：网关拒收", "网关代码 MK:0001", "人2", "138****0001", "免打扰时段", "立案通知（免打扰时段）",
    ):  # fmt: skip
        assert words in page, words
    assert "13800000001" not in page
    assert "log" not in page.split("<main", 1)[1], "the channel nobody uses"
    assert page.count("未能发出：网关拒收") == 1, "another centre's is not shown"

    beat(db, instance="s1", at=now, detail={})
    english = visit("inspector", hands=HANDS).get("/messages?lang=en").text
    assert "No sender runs" not in english
    assert "invalid access_token" in english


def test_a_quiet_system_says_so(visit: Callable[..., Browser]) -> None:
    page = visit("viewer", hands=HANDS).get("/messages").text
    for key in ("desk_no_troubles", "desk_no_failed", "desk_no_waiting", "desk_no_counts"):
        assert ZH[key] in page


def test_a_windows_people_do_not_see_it(visit: Callable[..., Browser]) -> None:
    browser = visit("window7", hands=HANDS)
    assert browser.get("/messages").status_code == 403
    assert ZH["desk_messaging"] not in browser.get("/").text.split("<main", 1)[0]


def test_every_state_has_a_word() -> None:
    wanted = {f"desk_message_{state}" for state in STATES}
    assert wanted <= set(ZH)
    assert wanted <= set(EN)
