"""The page behind the link: says what is acknowledged, and takes it by a button.

Looking is not acknowledging: mail scanners and chat programs open every link they see, so GET changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from html import escape

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from alerts.acknowledge import (
    Acknowledged,
    AlreadyDone,
    Expired,
    Look,
    Notice,
    Outcome,
    Revoked,
    Unknown,
    Waiting,
    acknowledge,
    look,
)
from alerts.catalogue import PHRASES
from alerts.links import TokenFilter
from alerts.messages import message_values
from domain.clock import Clock
from store import Connection, connect

log = logging.getLogger(__name__)

LONGEST_TOKEN = 64

WORDS: dict[str, dict[str, str]] = {
    "zh-CN": {
        "title": "确认收到",
        "button": "确认收到",
        "waiting": "请核对以下内容，然后点击按钮确认收到。",
        "until": "请于 {moment} 前确认",
        "done": "已确认收到",
        "done_text": "{moment} 已记录。请按要求处理。",
        "first": "您是第一位确认的责任人。",
        "already": "此前已经确认过",
        "already_text": "{moment} 已记录，无须重复确认。",
        "expired": "链接已过期",
        "expired_text": "链接于 {moment} 失效。请到监察台处理，或联系中心管理员。",
        "revoked": "该事项已撤销",
        "revoked_text": "此条监察发现已被撤销，无须确认，无须处理。",
        "unknown": "链接无效",
        "unknown_text": "没有与此链接对应的通知。请检查短信中的链接是否完整。",
        "busy": "系统暂时繁忙",
        "busy_text": "暂时无法读取或记录，请稍后再试。没有任何内容丢失。",
        "closed": "该事项已经办结或恢复；确认仅表示您已知悉。",
        "what": "事项",
        "rule": "情形",
        "when": "时间",
        "act": "要求",
        "other": "English",
    },
    "en": {
        "title": "Acknowledge",
        "button": "I have received this",
        "waiting": "Please check the following and press the button.",
        "until": "Please acknowledge by {moment}",
        "done": "Acknowledged",
        "done_text": "Recorded on {moment}. Please act as asked.",
        "first": "You are the first to acknowledge.",
        "already": "Acknowledged before",
        "already_text": "Recorded on {moment}; nothing more to do here.",
        "expired": "This link has expired",
        "expired_text": "It could be used until {moment}. Please use the inspector's desk or ask the administrator.",
        "revoked": "This finding is revoked",
        "revoked_text": "Nothing to acknowledge, nothing to do.",
        "unknown": "Unknown link",
        "unknown_text": "No message belongs to this link. Please check that it is complete.",
        "busy": "Busy",
        "busy_text": "This cannot be read or recorded right now. Please try again shortly; nothing is lost.",
        "closed": "The matter is closed by now; acknowledging only says that you know of it.",
        "what": "Matter",
        "rule": "Finding",
        "when": "Time",
        "act": "Request",
        "other": "中文",
    },
}

_SIGNS = {"notice": "◇", "yellow": "▲", "red": "⬣"}

_STYLE = """
*{box-sizing:border-box}body{margin:0;background:#e9edf2;color:#17212b;font:18px/1.6 "Noto Sans CJK SC","Noto Sans SC",
"Microsoft YaHei","PingFang SC",system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;min-height:100vh;background:#fff;padding:0 0 2rem}
header{background:#12304a;color:#fff;padding:.9rem 1.4rem;display:flex;justify-content:space-between;align-items:baseline}
header a{color:#cfe6ff;font-size:.9rem}section{padding:1.2rem 1.4rem 0}h1{font-size:1.5rem;margin:.2rem 0 .4rem}
.card{border:1px solid #dde3ea;border-left:8px solid #7b8794;border-radius:8px;padding:.9rem 1.1rem;margin:1rem 0}
.yellow{border-left-color:#d99a00;background:#fffaea}.red{border-left-color:#c0271a;background:#fff2f0}
.notice{border-left-color:#2b6fb3;background:#f1f7fd}.level{font-weight:700;font-size:1.15rem}
dl{margin:.5rem 0 0;display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}dt{color:#51606e}dd{margin:0;overflow-wrap:anywhere}
button{width:100%;min-height:3.6rem;font:inherit;font-size:1.25rem;font-weight:600;color:#fff;background:#0b5c3b;border:0;
border-radius:12px;cursor:pointer}button:focus-visible{outline:4px solid #9bd3ff}.soft{color:#51606e}
"""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def create_ack_app(
    dsn: str, clock: Clock, *, connector: Callable[[str], Connection] | None = None
) -> Starlette:
    """An ASGI application to be mounted at ``/ack``.

    Args:
        dsn: the database.
        clock: the system's clock; says whether a link has expired.
        connector: for tests; by default one short connection a request.
    """
    # A server's log of requests would hold the tokens: they are the last part of the path.
    access = logging.getLogger("uvicorn.access")
    if not any(isinstance(known, TokenFilter) for known in access.filters):
        access.addFilter(TokenFilter())
    open_connection = connector or (
        lambda address: connect(address, application="mingjing-ack", autocommit=True)
    )

    # Plain functions: the framework runs them in threads, since the database driver waits.
    def answer(request: Request) -> Response:
        token, language = request.path_params["token"], _language(request)
        if len(token) > LONGEST_TOKEN:
            return _page(Unknown(), language)
        try:
            with open_connection(dsn) as connection:
                if request.method == "POST":
                    outcome: Outcome | Look = acknowledge(connection, token, clock.now())
                else:
                    outcome = look(connection, token, clock.now())
        except psycopg.Error as error:
            log.warning("acknowledgement: database away (%s)", type(error).__name__)
            return _plain(503, "busy", language)
        return _page(outcome, language)

    def nothing(request: Request) -> Response:
        return _page(Unknown(), _language(request))

    return Starlette(
        routes=[
            Route("/{token}", answer, methods=["GET", "HEAD", "POST"]),
            Route("/", nothing),
        ]
    )


def _language(request: Request) -> str:
    return "en" if request.query_params.get("lang") == "en" else "zh-CN"


def _page(outcome: Outcome | Look, language: str) -> Response:
    words = WORDS[language]
    match outcome:
        case Unknown():
            return _plain(404, "unknown", language)
        case Waiting(notice, expires_at):
            body = f'<p>{words["waiting"]}</p>{_card(notice, language)}<form method="post"><button>{words["button"]}</button></form>'
            until = words["until"].format(moment=_here(notice, expires_at))
            return _whole(200, words["title"], f'{body}<p class="soft">{escape(until)}</p>', language)
        case Acknowledged(notice, at, first):
            text = words["done_text"].format(moment=_here(notice, at))
            body = f"<p>{escape(text)}{words['first'] if first else ''}</p>{_card(notice, language)}"
            return _whole(200, "✓ " + words["done"], body, language)
        case AlreadyDone(notice, at):
            text = words["already_text"].format(moment=_here(notice, at))
            return _whole(
                200, "✓ " + words["already"], f"<p>{escape(text)}</p>{_card(notice, language)}", language
            )
        case Expired(notice, expired_at):
            text = words["expired_text"].format(moment=_here(notice, expired_at))
            return _whole(410, words["expired"], f"<p>{escape(text)}</p>", language)
        case Revoked(notice):
            return _whole(
                200, words["revoked"], f"<p>{words['revoked_text']}</p>{_card(notice, language)}", language
            )
    raise AssertionError(outcome)


def _card(notice: Notice, language: str) -> str:
    words, params = WORDS[language], notice.params
    values = message_values(notice.template, params, language, link=None, now=notice.created_at)
    severity = params["severity"]
    lines = [
        ("what", values["subject"]),
        ("rule", values["rule"]),
        ("when", values["due"]),
        ("act", values["act"]),
    ]
    rows = "".join(f"<dt>{words[name]}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    closed = f'<p class="soft">{words["closed"]}</p>' if notice.finding_state == "closed" else ""
    level = f'<span class="level">{_SIGNS[severity]} {values["level"]}</span>'
    return f'<div class="card {severity}">{level}<dl>{rows}</dl></div>{closed}'


def _here(notice: Notice, at: datetime) -> str:
    """A moment in the centre's offset, which the message's own moments carry."""
    zone = datetime.fromisoformat(notice.params["written_at"]).tzinfo
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _plain(status: int, name: str, language: str) -> Response:
    words = WORDS[language]
    return _whole(status, words[name], f"<p>{words[name + '_text']}</p>", language)


def _whole(status: int, title: str, body: str, language: str) -> Response:
    other = "?lang=en" if language == "zh-CN" else "?lang=zh-CN"
    page = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title} · {PHRASES[language]['signature']}</title><style>{_STYLE}</style><main>"
        f'<header><b>{PHRASES["zh-CN"]["signature"]}</b><a href="{other}">{WORDS[language]["other"]}</a></header>'
        f"<section><h1>{title}</h1>{body}</section></main></html>"
    )
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
