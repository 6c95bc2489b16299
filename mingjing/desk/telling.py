"""Who was told of a finding, what became of it and what comes next, in words, for the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from alerts.explain import Explained, explain, why_nobody
from alerts.explain_words import Speech
from alerts.planner import Planner
from dashboard.desk.hands import Told, ToldRow
from domain.centre import Centre
from store.connection import Connection

LANGUAGES = {"zh": "zh-CN", "en": "en"}


class DeskTelling:
    """As :attr:`dashboard.desk.hands.Hands.told`.

    Args:
        planner: of a centre.
    """

    def __init__(self, planner: Callable[[Centre], Planner]) -> None:
        self._planner = planner

    def __call__(
        self, connection: Connection, centre: Centre, finding: str, now: datetime, language: str
    ) -> Told:
        found = explain(connection, self._planner(centre), finding, now)
        return told(found, Speech(LANGUAGES.get(language, "zh-CN"), centre, now, codes=False))


def told(found: Explained, say: Speech) -> Told:
    """What is known, in words."""
    alarms = [] if found.held is None else [say("desk_held", at=say.at(found.held[0]), why=found.held[1])]
    used = {row["channel"] for row in found.messages if row["state"] in ("ready", "leased")}
    alarms += [say("channel_off", name=name, why=why) for name, why in found.off.items() if name in used]
    nobody = why_nobody(found)
    channels = {row["message_id"]: row["channel"] for row in found.messages}
    return Told(
        alarms,
        ""
        if nobody is None
        else say(nobody)
        if say.has(nobody)
        else say("nobody_told", why=say.reason(nobody, {})),
        say("route_named", name=found.route.id or say("by_severity")) + say("colon") + say.route(found.route),
        [told_row(row, say, channels) for row in found.messages],
        [(say.at(at), what, who) for at, what, who in say.sends(found.coming)],
        [say.day(each) for each in found.digests],
    )


def told_row(row: Mapping[str, Any], say: Speech, channels: Mapping[int, str]) -> ToldRow:
    """One decision.

    Args:
        channels: number of a message → its channel, for those that go in the place of another.
    """
    arrived = row["state"] in ("delivered", "skipped", "gathered")
    extra = [
        say("after", channel=channels.get(row["follows"], "")) if row.get("follows") else "",
        say("more_channels", channels=" → ".join(row["fallback"])) if row["fallback"] and not arrived else "",
        "" if arrived else say.missing(row),
    ]
    return ToldRow(
        row["message_id"],
        say.name(row["person"]),
        say.chosen(row),
        say.why(row["why"], row["level"] or 0),
        row["template"],
        "" if row["channel"] == "none" else row["channel"],
        row["phone"],
        row["state"],
        say.state(row),
        say.life(row) if row["state"] != "skipped" else say("life_created", at=say.at(row["created_at"])),
        say("semicolon").join(part for part in extra if part),
    )


__all__ = ["DeskTelling", "told", "told_row"]
