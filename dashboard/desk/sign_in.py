"""Signing in: the form, what happens to a name and a password, and the pages for when nobody can."""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections.abc import Mapping
from functools import cache

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.desk.accounts import check_password, hash_password
from dashboard.desk.desk import Desk, is_ours, set_cookie
from dashboard.desk.markup import Node, tag
from dashboard.desk.page import HEADERS, document, entry, note
from dashboard.desk.sessions import COOKIE, DOOR_COOKIE
from dashboard.desk.visit import ROOT
from dashboard.words import Words
from domain.errors import MingjingError

log = logging.getLogger(__name__)

#: Each try takes 32 MB for a tenth of a second: more at once only wait.
_TRIES = threading.BoundedSemaphore(2)
#: What somebody may have written when his session was over: shown, so that it can be copied.
_WRITTEN = ("text", "note")


@cache
def _nobody() -> str:
    """The hash of no password: a name that is unknown takes as long as one that is known."""
    return hash_password(secrets.token_urlsafe(16))


def closed(words: Words) -> Response:
    """The desk has no accounts."""
    body = tag(
        "main",
        tag("h1", words("desk_closed")),
        tag("p", words("desk_closed_how")),
        _commands(),
        class_="door",
    )
    return document(words, words("desk_closed"), body, status=503)


def _commands() -> Node:
    lines = (
        "mingjing desk account add NAME --role inspector --person ID --file /etc/mingjing/desk-accounts\n"
        "MINGJING_DESK_ACCOUNTS_FILE=/etc/mingjing/desk-accounts"
    )
    return tag("pre", lines)


def broken(words: Words) -> Response:
    """The file of accounts cannot be used; where, the log says."""
    body = tag("main", tag("h1", words("desk_title")), note(words("desk_broken"), "refused"), class_="door")
    return document(words, words("desk_title"), body, status=503)


def ask(
    desk: Desk,
    request: Request,
    words: Words,
    *,
    why: str = "",
    name: str = "",
    status: int = 401,
    lost: Mapping[str, str] | None = None,
) -> Response:
    """The form.

    Args:
        why: why it is shown again.
        lost: a form that was sent after the session was over.
    """
    if desk.trusted_header:
        body = tag(
            "main",
            tag("h1", words("desk_title")),
            note(words("desk_header_unknown"), "refused"),
            class_="door",
        )
        return document(words, words("desk_title"), body, status=403)
    number = secrets.token_urlsafe(16)
    written = [value for key, value in (lost or {}).items() if key in _WRITTEN and value.strip()]
    form = tag(
        "form",
        tag("input", type="hidden", name="token", value=desk.sessions.door_token(number)),
        tag("input", type="hidden", name="next", value=_next(request)),
        entry(
            "name",
            words("desk_name"),
            name,
            autocomplete="username",
            required=True,
            autofocus=True,
            maxlength=64,
        ),
        entry(
            "password",
            words("desk_password"),
            type_="password",
            autocomplete="current-password",
            required=True,
        ),
        tag("button", words("desk_sign_in"), type="submit"),
        method="post",
        action=f"{ROOT}/sign-in",
    )
    kept = [
        note(words("desk_over"), "refused"),
        [tag("textarea", text, rows=6, readonly=True) for text in written],
    ]
    body = tag(
        "main",
        tag("h1", words("desk_title")),
        tag(
            "p",
            ", ".join(each.centre.name or code for code, each in list(desk.centres.items())[:3]),
            class_="sub",
        ),
        note(why, "refused") if why else None,
        kept if written else None,
        form,
        tag("p", tag("a", words("desk_wall"), href="/"), " · ", _other(words), class_="sub"),
        class_="door",
    )
    answer = document(words, words("desk_sign_in"), body, status=status)
    set_cookie(desk, answer, DOOR_COOKIE, number)
    return answer


def _other(words: Words) -> Node:
    return tag("a", words("switch"), href=f"{ROOT}/sign-in?lang={'en' if words.language == 'zh' else 'zh'}")


def _next(request: Request) -> str:
    """Where one wanted to go: only ways of the desk, and only looks."""
    path = ROOT + request.url.path.removeprefix(ROOT)
    if path.startswith(f"{ROOT}/sign-in"):
        return ""
    if request.method != "GET":
        return path.removesuffix("/act")
    return path + (f"?{request.url.query}" if request.url.query else "")


def enter(desk: Desk, request: Request, form: Mapping[str, str], words: Words) -> Response:
    """``/sign-in``: the form, or what was written into it."""
    if not desk.accounts.open:
        return closed(words)
    if request.method == "GET" or desk.trusted_header:
        return ask(desk, request, words, status=200)
    name, address = form.get("name", "").strip(), request.client.host if request.client else ""
    number = request.cookies.get(DOOR_COOKIE, "")
    token = form.get("token", "")
    if not number or not is_ours(request) or not secrets.compare_digest(
        token.encode(), desk.sessions.door_token(number).encode()
    ):  # fmt: skip
        return ask(desk, request, words, why=words("desk_stale_door"), name=name, status=403)
    seconds = desk.waiting.seconds(name, address)
    if seconds > 0:
        log.warning("desk: sign-in as %r from %s refused: too many tries", name[:64], address)
        answer = ask(
            desk, request, words, why=words("desk_wait", n=math.ceil(seconds)), name=name, status=429
        )
        answer.headers["Retry-After"] = str(math.ceil(seconds))
        return answer
    try:
        account = desk.accounts.get(name)
    except MingjingError as error:
        log.error("desk: %s", error)
        return broken(words)
    with _TRIES:
        right = check_password(form.get("password", ""), account.hash if account is not None else _nobody())
    if account is None or not right:
        desk.waiting.failed(name, address)
        log.warning("desk: sign-in as %r from %s failed", name[:64], address)
        return ask(desk, request, words, why=words("desk_wrong"), name=name, status=401)
    desk.waiting.succeeded(name, address)
    log.info("desk: %s (%s) signed in from %s", account.name, account.role, address)
    wanted = form.get("next", "")
    answer = RedirectResponse(wanted if wanted.startswith(f"{ROOT}/") else f"{ROOT}/", 303, HEADERS)
    set_cookie(desk, answer, COOKIE, desk.sessions.cookie(desk.sessions.begin(account)))
    answer.delete_cookie(DOOR_COOKIE, path=ROOT)
    return answer


__all__ = ["ask", "broken", "closed", "enter"]
