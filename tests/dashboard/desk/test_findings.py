from __future__ import annotations

import re
from datetime import timedelta

import pytest

from domain.chain import Checker
from domain.finding_clocks import deadline, late_before
from store import chain
from store.finding_life import read_life, take_step
from store.ingest import write_events
from tests.dashboard.desk.conftest import HALL, found, write
from tests.store.making import CENTRE, MORNING, at, event

pytestmark = pytest.mark.postgres


def listed(text: str) -> list[str]:
    return re.findall(r'href="/desk/finding/(f\d+)"', text)


@pytest.fixture
def three(db):
    write(db, found(1), 0)
    write(db, found(2, 5, rule="absence.yellow", severity="yellow", case=None, window="A08"), 5)
    write(db, found(3, 10, rule="time_limit.notice", severity="notice"), 10)


# -- the list --------------------------------------------------------------------------------------------------------


def test_the_most_urgent_stands_first_and_notices_are_no_work(visit, three):
    browser = visit("inspector")
    assert listed(browser.get("/").text) == ["f1", "f2"]
    assert listed(browser.get("/?order=newest").text) == ["f2", "f1"]
    assert listed(browser.get("/?view=all").text) == ["f3", "f2", "f1"]
    assert listed(browser.get("/?view=all&order=oldest").text) == ["f1", "f2", "f3"]
    assert "无须反馈" in browser.get("/?view=all").text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("severity=red", ["f1"]),
        ("rule=absence.", ["f2"]),
        ("rule=time_limit.notice", ["f3"]),
        ("department=d1", ["f3", "f1"]),
        ("window=A08", ["f2"]),
        ("person=p6", ["f2"]),
        ("person=p2", ["f3", "f2", "f1"]),
        ("person=p2&department=d2", ["f2"]),
        ("case=C3", ["f3"]),
        ("since=2026-11-20&until=2026-11-20", ["f3", "f2", "f1"]),
        ("until=2026-11-19", []),
        ("life=answered", []),
        ("rule=%27%3B--", []),
    ],
)
def test_filters(visit, three, query, expected):
    assert listed(visit("inspector").get(f"/?view=all&{query}").text) == expected


@pytest.mark.parametrize("query", ["since=yesterday", "after=x~y", "after=2026-11-20T01:00:00~f1"])
def test_what_is_no_date_is_said_to_be_none(visit, three, query):
    answer = visit("inspector").get(f"/?{query}")
    assert (answer.status_code, "日期无法识别" in answer.text) == (400, True)


def test_pages_follow_one_another_and_news_move_nothing(visit, db, monkeypatch):
    monkeypatch.setattr("dashboard.desk.findings_page.ROWS", 3)
    for number in range(1, 8):
        write(db, found(number), 0 if number < 5 else 1)  # many at one moment
    browser = visit("inspector")
    seen, path = [], "/?order=newest"
    while path:
        browser.get(path)
        seen += listed(browser.page)
        write(db, found(100 + len(seen), 20), 20)
        match = re.search(r'href="/desk(/\?[^"]*after=[^"]*)" rel="next"', browser.page)
        path = match[1].replace("&amp;", "&") if match else ""
    assert seen == ["f7", "f6", "f5", "f4", "f3", "f2", "f1"]


def test_clocks_in_words_and_what_is_late(visit, three, clock):
    browser = visit("inspector")
    page = browser.get("/").text
    assert "待确认：还有 30 分钟（10:00 前）" in page
    assert "可申诉：还有" in page
    assert "逾期未反馈<b>0</b>" in page
    clock.later(hours=24)
    page = browser.get("/?view=late").text
    assert listed(page) == ["f1", "f2"]
    assert "待反馈：已逾期 30 分钟" in page
    assert "逾期未反馈<b>2</b>" in page


def test_appeals_that_wait_are_a_list_of_their_own(visit, three, db, clock):
    take_step(db, HALL, "f1", "appeal", person="p1", now=clock.now(), text="不符")
    page = visit("inspector").get("/?view=appealed").text
    assert listed(page) == ["f1"]
    assert "申诉待裁定<b>1</b>" in page


