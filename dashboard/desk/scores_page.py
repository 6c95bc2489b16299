"""Scores and ranks of a month, quarter or year; where nothing was to be counted there is no figure, and it says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from dashboard.desk.hands import Row, ScoreTable
from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import choice, chosen, entry, frame, joined, no_figure, note, rule_words, section
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from domain.errors import InputError
from store.connection import Connection

KINDS = ("month", "quarter", "year")
BY = ("department", "window", "person", "item", "centre")
RATES = ("completion", "promised", "legal", "same_day", "satisfaction", "staffed")
COUNTS = ("accepted", "finished", "late", "yellow", "red")
#: Counts that stand behind "more", where there are any.
OTHERS = (
    "running", "refused", "withdrawn", "voided", "returned", "late_entered", "provisional", "notice", "revoked_notice",
    "revoked_yellow", "revoked_red", "appealed", "ratings", "default_ratings",
)  # fmt: skip


def scores(visit: Visit, connection: Connection) -> Response:
    """``/scores?kind=month&period=2026-11&by=department``."""
    query, words = visit.query, visit.words
    if not visit.account.sees_all or visit.hands.scores is None:
        return frame(
            visit,
            words("desk_scores"),
            note(words("desk_refused_role"), "refused"),
            way="/scores",
            status=403,
        )
    kind = chosen(query, "kind", KINDS, "month")
    subjects = [by for by in BY if by != "person" or visit.account.sees_people]
    by = chosen(query, "by", subjects, "department")
    period = query.get("period", "").strip()[:10] or _this(visit, kind)
    asked = _form(visit, kind, period, by, subjects)
    try:
        tables = visit.hands.scores(connection, visit.centre, kind, period, by, visit.now)
    except InputError:
        band = note(words("desk_no_period", example=_this(visit, kind)), "refused")
        return frame(visit, words("desk_scores"), band, asked, way="/scores", status=400)
    body = [
        section(each.title, _table(visit, each, by)) if each.title else _table(visit, each, by)
        for each in tables
    ]
    until = tables[0] if tables else None
    counted = (
        words("desk_counted", at=moment_words(until.as_of, words), made=moment_words(until.made_at, words))
        if until
        else ""
    )
    return frame(
        visit,
        words("desk_scores"),
        asked,
        tag("p", counted, class_="soft"),
        body
        if any(each.places for each in tables)
        else tag("p", words("desk_nobody_scored"), class_="empty"),
        tag("p", words("desk_scores_what"), class_="soft"),
        way="/scores",
    )


def _this(visit: Visit, kind: str) -> str:
    """The period that goes on."""
    today = visit.now.astimezone(visit.centre.zone)
    return {
        "month": f"{today:%Y-%m}",
        "quarter": f"{today.year}-Q{(today.month + 2) // 3}",
        "year": f"{today.year}",
    }[kind]


def _form(visit: Visit, kind: str, period: str, by: str, subjects: list[str]) -> Markup:
    words = visit.words
    return tag(
        "form",
        tag("input", type="hidden", name="centre", value=visit.centre.centre.id)
        if visit.centres.several
        else None,
        choice("kind", words("desk_span"), [(each, words(f"desk_{each}")) for each in KINDS], kind),
        entry("period", words("desk_period"), period, size=9, maxlength=8, placeholder=_this(visit, kind)),
        choice("by", words("desk_by"), [(each, words(f"desk_by_{each}")) for each in subjects], by),
        tag("button", words("desk_show"), type="submit"),
        method="get",
        action=visit.link("/scores").partition("?")[0],
        class_="filters",
    )


def _table(visit: Visit, found: ScoreTable, by: str) -> Markup:
    words = visit.words
    head = [
        words("desk_rank"),
        words(f"desk_by_{by}"),
        words("desk_score"),
        words("desk_sample"),
        *(words(f"desk_count_{name}") for name in COUNTS),
        *(words(f"desk_rate_{name}") for name in RATES),
        words("desk_used"),
    ]
    return tag(
        "div", table(head, [_row(visit, place) for place in found.places], class_="scores"), class_="wide"
    )


def _row(visit: Visit, place: Row) -> Markup:
    words, counts, rates = visit.words, place["counts"], place["rates"]
    cells: list[Node] = [
        tag("b", place["rank"])
        if place["rank"] is not None
        else tag("small", words(f"desk_unranked_{place['unranked']}")),
        [_name(visit, place), _more(visit, place)],
        _score(visit, place),
        place["cases"],
        *(counts[name] for name in COUNTS),
        *(_rate(visit, rates[name]) for name in RATES),
        _spread(visit, place),
    ]
    return tag("tr", [tag("td", cell) for cell in cells])


def _name(visit: Visit, place: Row) -> Node:
    if not place["id"]:
        return visit.words("desk_nobody")
    if place["by"] == "person":
        return visit.person(place["id"])
    return joined([tag("span", place["id"], class_="code"), place["name"]])


def _score(visit: Visit, place: Row) -> Node:
    words = visit.words
    if place["score"] is None:
        return no_figure(words)
    parts: list[Node] = [tag("b", f"{place['score']:.1f}")]
    if place["grade"]:
        parts.append(tag("small", words(f"desk_grade_{place['grade']}")))
    if place["score_if_revoked"] is not None and place["score_if_revoked"] != place["score"]:
        parts.append(tag("small", words("desk_if_revoked", score=f"{place['score_if_revoked']:.1f}")))
    return joined(parts, tag("br"))


def _rate(visit: Visit, rate: Mapping[str, Any]) -> Node:
    """A rate never stands without its sample and its coverage."""
    words = visit.words
    if rate["value"] is None:
        return no_figure(words)
    low, high = rate["interval"]
    parts: list[Node] = [
        tag("b", f"{rate['value']:.1%}"),
        tag("small", f"{rate['good']}/{rate['whole']}"),
        tag("small", f"{low:.0%}–{high:.0%}"),
    ]
    if rate["coverage"] is not None:
        thin = rate["coverage"] < 0.9
        parts.append(
            tag(
                "small",
                words("desk_coverage", share=f"{rate['coverage']:.0%}"),
                class_="thin" if thin else None,
            )
        )
    return joined(parts, tag("br"))


def _spread(visit: Visit, place: Row) -> Node:
    words = visit.words
    used, peers = place["used"], place["peers"]
    if used["median"] is None:
        return no_figure(words)
    parts: list[Node] = [
        tag(
            "small",
            words("desk_median", median=f"{used['median']:.0%}", p90=f"{used['p90']:.0%}", n=used["sample"]),
        )
    ]
    if peers["median"] is not None:
        text = words(
            "desk_peers", median=f"{peers['median']:.0%}", p90=f"{peers['p90']:.0%}", n=peers["sample"]
        )
        parts.append(tag("small", text))
    return joined(parts, tag("br"))


def _more(visit: Visit, place: Row) -> Markup | None:
    """What made the score, and the counts that are seldom."""
    words = visit.words
    lines: list[Node] = []
    for line in place["lines"]:
        name = f"desk_line_{line['what']}"
        what = words(name) if words.has(name) else rule_words(line["what"], words)
        text = f"{line['points']:+g}  {what} ×{line['count']}"
        if line["pending"]:
            text += words("desk_pending_part", n=line["pending"])
        links = [
            tag("a", number, href=visit.link(f"/finding/{finding}"))
            for number, finding in enumerate(line["findings"][:10], 1)
        ]
        lines.append(tag("li", joined([text, *links])))
    counts = place["counts"]
    rest = [f"{words(f'desk_count_{name}')} {counts[name]}" for name in OTHERS if counts.get(name)]
    if rest:
        lines.append(tag("li", " · ".join(rest)))
    months = place.get("months") or {}
    if months:
        shown = " · ".join(
            f"{name} {words('desk_no_figure') if value is None else f'{value:.1f}'}"
            for name, value in months.items()
        )
        lines.append(tag("li", shown))
    return tag("details", tag("summary", words("desk_why_score")), tag("ul", lines)) if lines else None


__all__ = ["scores"]
