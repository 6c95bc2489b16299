"""How the messages of a centre do, for the desk: channels, troubles, what waits, what has not arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from psycopg.rows import dict_row

from alerts import outbox
from alerts.channel_state import list_off
from alerts.coming import Coming, coming
from alerts.explain_words import Speech
from alerts.links import mask_tokens
from alerts.messages import mask_phone
from alerts.planner import Planner
from alerts.trouble_words import trouble_words
from dashboard.desk.hands import ChannelRow, Failed, Overview, Waiting
from domain.centre import Centre
from mingjing.alerts.switching import day_counts
from mingjing.alerts.trying import GONE
from mingjing.desk.telling import LANGUAGES
from store.connection import Connection

#: Messages that have not arrived, and sends to come, that a page shows.
MOST = 40
DAY = timedelta(days=1)


class DeskOverview:
    """As :attr:`dashboard.desk.hands.Hands.overview`.

    Args:
        planner: of a centre; it knows the channels.
    """

    def __init__(self, planner: Callable[[Centre], Planner]) -> None:
        self._planner = planner

    def __call__(self, connection: Connection, centre: Centre, now: datetime, language: str) -> Overview:
        planner = self._planner(centre)
        say = Speech(LANGUAGES.get(language, "zh-CN"), centre, now, codes=False)
        channels = list(planner.kinds or (planner.channel,))
        soon = coming(connection, centre, now, limit=MOST, channels=(planner.channel,), kinds=planner.kinds)
        return Overview(
            alarms=_alarms(connection, say),
            troubles=_troubles(connection, say),
            channels=_channels(connection, channels, say),
            counts=_counts(connection, centre, now, say),
            waiting=_waiting(connection, soon, say),
            failed=_failed(connection, centre, say),
        )


def _alarms(connection: Connection, say: Speech) -> list[str]:
    found = []
    holding = outbox.held(connection)
    if holding is not None:
        found.append(say("desk_held", at=say.at(holding[0]), why=holding[1]))
    row = connection.execute(
        "select count(*) filter (where real_at > clock_timestamp() - %s) from heartbeat where role = 'sender'",
        [timedelta(seconds=GONE)],
    ).fetchone()
    if row is None or not row[0]:
        found.append(say("no_sender"))
    return found


def _troubles(connection: Connection, say: Speech) -> list[tuple[str, str, str]]:
    """What is wrong, what to do, since when."""
    found = []
    for name, since, detail in connection.execute("select name, since, detail from trouble order by since"):
        kind, _, about = str(name).partition(":")
        try:
            words = trouble_words(kind, about, detail or {}, say.language)
        except KeyError:
            words = {"what": name, "act": ""}
        found.append((words["what"], words["act"], say.at(since)))
    return found


def _channels(connection: Connection, names: list[str], say: Speech) -> list[ChannelRow]:
    off, day = {each.channel: each for each in list_off(connection)}, day_counts(connection)
    rows = []
    for name in dict.fromkeys([*names, *off]):
        counts, switched = day.get(name, {}), off.get(name)
        if name == "log" and not counts:
            continue  # always there; nobody asks for it who does not use it
        why = "" if switched is None else f"{switched.error or say.off_reason(switched.reason)}"
        rows.append(
            ChannelRow(
                name,
                switched is None,
                why,
                "" if switched is None else say.at(switched.since),
                counts.get("ready", 0) + counts.get("leased", 0),
                counts.get("sent", 0),
                counts.get("delivered", 0),
                counts.get("undelivered", 0),
                counts.get("unknown", 0),
                counts.get("dead", 0),
            )
        )
    return rows


def _counts(connection: Connection, centre: Centre, now: datetime, say: Speech) -> list[tuple[str, str, int]]:
    """State, its reason in words, and how many of the last 24 hours of the system's clock; and what waits, whenever it came."""
    rows = connection.execute(
        "select state, case when state in ('held', 'skipped', 'dead') then reason end, count(*) from outbox"
        " where centre = %s and (created_at > %s or state in ('held', 'ready', 'leased')) group by 1, 2"
        " order by count(*) desc, 1, 2",
        [centre.centre.id, now - DAY],
    ).fetchall()
    return [(state, say.reason(reason, {}), number) for state, reason, number in rows]


def _waiting(connection: Connection, soon: Sequence[Coming], say: Speech) -> list[Waiting]:
    """A line for all who are told the same of a finding at one moment."""
    about = _about(connection, [each.finding for each in soon if each.finding], say)
    lines = []
    groups = groupby(soon, key=lambda each: (each.planned.at, each.finding or "", say.planned(each.planned)))
    for (at, finding, what), group in groups:
        for _, _, who in say.sends([each.planned for each in group]):
            lines.append(Waiting(say.at(at), what, who, finding, about.get(finding, "")))
    return lines


def _about(connection: Connection, findings: Sequence[str], say: Speech) -> dict[str, str]:
    """What findings are, in a few words."""
    rows = connection.execute(
        "select finding_id, rule, coalesce(case_id, window_id, subject) from finding where finding_id = any(%s)",
        [list(findings)],
    )
    return {finding: f"{say.rule(rule)} {subject}" for finding, rule, subject in rows}


def _failed(connection: Connection, centre: Centre, say: Speech) -> list[Failed]:
    """The newest messages of seven real days that have not arrived, or of which nobody knows, and that no other channel has
    brought."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select o.message_id, o.created_at, o.person, o.channel, o.phone, o.template, o.state, o.reason, o.fate_code,
                   o.last_error, o.detail, o.finding_id, f.channel as next, f.state as next_state
            from outbox o left join outbox f on f.follows = o.message_id
            where o.centre = %s and o.state in ('dead', 'undelivered', 'unknown')
              and (o.handed_at > now() - interval '7 days'
                   or (o.state in ('dead', 'unknown') and o.next_try_at > now() - interval '7 days'))
              and coalesce(f.state, '') <> 'delivered'
            order by o.message_id desc limit %s
            """,
            [centre.centre.id, MOST],
        ).fetchall()
    about = _about(connection, [row["finding_id"] for row in rows if row["finding_id"]], say)
    return [
        Failed(
            say.at(row["created_at"]), say.name(row["person"]), row["channel"], mask_phone(row["phone"]), row["template"],
            row["state"], say.state(row) + (say("because", words=mask_tokens(row["last_error"])) if row["last_error"] else ""),
            say("went_on", channel=row["next"], state=say.state_name(row["next_state"])) if row["next"] else "",
            row["finding_id"] or "",
            about.get(row["finding_id"] or "", ""),
        )
        for row in rows
    ]  # fmt: skip


__all__ = ["DeskOverview"]
