"""The desk as it is wired: real scores, plans, bundles and messages; accounts from the command line."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from alerts.links import AckLinks
from dashboard.desk.accounts import Accounts, check_password
from dashboard.desk.app import create_desk
from domain.centre_file import parse_centre
from domain.centres import Centres
from domain.findings import Finding
from mingjing.audit.bundle import read_bundle
from mingjing.audit.verifying import verify
from mingjing.cli import main
from mingjing.demo.centre import TEMPLATE
from mingjing.demo.command import write_desk_accounts
from mingjing.desk.wiring import SCORES_KEPT, ScoreShelf, make_desk
from mingjing.settings import load_settings
from store import chain
from store.connection import connect
from store.findings import Change, Said, as_entries, write_said
from store.ingest import write_events
from tests.detectors.making import at
from tests.store.making import event

FILE = {
    "centre": {"id": "530502", "name": "测试中心"},
    "departments": [{"id": "d1", "name": "市场局"}],
    "people": [{"id": f"p{n}", "name": f"人{n}", "phone": f"1390000000{n}"} for n in range(1, 5)],
    "windows": [{"id": "A07", "department": "d1", "handler": "p1", "superior": "p2"}],
    "messages": {"inspectors": ["p4"], "max_age_hours": 240},
}
CENTRE = parse_centre(yaml.safe_dump(FILE, allow_unicode=True))
NOW = at("03-03 10:00")
PASSWORD = "long enough 2026"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["desk", "account", *arguments])
    return int(end.value.code or 0)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE, allow_unicode=True), "utf-8")
    (tmp_path / "password").write_text(PASSWORD + "\n", "utf-8")
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    monkeypatch.setenv("MINGJING_DESK_ACCOUNTS_FILE", str(tmp_path / "accounts"))
    return tmp_path


def add(files: Path, name: str, role: str, person: str = "", *more: str) -> int:
    given = ("--person", person) if person else ()
    return run("add", name, "--role", role, *given, "--password-file", str(files / "password"), *more)


# -- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_are_added_replaced_listed_and_removed(files, capsys):
    assert add(files, "li", "inspector", "p4") == 0
    assert add(files, "wang", "viewer") == 0
    first = Accounts(files / "accounts").get("li")
    assert add(files, "li", "director", "p2") == 0
    second = Accounts(files / "accounts").get("li")
    assert first is not None
    assert second is not None
    assert (first.hash != second.hash, second.role, second.person) == (True, "director", "p2")
    assert check_password(PASSWORD, second.hash)
    assert not check_password(PASSWORD + "x", second.hash)
    capsys.readouterr()
    assert run("list") == 0
    assert capsys.readouterr().out.split() == ["wang", "viewer", "li", "director", "p2"]
    assert run("remove", "li") == 0
    assert Accounts(files / "accounts").get("li") is None
    assert PASSWORD not in (files / "accounts").read_text("utf-8")
    assert (files / "accounts").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("li", "king", "p4"), "none of inspector"),
        (("li", "inspector", ""), "acts in somebody's name"),
        (("li", "inspector", "p9"), "nobody in"),
        (("li", "inspector", "p4", "--centre", "999"), "no centre 999"),
        (("l:i", "viewer", ""), "letters, digits"),
    ],
)
def test_what_cannot_be_an_account_is_said(files, capsys, arguments, says):
    assert add(files, *arguments) == 2
    assert says in capsys.readouterr().err
    assert not (files / "accounts").exists()


def test_a_short_password_is_refused_and_a_missing_file_named(files, capsys, monkeypatch):
    (files / "password").write_text("short", "utf-8")
    assert add(files, "li", "inspector", "p4") == 2
    assert "10" in capsys.readouterr().err
    monkeypatch.delenv("MINGJING_DESK_ACCOUNTS_FILE")
    assert run("list") == 2
    assert "MINGJING_DESK_ACCOUNTS_FILE" in capsys.readouterr().err


def test_the_demo_opens_the_desk_for_invented_people_with_a_password_of_its_own(tmp_path):
    passwords = set()
    for name in ("one", "two"):
        hidden = tmp_path / name
        hidden.mkdir()
        write_desk_accounts(hidden)
        write_desk_accounts(hidden)
        password = (hidden / "desk-password").read_text("utf-8")
        accounts = Accounts(hidden / "desk-accounts")
        inspector = accounts.get("jiancha")
        assert inspector is not None
        assert check_password(password, inspector.hash)
        assert (hidden / "desk-accounts").stat().st_mode & 0o777 == 0o600
        passwords.add(password)
    assert len(passwords) == 2
    demo = parse_centre(TEMPLATE.read_text("utf-8"))
    assert "j1" in demo.messages.inspectors
    assert {account.person for account in accounts.all().values()} <= demo.people_ids


# -- what the desk is handed ---------------------------------------------------------------------------------------------


@pytest.fixture
def browser(files, database, monkeypatch):
    """An inspector, signed in at the desk as the wall's process makes it, over a database with a case and its card."""
    found = Finding(
        "f1",
        "time_limit.promised",
        "yellow",
        "530502",
        at("03-02 09:00"),
        case="C1",
        window="A07",
        due_at=at("03-02 09:00"),
    )
    with connect(database, autocommit=True) as connection:
        events = [
            replace(
                event("case.accepted", case="C1", window="A07"),
                occurred_at=at("03-01 09:00"),
                received_at=at("03-01 09:00"),
            )
        ]
        write_events(connection, events, centre="530502", now=at("03-01 09:00"))
        said = [Said("case:C1", [Change("opened", found)])]
        with connection.transaction():
            write_said(connection, said, at("03-02 09:00"))
            chain.append(connection, "530502", as_entries(said), at("03-02 09:00"))
    assert add(files, "li", "inspector", "p4") == 0
    context = SimpleNamespace(
        settings=load_settings(), dsn=database, centres=Centres.of(CENTRE), clock=SimpleNamespace(now=lambda: NOW),
        links=AckLinks(b"x" * 32, "http://wall"), channel="log", channel_kinds={"log": "phone"},
    )  # fmt: skip
    desk, close = make_desk(context)  # type: ignore[arg-type]
    client = TestClient(
        Starlette(routes=[Mount("/desk", app=create_desk(desk))]), base_url="http://d", follow_redirects=False
    )
    token = re.search(r'name="token" value="(\w+)"', client.get("/desk/").text)
    assert token is not None
    assert (
        client.post("/desk/sign-in", data={"token": token[1], "name": "li", "password": PASSWORD}).status_code
        == 303
    )
    yield client
    close()


