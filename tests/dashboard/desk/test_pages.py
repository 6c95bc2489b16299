"""Spot checks, scores, the year, the finding's neighbours: with what mingjing hands in, and without."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.links import AckLinks
from alerts.planner import Planner
from dashboard.desk.hands import Hands, ScoreTable, Told, ToldRow
from domain.errors import CalendarError, InputError
from mingjing.desk.telling import DeskTelling
from store import chain
from tests.dashboard.desk.conftest import found, write
from tests.store.making import CENTRE, MORNING, at

pytestmark = pytest.mark.postgres


# -- spot checks -----------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(db):
    """Two checks of today: half an hour ago and in half an hour; one of another centre."""
    for centre, plan in ((CENTRE, "plan1"), ("999999", "plan2")):
        db.execute(
            "insert into spot_check_plan values (%s, %s, 'seedseed', 1, 5, '2026-11-20', '2026-11-20', %s, 'p4')",
            [plan, centre, MORNING],
        )
        for name, minutes in (("past", 0), ("ahead", 60)):
            db.execute(
                "insert into spot_check values (%s, %s, %s, 'A07', 9, %s, 12, 1)",
                [f"{plan}-{name}", plan, centre, at(minutes)],
            )


def answers(db) -> list[tuple[Any, ...]]:
    return db.execute(
        "select check_id, person, answer, minutes from spot_check_answer order by number"
    ).fetchall()


def test_todays_checks_name_windows_and_nobody(visit, planned):
    page = visit("inspector").get("/checks").text
    assert "A07 食品许可" in page
    assert "09:00" in page
    assert "30 分钟后" in page
    for name in ("人1", "人2", "人3"):
        assert name not in page
    assert page.count('name="answer" value="present"') == 1


@pytest.mark.parametrize("name", ["director", "viewer"])
def test_nobody_else_learns_when_somebody_comes_or_the_seed(visit, planned, name):
    page = visit(name).get("/checks").text
    assert "A07 食品许可" not in page
    assert "seedseed" not in page
    assert "plan1" in page


def test_the_seed_is_shown_when_the_plan_is_over(visit, planned, clock):
    assert "seedseed" not in visit("inspector").get("/checks").text
    clock.later(days=1)
    assert "seedseed" in visit("viewer").get("/checks").text


def test_a_check_is_answered_once_and_corrected_in_the_open(visit, planned, db):
    browser = visit("inspector")
    browser.get("/checks")
    sent = {"check": "plan1-past", "answer": "absent", "minutes": "12", "note": "空"}
    assert browser.post("/checks/answer", **sent).status_code == 303
    assert "空岗至少 12 分钟" in browser.get("/checks").text
    assert browser.post("/checks/answer", **sent).status_code == 409
    assert (
        browser.post(
            "/checks/answer", **{**sent, "answer": "unclear", "minutes": "", "again": "1"}
        ).status_code
        == 303
    )
    assert answers(db) == [("plan1-past", "p4", "absent", 12.0), ("plan1-past", "p4", "unclear", None)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"check": "plan1-ahead"}, 409),
        ({"check": "plan2-past"}, 409),
        ({"check": "nothing"}, 409),
        ({"answer": "perhaps"}, 400),
        ({"minutes": "-1"}, 400),
        ({"minutes": "nan"}, 400),
        ({"minutes": "many"}, 400),
    ],
)
def test_an_answer_that_cannot_be_is_refused(visit, planned, db, fields, status):
    browser = visit("inspector")
    browser.get("/checks")
    given = {"check": "plan1-past", "answer": "present", "minutes": "", **fields}
    assert browser.post("/checks/answer", **given).status_code == status
    assert answers(db) == []


@pytest.mark.parametrize("name", ["director", "viewer", "window7"])
def test_only_inspectors_answer_and_plan(visit, planned, db, name):
    browser = visit(name, hands=Hands(plan=lambda *args, **more: pytest.fail("drawn")))
    browser.get("/")
    assert browser.post("/checks/answer", check="plan1-past", answer="present").status_code == 403
    assert browser.post("/checks/plan", first="2026-11-21", last="2026-11-21", quota="1").status_code == 403
    assert answers(db) == []


def test_a_plan_is_drawn_from_today_on(visit):
    drawn = []

    def plan(connection, centre, first, last, **more):
        drawn.append((str(first), str(last), more["quota"], more["person"]))
        return "new"

    browser = visit("inspector", hands=Hands(plan=plan))
    browser.get("/checks")
    assert browser.post("/checks/plan", first="2026-11-20", last="2026-11-24", quota="2").status_code == 303
    for first, last, quota in (
        ("2026-11-19", "2026-11-20", "1"), ("2026-11-24", "2026-11-23", "1"), ("2026-11-24", "2027-11-23", "1"),
        ("2026-11-24", "2026-11-24", "0"), ("soon", "2026-11-24", "1"), ("2026-11-24", "2026-11-24", "few"),
    ):  # fmt: skip
        assert browser.post("/checks/plan", first=first, last=last, quota=quota).status_code == 400
    assert drawn == [("2026-11-20", "2026-11-24", 2, "p4")]


def test_precision_and_recall_have_their_intervals_and_no_figure_where_there_is_none(visit):
    known = {"good": 9, "sample": 10, "value": 0.9, "interval": (0.6, 0.98), "exact": (0.55, 0.997)}
    none = {"good": 0, "sample": 0, "value": None, "interval": None, "exact": None}
    row = {
        "planned": 20,
        "usable": 10,
        "unanswered": 8,
        "blind": 2,
        "covered": 0.5,
        "precision": known,
        "recall": none,
    }
    page = (
        visit("viewer", hands=Hands(quality=lambda *given: {"findings": row})).get("/checks/plan/plan1").text
    )
    assert "90.0%</b> (60.0%–98.0%)" in page
    assert "原始 9/10，精确区间 55%–100%" in page
    assert "无数据" in page


# -- scores ----------------------------------------------------------------------------------------------------------


def card(**more: Any) -> dict[str, Any]:
    rate = {"value": 0.96, "good": 24, "whole": 25, "asked": 50, "coverage": 0.5, "interval": [0.8, 0.99]}
    none = {"value": None, "good": 0, "whole": 0, "asked": 0, "coverage": None, "interval": None}
    names = ("completion", "promised", "legal", "same_day", "satisfaction", "staffed")
    counts = dict.fromkeys(("accepted", "finished", "late", "yellow", "red", "running", "default_ratings"), 0)
    return {
        "by": "department", "id": "d1", "name": "市场监管局", "centre": CENTRE, "level": None, "period": "2026-11", "rank": 1,
        "of": 1, "unranked": None, "score": 95.0, "score_if_revoked": 100.0, "grade": "pass", "cases": 25, "months": None,
        "lines": [{"what": "time_limit.promised", "points": -5.0, "count": 1, "pending": 1, "part": None, "findings": ["f1"]}],
        "counts": counts | {"default_ratings": 7}, "rates": {**dict.fromkeys(names, rate), "staffed": none},
        "used": {"sample": 0, "median": None, "p90": None}, "peers": {"sample": 0, "median": None, "p90": None}, **more,
    }  # fmt: skip


def scored(*cards: dict[str, Any]) -> Hands:
    def scores(connection, centre, kind, period, by, now):
        if period == "soon":
            raise InputError("no period")
        asked.append((kind, period, by))
        return [ScoreTable("", cards, now, now)]

    asked: list[tuple[str, str, str]] = []
    hands = Hands(scores=scores)
    scores.asked = asked  # type: ignore[attr-defined]
    return hands


def test_every_rate_stands_with_its_sample_and_coverage_and_none_is_no_figure(visit):
    hands = scored(
        card(), card(id="d2", rank=None, unranked="small_sample", score=None, grade=None, lines=[])
    )
    page = visit("viewer", hands=hands).get("/scores").text
    assert page.count("96.0%") == 10
    for part in (
        "24/25",
        "80%–99%",
        "覆盖 50%",
        "无数据",
        "样本不足",
        "申诉成立则 100.0",
        "默认好评 7",
        "（申诉中 1）",
    ):
        assert part in page, part
    assert 'href="/desk/finding/f1"' in page
    assert hands.scores.asked == [("month", "2026-11", "department")]  # type: ignore[union-attr]


def test_figures_about_persons_are_for_those_who_answer_for_them(visit):
    for name, expected in (("inspector", "person"), ("director", "person"), ("viewer", "department")):
        hands = scored(card())
        page = visit(name, hands=hands).get("/scores?by=person&kind=quarter").text
        assert hands.scores.asked == [("quarter", "2026-Q4", expected)]  # type: ignore[union-attr]
        assert ('value="person"' in page) == (expected == "person")


def test_a_period_that_is_none_is_said_to_be_none(visit):
    answer = visit("viewer", hands=scored()).get("/scores?period=soon")
    assert (answer.status_code, "2026-11" in answer.text) == (400, True)
    assert "该期间无数据" in visit("viewer", hands=scored()).get("/scores").text


def test_what_the_house_cannot_do_is_said_and_logged(visit, caplog):
    def scores(*given):
        raise CalendarError("the base XX is unknown")

    answer = visit("viewer", hands=Hands(scores=scores)).get("/scores")
    assert (answer.status_code, "无法显示" in answer.text) == (500, True)
    assert "the base XX is unknown" in caplog.text
    assert "XX" not in answer.text


# -- the year --------------------------------------------------------------------------------------------------------


def look(db, day: datetime, window: str, valid: int, seen: int, department: str = "d1") -> None:
    db.execute(
        "insert into observation (centre, at, observation_id, kind, camera, window_id, post, department, state, looks_expected,"
        " looks_valid, looks_seen, received_at) values (%s, %s, %s, 'post.summary', 'K1', %s, 'desk', %s, 'present', 100, %s, %s, %s)",
        [CENTRE, day, f"{window}{day}", window, department, valid, seen, day],
    )


def tones(page: str, key: str) -> dict[str, int]:
    row = re.search(rf'key={key}".*?</tr>', page, re.S)
    assert row is not None
    found = re.findall(r'class="tone-(\w+)"', row[0])
    return {tone: found.count(tone) for tone in set(found)}


def test_unknown_days_are_hatched_and_never_coloured(visit, db):
    for days, valid, seen in ((1, 100, 100), (2, 100, 60), (3, 30, 30), (4, 0, 0)):
        look(db, MORNING - timedelta(days=days), "A07", valid, seen)
    page = visit("viewer").get("/history").text
    found = tones(page, "A07")
    assert (found["good"], found["bad"]) == (1, 1)
    assert found["unknown"] > 240
    assert page.count('fill="url(#hatch)"') == found["unknown"] + tones(page, "A08")["unknown"]
    assert "已知 2 天，其中低于 85% 的 1 天" in page
    assert "2026-11-19 星期四 在岗 100.0%（100/100，覆盖 100%）" in html.unescape(page)
    assert tones(visit("viewer").get("/history?by=department").text, "d1")["good"] == 1


def test_a_day_without_events_is_not_free_of_cards(visit, db):
    write(db, found(1), 0)
    page = visit("viewer").get("/history?show=cards").text
    assert tones(page, "A07")["bad"] == 1
    assert tones(page, "A08")["good"] == 1
    assert tones(page, "A08")["unknown"] > 240


def test_one_window_month_by_month_and_by_hour(visit, db):
    look(db, MORNING, "A07", 100, 50)
    page = visit("viewer").get("/history?key=A07").text
    assert page.count('class="month"') == 13
    assert re.search(r'<td class="tone-bad" title="2026-11-20[^"]*">20', page)
    assert re.search(r'<td class="tone-bad" title="50/100">50%', page)


# -- beside a finding ------------------------------------------------------------------------------------------------


def test_messages_and_the_bundle_come_from_what_is_handed_in(visit, db):
    write(db, found(1))
    row = ToldRow(
        1,
        "人1",
        "经办人",
        "立案通知",
        "finding.red",
        "sms",
        "138****0001",
        "delivered",
        "<b>已送达",
        "10:00 送达",
    )
    told = Told(["全部暂停"], "", "路由 red", [row], [("10:30", "提醒 1/5", "人1（sms）")], ["王五：日报"])
    exported = []

    def bundle(connection, centre, finding, whole, now, by):
        exported.append((finding, whole, by))
        return b"PK"

    hands = Hands(
        told=lambda connection, centre, finding, now, language: told,
        bundle=bundle,
    )
    browser = visit("inspector", hands=hands)
    page = browser.get("/finding/f1").text
    for part in (
        "人1",
        "138****0001",
        "红牌通知",
        "&lt;b&gt;已送达",
        "提醒 1/5",
        "全部暂停",
        "王五：日报",
        "路由 red",
    ):
        assert part in page, part
    assert "及原因" not in page, "nothing was left unsent"
    answer = browser.get("/finding/f1/bundle?whole=case")
    assert (answer.content, answer.headers["content-type"]) == (b"PK", "application/zip")
    assert 'filename="mingjing-f1-case.zip"' in answer.headers["content-disposition"]
    assert visit("viewer", hands=hands).get("/finding/f1/bundle").status_code == 403
    assert exported == [("f1", True, "p4")]


def test_what_gateways_and_people_said_of_a_message_is_shown(visit, db):
    write(db, found(1))
    rows = (("p1", "unknown", None), ("p2", "undelivered", "MK:0001"), ("p3", "delivered", "DELIVRD"))
    for number, (person, state, code) in enumerate(rows):
        db.execute(
            "insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, state, fate_code,"
            " next_try_at, give_up_at, created_at, sent_at, delivered_at, why)"
            " values (%s, 'f1', %s, %s, %s, 'sms', 'finding.red', %s, %s, now(), now(), %s, %s, %s, 'opened')",
            [f"k{number}", CENTRE, person, f"1380000000{number}", state, code, at(1), at(2),
             at(3) if state == "delivered" else None],
        )  # fmt: skip
    db.execute(
        "insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, state, reason, detail,"
        " next_try_at, give_up_at, created_at, why) values ('s', 'f1', %s, 'p6', '', 'none', 'finding.red', 'skipped',"
        " 'inhibited', %s, now(), now(), %s, 'opened')",
        [CENTRE, '{"inhibitor": "f9", "rule": "time_limit.legal"}', at(1)],
    )
    db.execute(
        "insert into reply (channel, message_id, sender, text, outcome)"
        " select 'sms', message_id, '13800000002', '<b>请问是哪一件？', 'kept' from outbox where person = 'p3'"
    )
    links = AckLinks(b"x" * 32, "http://wall")
    browser = visit("inspector", hands=Hands(told=DeskTelling(lambda centre: Planner(centre, links))))
    page = browser.get("/finding/f1").text
    for part in (
        "送达情况不明",
        "未送达",
        "MK:0001",
        "回复“&lt;b&gt;请问是哪一件？”",
        "未发送的 1 条及原因",
        "由其代表（超法定时限 f9）",
    ):
        assert part in page, part
    assert "13800000002" not in page
    assert "[inhibited]" not in page, "codes are for the command line"
    page = browser.get("/finding/f1?lang=en").text
    assert "fate unknown" in page
    assert "1 not sent, and why" in page


def keep_picture(db, finding: str, digest: bytes, content: bytes) -> None:
    db.execute("insert into evidence_picture values (%s, %s, %s, %s)", [digest, len(content), content, at(1)])
    db.execute(
        "insert into finding_picture (finding_id, camera, post, role, sha256, centre, state, taken_at, linked_at)"
        " values (%s, 'C01', 'A07', 'opened', %s, %s, 'absent', %s, %s)",
        [finding, digest, CENTRE, at(0), at(1)],
    )


def test_without_them_the_page_says_less_and_stands(visit, db):
    write(db, found(1))
    page = visit("inspector").get("/finding/f1").text
    assert "通知情况" not in page
    assert "bundle" not in page
    assert visit("inspector").get("/finding/f1/bundle").status_code == 404
    assert visit("inspector").get("/scores").status_code == 403


def test_english_stays_with_the_browser(visit, db):
    write(db, found(1))
    browser = visit("inspector")
    assert "Findings" in browser.get("/?lang=en").text
    page = browser.get("/finding/f1").text
    assert 'lang="en"' in page
    assert "Promised" in page or "Legal limit passed" in page
    assert [row.kind for row in chain.read(db, CENTRE)] == ["evidence.looked"]


def test_pictures_are_shown_to_who_says_why_and_the_look_is_kept_first(visit, db):
    write(db, found(1))
    digest = hashlib.sha256(b"jpeg").digest()
    keep_picture(db, "f1", digest, b"jpeg")
    browser = visit("inspector")
    page = browser.get("/finding/f1").text
    assert digest.hex() in page
    assert "<img" not in page
    assert browser.post("/finding/f1/pictures", why="  ").status_code == 400
    assert "<img" not in browser.page
    answer = browser.post("/finding/f1/pictures", why="复核申诉")
    assert 'src="data:image/jpeg;base64,anBlZw=="' in answer.text
    looks = [row.body or "" for row in chain.read(db, CENTRE) if row.kind == "picture.looked"]
    assert len(looks) == 1
    for part in (digest.hex(), "复核申诉", '"p4"', '"desk"'):
        assert part in looks[0]
    accused = visit("window7")
    assert "<img" not in accused.get("/finding/f1").text
    assert "<img" in accused.post("/finding/f1/pictures", why="核对事实").text
    reader = visit("viewer")
    reader.get("/finding/f1")
    assert reader.post("/finding/f1/pictures", why="好奇").status_code == 403
    assert "<img" not in reader.page
    stranger = visit("window8")
    stranger.get("/")
    assert stranger.post("/finding/f1/pictures", why="好奇").status_code == 404