def test_a_windows_people_see_what_concerns_them(visit, db):
    write(db, found(1))
    write(db, found(2, window="A08"))
    write(
        db,
        found(3, rule="attendance.late", severity="yellow", case=None, window="A08", explain={"staff": "p1"}),
    )
    browser = visit("window7")
    assert set(listed(browser.get("/").text)) == {"f1", "f3"}
    assert browser.get("/finding/f1").status_code == 200
    assert browser.get("/finding/f3").status_code == 200
    assert browser.get("/finding/f2").status_code == 404
    assert browser.post("/finding/f2/act", step="answer", saw=1, text="x").status_code == 404
    for path in ("/scores", "/history", "/checks", "/new"):
        assert browser.get(path).status_code == 403


def test_a_substitute_sees_and_answers_in_place_of_who_is_on_leave(visit, db, clock):
    """AB岗: who stands in has full powers, as long as the leave lasts and no longer."""
    write(db, found(1))
    browser = visit("window8")
    assert listed(browser.get("/").text) == []
    day = f"{MORNING.astimezone(HALL.zone):%Y-%m-%d}"
    leave = event(
        "leave.granted", 0, "L1", None, staff="p1", data={"from": day, "to": day, "substitute": "p6"}
    )
    write_events(db, [leave], centre=CENTRE, now=at(0))
    assert listed(browser.get("/").text) == ["f1"]
    assert browser.get("/finding/f1").status_code == 200
    assert browser.steps == {"acknowledge", "answer", "appeal"}
    assert browser.post("/finding/f1/act", step="answer", saw=browser.saw, text="已督促").status_code == 303
    act = read_life(db, HALL, "f1").life.acts[-1]
    assert (act.step, act.person, act.detail["roles"]) == ("answered", "p6", ["handler"])
    # In whose place stands in the act, and so in the chain.
    assert [step["code"] for step in act.detail["acting"]["handler"]] == ["role", "substitute"]
    assert act.detail["acting"]["handler"][1]["event"] == "L1"
    assert "人6（替人1）" in browser.get("/finding/f1").text
    clock.later(days=1)
    assert browser.get("/finding/f1").status_code == 404
    assert listed(browser.get("/").text) == []


