"""Who is signed in: a signed cookie, a token in every form, and what was signed out before its time."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dashboard.desk.accounts import Account

COOKIE = "mingjing_desk"
#: Of the page that asks for a password: nobody signs another in unnoticed.
DOOR_COOKIE = "mingjing_desk_door"
#: Real seconds without a page, and altogether, after which one has to sign in again.
IDLE, LONGEST = 3600.0, 10 * 3600.0
#: A cookie older than this is written anew.
RENEW = 300.0


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. ``began``, ``seen``: real epoch seconds; ``stamp``: of the password it was made with."""

    name: str
    number: str
    began: float
    seen: float
    stamp: str


class Sessions:
    """Makes and checks cookies and tokens.

    Args:
        secret: at least 16 bytes, kept between starts.
        real: seconds of the real clock; the demo's simulated one runs faster than people type.
    """

    def __init__(self, secret: bytes, *, real: Callable[[], float] = time.time) -> None:
        assert len(secret) >= 16
        self._secret, self._real = secret, real
        self._out: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, account: Account) -> Session:
        now = self._real()
        return Session(account.name, secrets.token_urlsafe(16), now, now, self._stamp(account))

    def renewed(self, session: Session) -> Session | None:
        """The session with this page as the last; None while the cookie is young enough."""
        now = self._real()
        return replace(session, seen=now) if now - session.seen >= RENEW else None

    def cookie(self, session: Session) -> str:
        row = [session.name, session.number, session.began, session.seen, session.stamp]
        body = base64.urlsafe_b64encode(json.dumps(row).encode()).decode()
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str, find: Callable[[str], Account | None]) -> tuple[Session, Account] | None:
        """The session of a cookie and its account; None if it is none of ours, is over, or the account is another now."""
        body, _, signature = cookie.partition(".")
        if len(cookie) > 2000 or not hmac.compare_digest(signature, self._sign("session", body)):
            return None
        session = Session(*json.loads(base64.urlsafe_b64decode(body)))
        now = self._real()
        if now - session.seen > IDLE or now - session.began > LONGEST or session.number in self._out:
            return None
        account = find(session.name)
        if account is None or not hmac.compare_digest(self._stamp(account), session.stamp):
            return None
        return session, account

    def end(self, session: Session) -> None:
        """Signed out: the cookie is worth nothing any more, wherever it lies."""
        now = self._real()
        with self._lock:
            self._out = {number: until for number, until in self._out.items() if until > now}
            self._out[session.number] = session.began + LONGEST

    def token(self, session: Session) -> str:
        """Stands in every form of this session."""
        return self._sign("form", session.number)

    def is_token(self, session: Session, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token(session).encode())

    def door_token(self, number: str) -> str:
        """Stands in the form that asks for a password; ``number`` is in the cookie beside it."""
        return self._sign("door", number)

    def _stamp(self, account: Account) -> str:
        return self._sign("account", account.line)[:16]

    def _sign(self, what: str, text: str) -> str:
        return hmac.new(self._secret, f"{what}\x1f{text}".encode(), "sha256").hexdigest()


__all__ = ["COOKIE", "DOOR_COOKIE", "IDLE", "LONGEST", "Session", "Sessions"]
