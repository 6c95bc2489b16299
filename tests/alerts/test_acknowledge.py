"""Acknowledging by link, at the database and through the page."""

from __future__ import annotations

import dataclasses
import logging
import threading
from datetime import timedelta

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from alerts.ack_app import WORDS, create_ack_app
from alerts.acknowledge import (
    Acknowledged,
    AlreadyDone,
    Expired,
    Revoked,
    Unknown,
    Waiting,
    acknowledge,
    look,
)
from alerts.links import load_or_create_secret, mask_tokens
from domain.errors import SettingsError
from tests.alerts.conftest import LINKS, NOW, Desk, make_finding, save_finding

TOKEN = LINKS.token("f1:p1:opened")
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def issued(desk: Desk) -> Desk:
    desk.issue(make_finding())
    return desk


def steps(desk: Desk) -> list[tuple]:
    return desk.connection.execute("select step, person, at from finding_step order by step_id").fetchall()


def finding_row(desk: Desk) -> tuple | None:
    return desk.connection.execute("select state, acknowledged_at, acknowledged_by from finding").fetchone()


def test_it_is_recorded_at_the_message_the_finding_and_in_the_steps(issued: Desk) -> None:
    with psycopg.connect(issued.dsn, autocommit=True) as listener:
        listener.execute("listen mingjing")
        outcome = acknowledge(issued.connection, TOKEN, LATER)
        heard = {note.payload for note in listener.notifies(timeout=5, stop_after=2)}
    assert isinstance(outcome, Acknowledged)
    assert outcome.first
    assert finding_row(issued) == ("open", LATER, "p1")
    assert steps(issued) == [("acknowledged", "p1", LATER)]
    assert issued.rows("acknowledged_at") == [LATER, None]
    assert heard == {"outbox", "finding"}


def test_a_link_works_once(issued: Desk) -> None:
    acknowledge(issued.connection, TOKEN, NOW)
    again = acknowledge(issued.connection, TOKEN, LATER)
    assert isinstance(again, AlreadyDone)
    assert again.at == NOW
    assert len(steps(issued)) == 1


def test_each_person_has_a_link_but_the_finding_keeps_the_first(issued: Desk) -> None:
    acknowledge(issued.connection, TOKEN, NOW)
    second = acknowledge(issued.connection, LINKS.token("f1:p2:opened"), LATER)
    assert isinstance(second, Acknowledged)
    assert not second.first
    assert finding_row(issued) == ("open", NOW, "p1")
    assert [step[1] for step in steps(issued)] == ["p1", "p2"]


def test_a_link_expires(issued: Desk) -> None:
    end = NOW + LINKS.lifetime
    assert isinstance(acknowledge(issued.connection, TOKEN, end + timedelta(seconds=1)), Expired)
    assert steps(issued) == []
    assert isinstance(acknowledge(issued.connection, TOKEN, end), Acknowledged)


def test_a_revoked_finding_is_not_acknowledged(issued: Desk) -> None:
    save_finding(issued.connection, make_finding(state="revoked"))
    assert isinstance(acknowledge(issued.connection, TOKEN, NOW), Revoked)
    assert finding_row(issued) == ("revoked", None, None)


def test_a_closed_finding_stays_closed(issued: Desk) -> None:
    save_finding(issued.connection, make_finding(state="closed"))
    assert isinstance(acknowledge(issued.connection, TOKEN, NOW), Acknowledged)
    assert finding_row(issued) == ("closed", NOW, "p1")


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], TOKEN + "A", "\x00", "字" * 50, LINKS.token("f1:p3:opened")]
)
def test_a_wrong_token_is_unknown(issued: Desk, token: str) -> None:
    assert isinstance(acknowledge(issued.connection, token, NOW), Unknown)
    assert steps(issued) == []


def test_the_database_does_not_hold_the_token(issued: Desk) -> None:
    assert TOKEN not in str(issued.rows())
    assert "/ack/" not in str(issued.rows())


def test_two_clicks_at_once_count_once(issued: Desk) -> None:
    outcomes = []

    def click() -> None:
        with psycopg.connect(issued.dsn, autocommit=True) as connection:
            outcomes.append(acknowledge(connection, TOKEN, NOW))

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Acknowledged"] + ["AlreadyDone"] * 5
    assert len(steps(issued)) == 1