def test_what_a_text_smuggles_in_is_text(visit, db):
    write(db, found(1, case="<script>alert(1)</script>", explain={"note": "<b>x</b>\"'"}))
    browser = visit("inspector")
    for path in ("/", "/finding/f1"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
    assert "<b>x</b>" not in page


@pytest.mark.parametrize(
    "within", ["1 hour", "24 hours", "1 working hour", "9 working hours", "5 working days"]
)
def test_the_border_of_what_is_late_is_where_deadlines_pass(within):
    calendar = HALL.working_time
    for hours in (0, 5, 12, 60, 100):
        now = at(60 * hours + 7)
        border = late_before(calendar, within, now)
        assert deadline(calendar, border - timedelta(seconds=2), within) < now
        assert deadline(calendar, border + timedelta(seconds=2), within) >= now


# -- one finding -----------------------------------------------------------------------------------------------------


def test_every_look_is_a_row_of_the_chain_before_it_is_seen(visit, three, db):
    browser = visit("inspector")
    browser.get("/")
    browser.get("/finding/f1")
    visit("viewer").get("/finding/f1")
    rows = list(chain.read(db, CENTRE))
    checker = Checker()
    assert [checker.take(row) for row in rows] == [None] * len(rows)
    looks = [row.body for row in rows if row.kind == "evidence.looked"]
    assert len(looks) == 2
    assert '"account":"inspector","person":"p4","what":"desk"' in looks[0]
    assert '"person":"viewer"' in looks[1]


def test_the_page_shows_the_hashes_of_the_chain(visit, three, db):
    page = visit("inspector").get("/finding/f1").text
    if not [row for row in chain.read(db, CENTRE) if row.kind != "evidence.looked"]:
        take_step(db, HALL, "f1", "acknowledge", person="p1", now=at(31))
        page = visit("inspector").get("/finding/f1").text
    shown = set(re.findall(r"\b[0-9a-f]{64}\b", page))
    assert {row.hash.hex() for row in chain.read(db, CENTRE) if row.kind.startswith("act.")} <= shown


def test_each_role_has_the_buttons_of_its_steps(visit, three, db, clock):
    def steps(name: str) -> set[str]:
        browser = visit(name)
        browser.get("/finding/f1")
        return browser.steps

    assert steps("inspector") == {"acknowledge", "revoke"}
    assert steps("window7") == steps("director") == {"acknowledge", "answer", "appeal"}
    assert steps("viewer") == set()
    take_step(db, HALL, "f1", "appeal", person="p1", now=clock.now(), text="不符")
    assert steps("inspector") == {"uphold", "revoke"}
    assert steps("window7") == set()
    take_step(db, HALL, "f1", "uphold", person="p4", now=clock.now(), text="属实")
    assert steps("window7") == {"rectify"}
    db.execute("update finding set state = 'closed', closed_at = %s where finding_id = 'f1'", [at(31)])
    assert steps("inspector") == {"revoke", "close"}
    take_step(db, HALL, "f1", "close", person="p4", now=clock.now(), text="了结")
    assert steps("inspector") == set()


def test_a_whole_life_by_clicks(visit, three, db, clock):
    def click(name: str, step: str, text: str = "说明") -> None:
        browser = visit(name)
        browser.get("/finding/f1")
        answer = browser.post("/finding/f1/act", step=step, saw=browser.saw, text=text)
        assert answer.status_code == 303, browser.page
        assert "已记录" in browser.get(answer.headers["location"].removeprefix("/desk")).text
        clock.later(minutes=5)

    click("window7", "acknowledge", "")
    click("window7", "answer", "系统录入滞后\n第二行")
    click("director", "appeal")
    click("inspector", "uphold")
    click("director", "rectify")
    db.execute("update finding set state = 'closed', closed_at = %s where finding_id = 'f1'", [clock.now()])
    click("second", "close")
    life = read_life(db, HALL, "f1").life
    assert [(act.step, act.person) for act in life.acts][1:] == [
        ("acknowledged", "p1"), ("answered", "p1"), ("appealed", "p3"), ("upheld", "p4"), ("rectified", "p3"), ("closed", "p5"),
    ]  # fmt: skip
    assert life.acts[2].detail["text"] == "系统录入滞后\n第二行"
    assert "已办结" in visit("viewer").get("/finding/f1").text


def test_a_stale_click_is_refused_with_what_happened_and_loses_no_text(visit, three, db, clock):
    slow, quick = visit("window7"), visit("director")
    slow.get("/finding/f1")
    saw = slow.saw
    quick.get("/finding/f1")
    assert quick.post("/finding/f1/act", step="answer", saw=quick.saw, text="领导已说明").status_code == 303
    answer = slow.post("/finding/f1/act", step="appeal", saw=saw, text="写了很久的申诉理由")
    assert answer.status_code == 409
    assert "您打开页面之后情况有变化" in answer.text
    assert re.search(r"人3 已反馈 领导已说明", answer.text)
    assert "写了很久的申诉理由</textarea>" in answer.text
    assert slow.saw != saw
    assert read_life(db, HALL, "f1").life.state == "answered"
    assert (
        slow.post("/finding/f1/act", step="appeal", saw=slow.saw, text="写了很久的申诉理由").status_code
        == 303
    )


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("viewer", "acknowledge"),
        ("window7", "revoke"),
        ("director", "uphold"),
        ("inspector", "answer"),
        ("window7", "close"),
    ],
)
def test_no_act_without_the_right_role(visit, three, db, name, step):
    browser = visit(name)
    browser.get("/finding/f1")
    saw = read_life(db, HALL, "f1").life.number
    assert browser.post("/finding/f1/act", step=step, saw=saw, text="x").status_code == 403
    assert len(read_life(db, HALL, "f1").life.acts) == 1


def test_an_inspector_who_is_a_party_does_not_decide(visit, db, desk, clock, accounts_file):
    from dashboard.desk.accounts import Account, write_account
    from domain.centre import Centre
    from domain.centres import Centres
    from tests.dashboard.desk.conftest import HASH

    write_account(accounts_file, Account("party", "inspector", HASH, "p3"))
    hall = Centre.model_validate({**HALL.model_dump(), "messages": {"inspectors": ["p3", "p4"]}})
    write(db, found(1))
    browser = visit("party", centres=Centres.of(hall))
    browser.get("/finding/f1")
    assert "revoke" not in browser.steps
    answer = browser.post("/finding/f1/act", step="revoke", saw=browser.saw, text="x")
    assert (answer.status_code, "不得自行裁定" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "dance", "saw": 1},
        {"step": "answer", "saw": "one"},
        {"step": "answer"},
        {"step": "answer", "saw": "²"},
        {"saw": 1},
    ],
)
def test_a_form_that_is_none_does_nothing(visit, three, fields):
    browser = visit("window7")
    browser.get("/finding/f1")
    assert browser.post("/finding/f1/act", text="x", **fields).status_code == 400


