"""What every page of the desk stands on, and who asks for one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from dashboard.desk.accounts import Account, Accounts
from dashboard.desk.hands import Hands
from dashboard.desk.sessions import COOKIE, Session, Sessions
from dashboard.desk.visit import ROOT
from dashboard.desk.waiting import Waiting
from domain.centres import Centres
from domain.clock import Clock
from store.connection import Connection


@dataclass(frozen=True)
class Desk:
    """Everything the desk needs.

    Args:
        lend: a connection for one page, outside of a transaction.
        trusted_header: a request's header that a proxy has set to the account's name; empty: nobody is believed.
        secure: the browser comes by HTTPS, and cookies go no other way.
    """

    centres: Centres
    clock: Clock
    lend: Callable[[], AbstractContextManager[Connection]]
    accounts: Accounts
    sessions: Sessions
    hands: Hands = field(default_factory=Hands)
    waiting: Waiting = field(default_factory=Waiting)
    trusted_header: str = ""
    secure: bool = False


def who(desk: Desk, request: Request) -> tuple[Session, Account] | None:
    """Who asks; None: nobody we know.

    Raises:
        SettingsError, InputError: the accounts cannot be read.
    """
    if desk.trusted_header:
        name = request.headers.get(desk.trusted_header, "")
        account = desk.accounts.get(name)
        # No cookie, but the forms' token all the same: the browser adds its proxy's sign-in to any site's form.
        return None if account is None else (Session(name, f"header:{name}", 0.0, 0.0, ""), account)
    return desk.sessions.read(request.cookies.get(COOKIE, ""), desk.accounts.get)


def is_ours(request: Request) -> bool:
    """Whether the browser says that the form stood on a page of ours. Old ones say nothing; then the token alone decides."""
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def set_cookie(desk: Desk, answer: Response, name: str, value: str, max_age: int | None = None) -> None:
    """A cookie of the desk alone, which no script reads and no other site sends."""
    answer.set_cookie(
        name, value, max_age=max_age, path=ROOT, secure=desk.secure, httponly=True, samesite="strict"
    )


__all__ = ["Desk", "is_ours", "set_cookie", "who"]