@pytest.fixture
def browser(issued: Desk) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/ack", create_ack_app(issued.dsn, issued.clock))]))


def test_looking_is_not_acknowledging(issued: Desk, browser: TestClient) -> None:
    for method in ("GET", "HEAD", "GET"):
        assert browser.request(method, f"/ack/{TOKEN}").status_code == 200
    assert steps(issued) == []
    assert isinstance(look(issued.connection, TOKEN, NOW), Waiting)


def test_the_page_says_what_and_the_button_takes_it(issued: Desk, browser: TestClient) -> None:
    page = browser.get(f"/ack/{TOKEN}").text
    for words in (
        "黄牌",
        "A07 不动产登记窗口",
        "LY-0001",
        "超承诺时限",
        "11月20日17:00",
        "请张三立即办理",
        "<button>",
    ):
        assert words in page
    issued.clock.set(LATER)
    done = browser.post(f"/ack/{TOKEN}")
    assert "✓ 已确认收到" in done.text
    assert "2026-11-20 17:35" in done.text
    assert "<button>" not in browser.get(f"/ack/{TOKEN}").text
    assert finding_row(issued) == ("open", LATER, "p1")


def test_the_page_in_english(browser: TestClient) -> None:
    page = browser.get(f"/ack/{TOKEN}?lang=en").text
    assert "Yellow card" in page
    assert "I have received this" in page
    assert WORDS["zh-CN"].keys() == WORDS["en"].keys()


def test_each_answer_has_its_status(issued: Desk, browser: TestClient) -> None:
    assert browser.get("/ack/nonsense").status_code == 404
    assert browser.post("/ack/nonsense").status_code == 404
    assert browser.get("/ack/").status_code == 404
    assert browser.get("/ack/" + "x" * 5000).status_code == 404
    assert browser.put(f"/ack/{TOKEN}").status_code == 405
    issued.clock.advance(80 * 3600)
    assert browser.post(f"/ack/{TOKEN}").status_code == 410


def test_nothing_a_finding_carries_can_become_markup(desk: Desk) -> None:
    desk.issue(make_finding(case="<script>alert(1)</script>"))
    page = TestClient(create_ack_app(desk.dsn, desk.clock)).get(f"/{TOKEN}").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_is_neither_kept_nor_framed_nor_indexed(browser: TestClient) -> None:
    headers = browser.get(f"/ack/{TOKEN}").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_database_that_is_away_is_said_so(desk: Desk) -> None:
    def away(dsn: str) -> None:
        raise psycopg.OperationalError("password=secret")

    browser = TestClient(create_ack_app(desk.dsn, desk.clock, connector=away))  # type: ignore[arg-type]
    answer = browser.post(f"/{TOKEN}")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_tokens_stay_out_of_the_log_of_requests(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    create_ack_app(desk.dsn, desk.clock)
    access = logging.getLogger("uvicorn.access")
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        access.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "GET", f"/ack/{TOKEN}", "1.1", 200)
    assert "/ack/…" in caplog.text
    assert TOKEN not in caplog.text
    assert mask_tokens(f"请确认：{LINKS.link('k')}") == "请确认：http://wall.example/ack/…"


def test_tokens_depend_on_the_secret_and_the_key() -> None:
    other = dataclasses.replace(LINKS, secret=b"another secret for tests")
    assert len({LINKS.token("a"), LINKS.token("b"), other.token("a")}) == 3
    assert len(TOKEN) == 16


def test_processes_that_start_together_make_one_secret(tmp_path) -> None:
    path, made = tmp_path / "sub" / "ack.secret", []
    threads = [threading.Thread(target=lambda: made.append(load_or_create_secret(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(made)) == 1
    assert len(made) == 8
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["ack.secret"]


def test_a_short_secret_is_refused(tmp_path) -> None:
    path = tmp_path / "ack.secret"
    path.write_text("short")
    with pytest.raises(SettingsError, match="at least 16 bytes"):
        load_or_create_secret(path)
