"""The desk as an ASGI application beside the wall: who is there, whether the form is ours, then the page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboard.catalogue import LANGUAGES
from dashboard.desk import (
    finding_acts,
    finding_page,
    findings_page,
    history_page,
    manual_page,
    messaging_page,
    scores_page,
    sign_in,
    silences_page,
    spot_checks_page,
)
from dashboard.desk.accounts import Account
from dashboard.desk.desk import Desk, is_ours, set_cookie, who
from dashboard.desk.page import HEADERS, frame, note
from dashboard.desk.sessions import COOKIE
from dashboard.desk.visit import ROOT, Visit
from dashboard.words import Words
from domain.centre import Centre
from domain.errors import InputError, MingjingError, SettingsError
from store.connection import Connection

log = logging.getLogger(__name__)

#: Bytes of a form: the longest text there is, as it is sent, and some fields.
LONGEST_FORM = 64 * 1024
LANGUAGE = "mingjing_desk_lang"
Page = Callable[[Visit, Connection], Response]

#: Address → page; of a POST its act. ``{id}`` is handed on in the query.
LOOKS: dict[str, Page] = {
    "/": findings_page.findings,
    "/finding/{id}": finding_page.finding,
    "/finding/{id}/bundle": finding_page.bundle,
    "/new": manual_page.new,
    "/checks": spot_checks_page.checks,
    "/checks/plan/{id}": spot_checks_page.quality,
    "/scores": scores_page.scores,
    "/history": history_page.history,
    "/messages": messaging_page.messaging,
    "/silences": silences_page.silences,
}
ACTS: dict[str, Page] = {
    "/finding/{id}/act": finding_acts.act,
    "/finding/{id}/pictures": finding_page.look_at_pictures,
    "/new": manual_page.open_finding,
    "/checks/answer": spot_checks_page.answer,
    "/checks/plan": spot_checks_page.make_plan,
    "/silences": silences_page.begin,
    "/silences/end": silences_page.end,
}


def create_desk(desk: Desk) -> Starlette:
    """An ASGI application to be mounted at :data:`~dashboard.desk.visit.ROOT`."""

    def route(path: str, page: Page | None, act: Page | None) -> Route:
        methods = [name for name, each in (("GET", page), ("POST", act)) if each is not None]

        async def serve(request: Request) -> Response:
            return await _serve(desk, request, act if request.method == "POST" else page)

        return Route(path, serve, methods=methods)

    async def enter(request: Request) -> Response:
        sent = await _form(request) if request.method == "POST" else {}
        return await run_in_threadpool(sign_in.enter, desk, request, sent, _words(desk, request))

    async def leave(request: Request) -> Response:
        return await run_in_threadpool(_leave, desk, request, await _form(request))

    paths = [*LOOKS, *(path for path in ACTS if path not in LOOKS)]
    return Starlette(
        routes=[
            Route("/sign-in", enter, methods=["GET", "POST"]),
            Route("/sign-out", leave, methods=["POST"]),
            Mount("/assets", StaticFiles(directory=Path(__file__).parent / "assets")),
            *(route(path, LOOKS.get(path), ACTS.get(path)) for path in paths),
        ]
    )


async def _form(request: Request) -> dict[str, str]:
    """Fields of a sent form. One that is too long counts as empty, and then lacks its token."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    # Browsers send line ends as CR LF.
    return {key: value.replace("\r\n", "\n") for key, value in pairs}


async def _serve(desk: Desk, request: Request, page: Page | None) -> Response:
    form = await _form(request) if request.method == "POST" else {}
    return await run_in_threadpool(_answer, desk, request, page, form)


def _answer(desk: Desk, request: Request, page: Page | None, form: dict[str, str]) -> Response:
    words = _words(desk, request)
    if not desk.accounts.open:
        return sign_in.closed(words)
    try:
        found = who(desk, request)
    except MingjingError as error:
        log.error("desk: %s", error)
        return sign_in.broken(words)
    if found is None:
        return sign_in.ask(desk, request, words, lost=form)
    session, account = found
    centre = _centre(desk, request, account)
    token = desk.sessions.token(session)
    visit = Visit(
        account, desk.centres, centre, Words(words.language, centre.zone), desk.clock.now(), token, desk.hands,
        path=ROOT + request.url.path.removeprefix(ROOT) + (f"?{request.url.query}" if request.url.query else ""),
        query={**request.query_params, **request.path_params}, form=form,
    )  # fmt: skip
    if request.method == "POST" and not (
        is_ours(request) and desk.sessions.is_token(session, form.get("token", ""))
    ):
        log.warning("desk: a form without the right token, in the name of %s", account.name)
        return told(visit, "desk_no_token", 403)
    assert page is not None
    try:
        with desk.lend() as connection:
            answer = page(visit, connection)
    except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
        log.warning("desk: the database did not answer: %s", type(error).__name__)
        return told(visit, "desk_busy", 503)
    except MingjingError as error:
        log.error("desk: %s cannot be shown: %s", visit.path, error)
        return told(visit, "desk_failed", 500)
    renewed = desk.sessions.renewed(session)
    if renewed is not None and not desk.trusted_header:
        set_cookie(desk, answer, COOKIE, desk.sessions.cookie(renewed))
    if request.query_params.get("lang") in LANGUAGES:
        set_cookie(desk, answer, LANGUAGE, request.query_params["lang"], max_age=365 * 86400)
    return answer


def told(visit: Visit, key: str, status: int) -> Response:
    """A page that says only why there is no other."""
    return frame(visit, visit.words("desk_title"), note(visit.words(key), "refused"), status=status)


def _centre(desk: Desk, request: Request, account: Account) -> Centre:
    wanted = account.centre or request.query_params.get("centre", "")
    return desk.centres.get(wanted) or desk.centres.first


def _words(desk: Desk, request: Request) -> Words:
    language = request.query_params.get("lang") or request.cookies.get(LANGUAGE, LANGUAGES[0])
    return Words(language, desk.centres.first.zone)


def _leave(desk: Desk, request: Request, form: dict[str, str]) -> Response:
    try:
        found = who(desk, request)
    except (InputError, SettingsError):
        found = None
    answer: Response = RedirectResponse(f"{ROOT}/sign-in", 303, HEADERS)
    if found is not None and is_ours(request) and desk.sessions.is_token(found[0], form.get("token", "")):
        desk.sessions.end(found[0])
        log.info("desk: %s signed out", found[1].name)
        answer.delete_cookie(COOKIE, path=ROOT)
    return answer


__all__ = ["Desk", "create_desk", "told"]
