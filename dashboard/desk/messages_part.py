"""Of a finding's page: who was told, by which way, when, whether it arrived and was acknowledged; who was not, and why; what
comes next."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.desk.hands import Told, ToldRow
from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import joined, note
from dashboard.desk.visit import Visit

#: Decisions not to send stand folded below.
UNSENT = "skipped"


def messages_part(visit: Visit, told: Told) -> Node:
    """Everything about the messages of a finding."""
    words = visit.words
    sent = [row for row in told.rows if row.state != UNSENT]
    unsent = [row for row in told.rows if row.state == UNSENT]
    parts: list[Node] = [note(text, "refused") for text in told.alarms]
    parts.append(tag("p", told.route, class_="soft"))
    if told.nobody:
        parts.append(tag("p", told.nobody, class_="empty"))
    if sent:
        parts.append(_table(visit, sent))
    if told.digests:
        parts.append(tag("ul", [tag("li", each) for each in told.digests], class_="digests"))
    if unsent:
        summary = tag("summary", words("desk_told_unsent", n=len(unsent)))
        parts.append(tag("details", summary, _table(visit, unsent), open=not sent, class_="unsent"))
    if told.coming:
        parts.append(_coming(visit, told.coming))
    return parts


def _table(visit: Visit, rows: Sequence[ToldRow]) -> Markup:
    words = visit.words
    lines = [
        (
            joined([tag("b", row.who), tag("small", row.chosen) if row.chosen else None]),
            joined([row.why, tag("small", _template_words(row.template, visit))]),
            joined([row.channel, tag("small", row.address) if row.address else None]),
            tag("span", row.became, class_=f"became became-{row.state}"),
            joined([row.life, tag("small", row.extra) if row.extra else None]),
        )
        for row in rows
    ]
    keys = ("desk_to_whom", "desk_message", "desk_told_by", "desk_became", "desk_told_life")
    return table([words(key) for key in keys], lines, class_="messages")


def _coming(visit: Visit, coming: Sequence[tuple[str, str, str]]) -> Markup:
    words = visit.words
    lines = [(at, tag("b", what), who) for at, what, who in coming]
    head = (words("desk_when"), words("desk_message"), words("desk_to_whom"))
    return tag(
        "div", tag("h3", words("desk_told_next")), table(head, lines, class_="coming"), class_="coming"
    )


def _template_words(template: str, visit: Visit) -> str:
    key = f"desk_template_{template}"
    return visit.words(key) if visit.words.has(key) else template


__all__ = ["messages_part"]
