"""A desk over a real database, with an account of every role."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard.desk.accounts import Account, Accounts, hash_password, write_account
from dashboard.desk.app import create_desk
from dashboard.desk.desk import Desk
from dashboard.desk.hands import Hands
from dashboard.desk.sessions import Sessions
from dashboard.desk.waiting import Waiting
from domain.centre import Centre
from domain.centres import Centres
from domain.findings import Finding
from store.connection import connect
from store.findings import Change, write_changes
from store.migrate import migrate
from tests.fixtures_postgres import _database
from tests.store.making import CENTRE, MORNING, at

PASSWORD = "correct horse 明镜"
#: Cheap on purpose: these tests sign in often, and how dear a try is has a test of its own.
HASH = hash_password(PASSWORD, n=16)
HALL = Centre.model_validate(
    {
        "centre": {"id": CENTRE, "name": "测试政务服务中心"},
        "departments": [{"id": "d1", "name": "市场监管局"}, {"id": "d2", "name": "住建局"}],
        "items": [{"code": "A-001", "name": "食品经营许可"}],
        "people": [{"id": f"p{n}", "name": f"人{n}"} for n in range(1, 7)],
        "windows": [
            {
                "id": "A07",
                "name": "食品许可",
                "department": "d1",
                "handler": "p1",
                "superior": "p2",
                "leader": "p3",
            },
            {
                "id": "A08",
                "name": "施工许可",
                "department": "d2",
                "handler": "p6",
                "superior": "p2",
                "leader": "p3",
            },
        ],
        "messages": {"inspectors": ["p4", "p5"]},
    }
)
ACCOUNTS = (
    Account("inspector", "inspector", HASH, "p4"),
    Account("second", "inspector", HASH, "p5"),
    Account("director", "director", HASH, "p3"),
    Account("window7", "window", HASH, "p1"),
    Account("window8", "window", HASH, "p6"),
    Account("viewer", "viewer", HASH),
)


class Still:
    """The system's clock, moved by hand."""

    def __init__(self) -> None:
        self.at = at(30)

    def now(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)


def found(number: int, minutes: float = 0, **more: Any) -> Finding:
    """A red card of the window A07, unless something else is said."""
    rule, severity = more.pop("rule", "time_limit.legal"), more.pop("severity", "red")
    window, case = more.pop("window", "A07"), more.pop("case", f"C{number}")
    moment = MORNING + timedelta(minutes=minutes)
    return Finding(
        f"f{number}",
        rule,
        severity,
        CENTRE,
        moment,
        case=case,
        item="A-001",
        window=window,
        due_at=moment,
        **more,
    )


def write(db: psycopg.Connection, finding: Finding, minutes: float = 0) -> None:
    write_changes(
        db,
        f"case:{finding.case}" if finding.case else f"window:{finding.window}",
        [Change("opened", finding)],
        at(minutes),
    )


@pytest.fixture(scope="package")
def _one(postgres: str, _template: str | None) -> Iterator[psycopg.Connection]:
    """One database for all: what a test writes is taken back at its end."""
    for dsn in _database(postgres, _template or "template0"):
        if _template is None:
            migrate(dsn)
        with connect(dsn, autocommit=True) as connection:
            yield connection


@pytest.fixture
def db(_one: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with _one.transaction(force_rollback=True):
        yield _one


@pytest.fixture
def accounts_file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    for account in ACCOUNTS:
        write_account(path, account)
    return path


@pytest.fixture
def clock() -> Still:
    return Still()


@pytest.fixture
def desk(db: psycopg.Connection, accounts_file: Path, clock: Still) -> Desk:
    @contextmanager
    def lend() -> Iterator[psycopg.Connection]:
        yield db

    return Desk(
        Centres.of(HALL), clock, lend, Accounts(accounts_file), Sessions(b"x" * 32), Hands(),  # type: ignore[arg-type]
        Waiting(),
    )  # fmt: skip


class Browser:
    """Somebody at the desk: keeps cookies, reads the tokens of forms."""

    def __init__(self, desk: Desk) -> None:
        self.client = TestClient(
            Starlette(routes=[Mount("/desk", app=create_desk(desk))]),
            base_url="http://desk",
            follow_redirects=False,
        )
        self.page = ""

    def get(self, path: str, **more: Any) -> Any:
        answer = self.client.get(f"/desk{path}", **more)
        self.page = answer.text
        return answer

    def post(self, path: str, token: str | None = None, **fields: object) -> Any:
        """Sends a form with the token of the page that was shown last."""
        given = token if token is not None else self.token
        answer = self.client.post(f"/desk{path}", data={"token": given, **fields})
        if answer.status_code != 303:
            self.page = answer.text
        return answer

    @property
    def token(self) -> str:
        match = re.search(r'name="token" value="([^"]*)"', self.page)
        return match[1] if match else ""

    @property
    def saw(self) -> str:
        match = re.search(r'name="saw" value="(\d+)"', self.page)
        assert match is not None, "no act is offered"
        return match[1]

    @property
    def steps(self) -> set[str]:
        return set(re.findall(r'name="step" value="(\w+)"', self.page))

    def sign_in(self, name: str, password: str = PASSWORD) -> Any:
        self.get("/sign-in")
        return self.post("/sign-in", name=name, password=password)


@pytest.fixture
def visit(desk: Desk) -> Callable[..., Browser]:
    """Opens a browser of its own, signed in by an account if one is named; keywords replace parts of the desk."""

    def open_it(name: str | None = None, **parts: Any) -> Browser:
        browser = Browser(replace(desk, **parts))
        if name is not None:
            assert browser.sign_in(name).status_code == 303
        return browser

    return open_it


__all__ = ["ACCOUNTS", "HALL", "HASH", "PASSWORD", "Browser", "Still", "found", "write"]
