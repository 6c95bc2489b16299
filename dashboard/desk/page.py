"""The frame of every page of the desk: head, ways, foot; and the small parts that pages share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from starlette.responses import HTMLResponse

from dashboard.desk.markup import Markup, Node, render, tag
from dashboard.desk.visit import ROOT, Visit
from dashboard.explaining import moment_words
from dashboard.lights import rule_family
from dashboard.words import Words
from domain.finding_life import Pending
from domain.rule_names import rule_name

#: No script but our own file, no style but our own file: nothing that a text might smuggle in runs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # Forms say where they come from, other sites are told nothing.
    "Referrer-Policy": "same-origin",
}
#: The ways of the head: (path, key of its word, whether only inspectors have it).
WAYS = (
    ("/", "desk_findings", False),
    ("/new", "desk_new", True),
    ("/checks", "desk_checks", False),
    ("/scores", "desk_scores", False),
    ("/history", "desk_history", False),
    ("/messages", "desk_messaging", False),
    ("/silences", "desk_silences", False),
)


_ASSETS = Path(__file__).parent / "assets"
#: Stands in the addresses of our files: after an upgrade no browser shows a new page in old clothes.
STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_ASSETS.iterdir()))).hexdigest()[:8]


def document(words: Words, title: str, *body: Node, status: int = 200) -> HTMLResponse:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{title} · {words('desk_title')}"),
        tag("link", rel="stylesheet", href=f"{ROOT}/assets/desk.css?v={STAMP}"),
        tag("script", src=f"{ROOT}/assets/desk.js?v={STAMP}", defer=True),
    )
    html = tag("html", head, tag("body", *body), lang=words("html_lang"))
    return HTMLResponse(f"<!DOCTYPE html>{html}", status, HEADERS)


def frame(visit: Visit, title: str, *body: Node, way: str = "", status: int = 200) -> HTMLResponse:
    """A page of somebody who is signed in.

    Args:
        way: path of the way in the head that this page belongs to.
    """
    words, account = visit.words, visit.account
    ways = [
        tag(
            "a",
            words(key),
            href=visit.link(path),
            aria_current="page" if path == way else None,
        )
        for path, key, inspectors in WAYS
        if (account.is_inspector or not inspectors) and (account.sees_all or path == "/")
    ]
    name = visit.person(account.person) if account.person else account.name
    head = tag(
        "header",
        tag("a", words("desk_skip"), href="#main", class_="skip"),
        tag(
            "div",
            tag("span", words("desk_title"), class_="brand"),
            tag("span", visit.centre.centre.name or visit.centre.centre.id, class_="centre"),
            tag("span", words("desk_now", at=moment_words(visit.now, words)), class_="moment"),
            tag("span", f"{name} · {words(f'desk_role_{account.role}')}", class_="who"),
            tag("a", words("desk_wall"), href="/", class_="plain"),
            tag("a", words("switch"), href=_other_language(visit), class_="plain", rel="nofollow"),
            form(visit, "/sign-out", tag("button", words("desk_sign_out"), type="submit", class_="plain")),
            class_="bar",
        ),
        tag("nav", ways, _centres(visit, way), aria_label=words("desk_ways")),
    )
    main = tag("main", tag("h1", title), *body, id="main", tabindex="-1")
    return document(words, title, head, main, status=status)


def _centres(visit: Visit, way: str) -> Markup | None:
    if not visit.centres.several or visit.account.centre:
        return None
    options = [
        tag("option", each.centre.name or code, value=code, selected=code == visit.centre.centre.id)
        for code, each in visit.centres.items()
    ]
    return tag(
        "form",
        tag("label", visit.words("desk_centre"), for_="centre"),
        tag("select", options, name="centre", id="centre"),
        tag("button", visit.words("desk_go"), type="submit", class_="plain"),
        method="get",
        action=f"{ROOT}{way or '/'}",
        class_="centres",
    )


def _other_language(visit: Visit) -> str:
    path, _, query = visit.path.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("lang="))
    other = "en" if visit.words.language == "zh" else "zh"
    return f"{path}?{kept}{'&' if kept else ''}lang={other}"


def form(visit: Visit, path: str, *body: Node, class_: str | None = None) -> Markup:
    """A form that is sent, with its token."""
    return tag(
        "form",
        tag("input", type="hidden", name="token", value=visit.token),
        *body,
        method="post",
        action=visit.link(path),
        class_=class_,
        accept_charset="utf-8",
    )


def choice(
    name: str, label: str, options: Iterable[tuple[str, str]], chosen: str = "", *, required: bool = False
) -> Markup:
    """A labelled list to choose from: (value, text)."""
    return tag(
        "label",
        tag("span", label),
        tag(
            "select",
            [tag("option", text, value=value, selected=value == chosen) for value, text in options],
            name=name,
            required=required,
        ),
    )


def entry(name: str, label: str, value: str = "", *, type_: str = "text", **attributes: object) -> Markup:
    """A labelled field."""
    return tag("label", tag("span", label), tag("input", name=name, type=type_, value=value, **attributes))


def text_area(name: str, label: str, value: str = "", *, required: bool = True, rows: int = 4) -> Markup:
    return tag(
        "label",
        tag("span", label),
        tag("textarea", value, name=name, rows=rows, maxlength=4000, required=required),
        class_="long",
    )


def note(text: Node, kind: str = "told") -> Markup:
    """A band at the top: ``told``, ``done`` or ``refused``."""
    return tag("div", text, class_=f"note {kind}", role="alert" if kind == "refused" else "status")


def section(title: Node, *body: Node, class_: str | None = None) -> Markup:
    return tag("section", tag("h2", title), *body, class_=class_)


def severity(name: str, words: Words) -> Markup:
    """A card in word, colour and shape."""
    return tag("span", words(f"light_{name}"), class_=f"card card-{name}")


def rule_words(rule: str, words: Words) -> str:
    """A rule as this room calls it."""
    family = rule_family(rule)
    if words.has(f"rule_{family}"):
        return words(f"rule_{family}")
    return rule_name(rule, "en" if words.language == "en" else "zh")


def clock_words(each: Pending, words: Words, now: datetime) -> Markup:
    """What is awaited, and until when, in words."""
    name = words(f"await_{each.step}")
    if each.due_at is None:
        return tag("span", name, class_="clock")
    at = words.moment(each.due_at, now)
    if each.is_late(now):
        text = words("desk_clock_late", what=name, span=words.span(now - each.due_at), at=at)
        return tag("span", text, class_="clock late")
    return tag(
        "span", words("desk_clock", what=name, span=words.span(each.due_at - now), at=at), class_="clock"
    )


def no_figure(words: Words) -> Markup:
    return tag("span", words("desk_no_figure"), class_="none")


def share(value: float | None, words: Words, digits: int = 1) -> Node:
    return no_figure(words) if value is None else f"{value:.{digits}%}"


def joined(parts: Sequence[Node], between: str = " ") -> list[Node]:
    found: list[Node] = []
    for part in parts:
        if render(part):
            found += [between, part] if found else [part]
    return found


def chosen(values: Mapping[str, str], name: str, among: Iterable[str], default: str = "") -> str:
    """A value of a query, if it is one of those there are."""
    value = values.get(name, default)
    return value if value in set(among) else default


__all__ = [
    "HEADERS", "POLICY", "choice", "chosen", "clock_words", "document", "entry", "form", "frame", "joined", "no_figure",
    "note", "rule_words", "section", "severity", "share", "text_area",
]  # fmt: skip
