"""The inspectors' desk in a real browser: signing in, answering, a click that comes too late, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from alerts.links import AckLinks
from alerts.planner import Planner
from dashboard.desk.accounts import Accounts, write_account
from dashboard.desk.app import create_desk
from dashboard.desk.desk import Desk
from dashboard.desk.hands import Hands
from dashboard.desk.sessions import Sessions
from dashboard.server import listen, run_wall
from domain.centre import Centre
from domain.centres import Centres
from mingjing.desk.overview import DeskOverview
from mingjing.desk.silencing import DeskSilences
from mingjing.desk.telling import DeskTelling
from store.connection import connect, open_pool
from store.finding_life import read_life, take_step
from tests.dashboard.desk.conftest import ACCOUNTS, HALL, PASSWORD, Still, found, write
from tests.store.making import at

pytestmark = pytest.mark.postgres


def planner(centre: Centre) -> Planner:
    return Planner(centre, AckLinks(b"x" * 32, "http://wall"), channel="sms")


@pytest.fixture
def db(database: str) -> Iterator[psycopg.Connection]:
    with connect(database, autocommit=True) as connection:
        write(connection, found(1), 0)
        write(connection, found(2, 5, rule="absence.yellow", severity="yellow", case=None, window="A08"), 5)
        yield connection


@pytest.fixture
def address(db: psycopg.Connection, database: str, tmp_path: Path) -> Iterator[str]:
    for account in ACCOUNTS:
        write_account(tmp_path / "accounts", account)
    pool = open_pool(database, size=2)

    @contextmanager
    def lend() -> Iterator[psycopg.Connection]:
        with pool.connection() as connection:
            connection.autocommit = True
            yield connection

    desk = Desk(
        Centres.of(HALL), Still(), lend, Accounts(tmp_path / "accounts"), Sessions(b"x" * 32),  # type: ignore[arg-type]
        Hands(silences=DeskSilences(), told=DeskTelling(planner), overview=DeskOverview(planner)),
    )  # fmt: skip
    sock, stop = listen("127.0.0.1", 0), threading.Event()
    app = Starlette(routes=[Mount("/desk", app=create_desk(desk))])
    thread = threading.Thread(
        target=run_wall, args=(app,), kwargs={"sock": sock, "stop_event": stop}, daemon=True
    )
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}/desk"
    stop.set()
    thread.join(5)
    pool.close(timeout=1)


@pytest.fixture
def sign_in(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """A page of its own, signed in by the form; what the browser complains about is kept in ``page.complaints``."""
    contexts = []

    def come(name: str, width: int = 1920, height: int = 1080) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: "Content Security Policy" in said.text and page.complaints.append(said.text),
        )
        page.goto(f"{address}/")
        page.wait_for_selector("input[name=name]:focus")  # the page gives it the focus once it is drawn
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('监察发现')")
        return page

    yield come
    for context in contexts:
        context.close()


def test_a_window_answers_by_keyboard_and_the_inspector_reads_it(sign_in, db):
    page = sign_in("window7")
    assert page.locator(".findings tbody tr").count() == 1
    page.click(".findings tbody a")
    page.locator("summary:has-text('反馈')").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("材料已于当日补齐，系统录入滞后。")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".note.done")
    assert page.inner_text(".state") == "已反馈"
    assert read_life(db, HALL, "f1").life.state == "answered"
    reader = sign_in("inspector")
    reader.goto(page.url.partition("?")[0])
    assert "材料已于当日补齐" in reader.inner_text(".timeline")
    assert page.complaints == reader.complaints == []


def test_a_stale_click_is_refused_and_what_was_written_is_still_there(sign_in, db):
    page = sign_in("window7")
    page.click(".findings tbody a")
    page.click("summary:has-text('申诉')")
    page.fill("details[open] textarea", "计算有误：11月18日为特别程序期间。")
    take_step(db, HALL, "f1", "answer", person="p2", now=at(31), text="科室已说明")
    page.click("details[open] button")
    band = page.wait_for_selector(".note.refused").inner_text()
    assert "您打开页面之后情况有变化" in band
    assert "人2 已反馈 科室已说明" in band
    assert page.locator("details[open] textarea").input_value() == "计算有误：11月18日为特别程序期间。"
    assert read_life(db, HALL, "f1").life.state == "answered"
    page.click("details[open] button")
    page.wait_for_selector(".note.done")
    assert read_life(db, HALL, "f1").life.state == "appealed"


def test_no_act_without_the_right_role_and_none_from_another_site(sign_in, db, browser, address):
    page = sign_in("viewer")
    page.click(".findings tbody tr:last-child a")
    assert page.locator(".acts form").count() == 0
    inspector = sign_in("inspector")
    inspector.click(".findings tbody tr:last-child a")
    token = inspector.locator("input[name=token]").first.get_attribute("value")
    saw = inspector.locator("input[name=saw]").first.get_attribute("value")
    # Another site that has even got hold of the token: the browser sends no cookie along.
    elsewhere = inspector.context.new_page()
    elsewhere.goto(address.replace("127.0.0.1", "localhost") + "/sign-in")
    with elsewhere.expect_navigation():
        elsewhere.evaluate(
            """([action, fields]) => {
                const form = document.createElement('form'); form.method = 'post'; form.action = action;
                for (const [name, value] of Object.entries(fields)) {
                    const input = document.createElement('input'); input.name = name; input.value = value; form.append(input);
                }
                document.body.append(form); form.submit();
            }""",
            [
                f"{address.replace('127.0.0.1', 'localhost')}/finding/f1/act",
                {"token": token, "saw": saw, "step": "revoke", "text": "x"},
            ],
        )
    assert elsewhere.locator("input[name=password]").count() == 1
    # The same site without the token.
    inspector.locator("input[name=token]").evaluate_all("all => all.forEach(each => { each.value = 'x'; })")
    inspector.click("summary:has-text('撤销')")
    inspector.fill("details[open] textarea", "x")
    inspector.click("details[open] button")
    inspector.wait_for_selector(".note.refused")
    assert len(read_life(db, HALL, "f1").life.acts) == 1


def test_every_page_fits_its_screen_and_paper(sign_in, screenshots):
    for width, height in ((1366, 768), (3840, 2160)):
        page = sign_in("inspector", width, height)
        for path in (
            "/",
            "/finding/f1",
            "/new",
            "/checks",
            "/history",
            "/history?key=A07",
            "/history?show=cards",
            "/messages",
            "/silences",
        ):
            page.goto(page.url.split("/desk")[0] + "/desk" + path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
            if screenshots:
                page.screenshot(
                    path=screenshots / f"desk{path.replace('/', '-').replace('?', '-')}-{width}.png"
                )
        assert page.complaints == []
    page.goto(page.url.split("/desk")[0] + "/desk/finding/f1")
    assert page.is_visible("button[data-print]")
    page.emulate_media(media="print")
    assert not page.is_visible(".acts")
    assert page.is_visible(".printed")


def test_a_silence_is_set_seen_and_ended_and_a_findings_messages_say_so(sign_in, db, address, screenshots):
    """By keyboard and mouse, as an inspector would; the messages planned meanwhile wait, and the finding's page says why."""
    page = sign_in("inspector")
    page.click("nav a:has-text('静默')")
    page.select_option("select[name=rule]", label="空岗（全部）")
    page.select_option("select[name=place]", "window:A07")
    page.fill("textarea[name=reason]", "柜台改造")
    page.click(".new button")
    assert "静默已设置" in page.wait_for_selector(".note.done").inner_text()
    row = page.inner_text(".silences tbody tr")
    for words in ("生效中", "空岗", "A07 食品许可", "全天", "柜台改造", "人4"):
        assert words in row, words

    hall = Centre.model_validate(
        HALL.model_dump()
        | {"people": [each.model_dump() | {"phone": f"1380000000{n}"} for n, each in enumerate(HALL.people)]}
    )
    quiet = found(3, 25, rule="absence.red", case=None)
    write(db, quiet, 25)
    planner(hall)(db, [(quiet, "opened")], at(30))
    page.goto(f"{address}/finding/f3")
    told = page.inner_text("section:has(.messages)")
    assert "暂缓至 11:30:00：静默（第1条，人4）" in told
    assert "接下来" in told
    assert "138****0001" in told
    assert page.locator(".became-held").count() == 5, "handler, superior, leader, two inspectors"
    if screenshots:
        page.screenshot(path=screenshots / "desk-messages.png", full_page=True)

    page.goto(f"{address}/silences")
    page.click(".silences button:has-text('结束')")
    page.wait_for_selector(".note.done")
    assert "目前没有静默" in page.inner_text("main")
    assert db.execute("select count(*) from outbox where held_until <= %s", [at(30)]).fetchone() == (5,)
    assert page.complaints == []