def form_of(page: str) -> dict[str, str]:
    return {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("token", "saw")}  # type: ignore[index]


@pytest.mark.postgres
def test_a_bundle_from_the_page_proves_itself(browser, tmp_path):
    assert browser.get("/desk/finding/f1").status_code == 200
    for address in ("/desk/finding/f1/bundle", "/desk/finding/f1/bundle?whole=case"):
        (tmp_path / "bundle.zip").write_bytes(browser.get(address).content)
        done = verify(read_bundle(tmp_path / "bundle.zip"), None, {})
        assert done.broken is None
    rows = zipfile.ZipFile(io.BytesIO((tmp_path / "bundle.zip").read_bytes())).read("chain.jsonl").decode()
    assert "evidence.looked" in rows
    assert '\\"person\\":\\"p4\\"' in rows


@pytest.mark.postgres
def test_who_was_told_is_told_of_a_revocation_and_the_page_shows_it(browser, database):
    page = browser.get("/desk/finding/f1").text
    answer = browser.post("/desk/finding/f1/act", data={**form_of(page), "step": "revoke", "text": "误判"})
    assert answer.status_code == 303
    with connect(database) as connection:
        assert connection.execute("select state, revoked_person from finding").fetchone() == ("revoked", "p4")
    page = browser.get("/desk/new").text
    token = form_of(page + 'name="saw" value="0"')["token"]
    sent = {
        "token": token,
        "rule": "manual.attitude",
        "severity": "yellow",
        "window": "A07",
        "text": "说明",
        "case": "",
    }
    answer = browser.post("/desk/new", data=sent)
    assert answer.status_code == 303
    page = browser.get(answer.headers["location"]).text
    assert "人1" in page
    assert "139****0001" in page
    assert "黄牌通知" in page


@pytest.mark.postgres
def test_scores_spot_checks_and_their_result_come_out_of_the_database(browser):
    assert "A07" in browser.get("/desk/scores?by=window&period=2026-03").text
    assert browser.get("/desk/scores?period=March").status_code == 400
    page = browser.get("/desk/checks").text
    token = form_of(page + 'name="saw" value="0"')["token"]
    sent = {"token": token, "first": "2026-03-03", "last": "2026-03-03", "quota": "1"}
    assert browser.post("/desk/checks/plan", data=sent).status_code == 303
    page = browser.get("/desk/checks").text
    assert page.count("<td>A07</td>") >= 6
    plan = re.search(r"/desk/checks/plan/(\w+)", page)
    assert plan is not None
    assert "无数据" in browser.get(f"/desk/checks/plan/{plan[1]}").text


@pytest.mark.postgres
def test_scores_are_counted_once_for_a_while(database, monkeypatch):
    counted = []

    def count(connection, centres, kind, period, now):
        counted.append((kind, period, len(centres)))
        return {by: [] for by in ("department", "window", "person", "item", "centre")}

    monkeypatch.setattr("mingjing.desk.wiring.count_scores", count)
    now = [0.0]
    shelf = ScoreShelf(Centres.of(CENTRE), monotonic=lambda: now[0])
    with connect(database) as connection:
        for by in ("department", "item", "centre", "window"):
            shelf(connection, CENTRE, "month", "2026-03", by, NOW)
        assert counted == [("month", "2026-03", 1)]
        now[0] += SCORES_KEPT + 1
        shelf(connection, CENTRE, "month", "2026-03", "window", NOW + timedelta(minutes=6))
    assert len(counted) == 2
