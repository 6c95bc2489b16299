"""Messages (消息): whether they leave and arrive: channels, troubles, what waits and why, what has not arrived."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from dashboard.desk.hands import ChannelRow, Failed, Overview, Waiting
from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import frame, joined, note, section
from dashboard.desk.visit import Visit
from store.connection import Connection

PATH = "/messages"


def messaging(visit: Visit, connection: Connection) -> Response:
    """``/messages``."""
    words, ask = visit.words, visit.hands.overview
    if not visit.account.sees_all or ask is None:
        return frame(
            visit, words("desk_messaging"), note(words("desk_refused_role"), "refused"), way=PATH, status=403
        )
    found = ask(connection, visit.centre, visit.now, words.language)
    return frame(
        visit,
        words("desk_messaging"),
        [note(text, "refused") for text in found.alarms],
        _troubles(visit, found),
        section(words("desk_channels"), _channels(visit, found.channels)),
        section(words("desk_counts"), _counts(visit, found)),
        section(words("desk_not_arrived"), _failed(visit, found.failed)),
        section(words("desk_waiting"), _waiting(visit, found.waiting)),
        way=PATH,
    )


def _troubles(visit: Visit, found: Overview) -> Markup:
    words = visit.words
    if not found.troubles:
        return section(words("desk_troubles"), tag("p", words("desk_no_troubles"), class_="empty"))
    lines = [(tag("b", what), act, since) for what, act, since in found.troubles]
    head = (words("desk_trouble"), words("desk_trouble_act"), words("desk_since"))
    return section(words("desk_troubles"), table(head, lines, class_="troubles"))


def _channels(visit: Visit, rows: Sequence[ChannelRow]) -> Node:
    words = visit.words
    lines = []
    for row in rows:
        state: Node = tag("span", words("desk_channel_on"), class_="became became-delivered")
        if not row.on:
            state = [
                tag("span", words("desk_channel_off"), class_="became became-dead"),
                tag("small", words("desk_channel_since", at=row.since, why=row.why)),
            ]
        numbers = (row.waiting, row.sent, row.delivered, row.undelivered, row.unknown, row.dead)
        lines.append((tag("b", row.name), state, *(_number(each) for each in numbers)))
    keys = (
        "desk_channel", "desk_state", "desk_message_ready", "desk_message_sent", "desk_message_delivered",
        "desk_message_undelivered", "desk_message_unknown", "desk_message_dead",
    )  # fmt: skip
    return table([words(key) for key in keys], lines, class_="channels")


def _number(value: int) -> Node:
    return value if value else tag("span", "0", class_="soft")


def _counts(visit: Visit, found: Overview) -> Node:
    words = visit.words
    if not found.counts:
        return tag("p", words("desk_no_counts"), class_="empty")
    entries = [
        tag(
            "li",
            tag("b", number),
            " ",
            words(f"desk_message_{state}"),
            tag("small", reason) if reason else None,
            class_=f"count became-{state}",
        )
        for state, reason, number in found.counts
    ]
    return tag("ul", entries, class_="counts")


def _failed(visit: Visit, rows: Sequence[Failed]) -> Node:
    words = visit.words
    if not rows:
        return tag("p", words("desk_no_failed"), class_="empty")
    lines = []
    for row in rows:
        lines.append(
            (
                row.at,
                tag("b", row.who),
                joined([row.channel, tag("small", row.address)]),
                _template(visit, row.template),
                joined([
                    tag("span", row.became, class_=f"became became-{row.state}"),
                    tag("small", row.went_on) if row.went_on else None,
                ]),
                _finding(visit, row.finding, row.about),
            )
        )  # fmt: skip
    keys = ("desk_when", "desk_to_whom", "desk_told_by", "desk_message", "desk_became", "desk_of_finding")
    return table([words(key) for key in keys], lines, class_="messages")


def _waiting(visit: Visit, rows: Sequence[Waiting]) -> Node:
    words = visit.words
    if not rows:
        return tag("p", words("desk_no_waiting"), class_="empty")
    lines = []
    for row in rows:
        lines.append((row.at, tag("b", row.what), row.who, _finding(visit, row.finding, row.about)))
    keys = ("desk_when", "desk_message", "desk_to_whom", "desk_of_finding")
    return table([words(key) for key in keys], lines, class_="coming")


def _finding(visit: Visit, finding: str, about: str) -> Node:
    if not finding:
        return visit.words("desk_of_many")
    return tag("a", about or finding, href=visit.link(f"/finding/{finding}"))


def _template(visit: Visit, template: str) -> str:
    key = f"desk_template_{template}"
    return visit.words(key) if visit.words.has(key) else template


__all__ = ["messaging"]