def test_a_form_without_the_token_or_from_another_site_does_nothing(visit, three, db):
    browser = visit("window7")
    browser.get("/finding/f1")
    saw = browser.saw
    for token in ("", "x", "0" * 64):
        assert (
            browser.post("/finding/f1/act", token=token, step="answer", saw=saw, text="x").status_code == 403
        )
    good = visit("director")
    good.get("/finding/f1")
    assert (
        browser.post("/finding/f1/act", token=good.token, step="answer", saw=saw, text="x").status_code == 403
    )
    browser.get("/finding/f1")
    sent = browser.client.post(
        "/desk/finding/f1/act",
        data={"token": browser.token, "step": "answer", "saw": saw, "text": "x"},
        headers={"sec-fetch-site": "same-site"},
    )
    assert sent.status_code == 403
    huge = browser.post("/finding/f1/act", step="answer", saw=saw, text="长" * 30_000)
    assert huge.status_code == 403
    assert len(read_life(db, HALL, "f1").life.acts) == 1


def test_who_is_told_of_a_revocation_is_asked_in_its_transaction(visit, three, db):
    from dashboard.desk.hands import Hands

    told = []

    def tell(connection, changes, now):
        told.append([(finding.finding_id, finding.state, kind) for finding, kind in changes])

    browser = visit("inspector", hands=Hands(tell=lambda centre: tell))
    browser.get("/finding/f1")
    assert browser.post("/finding/f1/act", step="revoke", saw=browser.saw, text="误判").status_code == 303
    assert told == [[("f1", "revoked", "revoked")]]
    assert "误判" in browser.get("/finding/f1").text


def test_a_database_that_is_away_is_said_and_nothing_is_done(visit, three):
    from contextlib import contextmanager

    import psycopg

    @contextmanager
    def lend():
        raise psycopg.OperationalError("host=db password=hunter2")
        yield

    browser = visit("inspector")
    answer = visit("inspector", lend=lend).get("/")
    assert (answer.status_code, "hunter2" in answer.text) == (503, False)
    assert browser.get("/").status_code == 200


# -- findings of inspectors ------------------------------------------------------------------------------------------


def test_an_inspector_opens_a_finding_with_the_same_life(visit, db):
    browser = visit("inspector")
    browser.get("/new")
    answer = browser.post(
        "/new", rule="manual.attitude", severity="yellow", window="A07", text="对群众不耐烦", case=""
    )
    assert answer.status_code == 303
    page = browser.get(answer.headers["location"].removeprefix("/desk")).text
    for part in ("服务态度问题", "对群众不耐烦", "人4", "黄牌"):
        assert part in page
    assert "服务态度问题" in visit("window7").get("/").text
    assert next(row.kind for row in chain.read(db, CENTRE)) == "finding.opened"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"rule": "time_limit.legal"}, 400, "不完整"),
        ({"severity": "purple"}, 400, "不完整"),
        ({"window": ""}, 409, "窗口或办件"),
        ({"window": "A99"}, 409, "窗口或办件"),
        ({"case": "C9"}, 409, "办件"),
        ({"text": "  "}, 409, "请填写说明"),
    ],
)
def test_a_manual_finding_that_cannot_be_is_refused_and_the_form_kept(visit, fields, status, words):
    browser = visit("inspector")
    browser.get("/new")
    given = {
        "rule": "manual.other",
        "severity": "red",
        "window": "A07",
        "text": "保留的文字",
        "case": "",
        **fields,
    }
    answer = browser.post("/new", **given)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert given["text"] in answer.text


@pytest.mark.parametrize("name", ["director", "window7", "viewer"])
def test_only_inspectors_open_findings(visit, name, db):
    browser = visit(name)
    assert browser.get("/new").status_code == 403
    assert (
        browser.post("/new", rule="manual.other", severity="red", window="A07", text="x").status_code == 403
    )
    assert db.execute("select count(*) from finding").fetchone() == (0,)
