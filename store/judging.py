"""What the rule loop asks of the store: which rows are due, the facts behind them, and room for the answers.

A claimed row stays locked until the transaction ends; another loop passes it by (``skip locked``), and a writer with
news waits and then marks it due again. So nothing is judged twice at once, and no event falls between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from domain.events import Event
from domain.observations import PresenceSpan
from store.connection import Connection

Kind = Literal["case", "window", "source", "subject"]

#: Table and key column of each kind of subject.
_TABLES: Mapping[Kind, tuple[str, str]] = {
    "case": ("case_state", "case_id"),
    "window": ("window_state", "window_id"),
    "source": ("source_state", "name"),
    "subject": ("subject_state", "subject"),
}


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed row. ``row`` holds its columns by name."""

    kind: Kind
    name: str
    row: Mapping[str, Any]

    @property
    def subject(self) -> str:
        # What is no case, window or source has its kind in its name: 'complaint:17'.
        return self.name if self.kind == "subject" else f"{self.kind}:{self.name}"

    @property
    def failures(self) -> int:
        return int(self.row["failures"])


_CASE = "case_id, settings_id, judged_at, judged_events, ineffective, failures, events_from"
_WINDOW = "window_id, presence, reason, since, seen_at, desk, desk_at, judged_at, failures"
_SOURCE = "name, kind, source, last_at, state, silent_from, heard_at, judged_at, failures"
_SUBJECT = "subject, judged_events, judged_at, failures, lost_until"


def claim_due(connection: Connection, kind: Kind, centre: str, now: datetime, limit: int) -> list[Due]:
    """Locks up to ``limit`` rows whose moment has come, those waiting longest first."""
    table, _ = _TABLES[kind]
    columns = {"case": _CASE, "window": _WINDOW, "source": _SOURCE, "subject": _SUBJECT}[kind]
    names = columns.split(", ")
    rows = connection.execute(
        f"select {columns} from {table} where centre = %s and look_at <= %s order by look_at limit %s"
        " for update skip locked",
        [centre, now, limit],
    )
    return [Due(kind, row[0], dict(zip(names, row, strict=True))) for row in rows]


def next_look(connection: Connection, centre: str) -> datetime | None:
    """The earliest moment at which anything is due; ``-infinity`` comes as the year 2."""
    row = connection.execute(
        "select case when min(look_at) < '0002-01-01Z' then '0002-01-01Z' else min(look_at) end from ("
        + " union all ".join(
            f"(select look_at from {table} where centre = %(centre)s and look_at is not null order by look_at limit 1)"
            for table, _ in _TABLES.values()
        )
        + " union all (select remind_at from finding where centre = %(centre)s and remind_at is not null"
        " order by remind_at limit 1)" + ") as soonest",
        {"centre": centre},
    ).fetchone()
    return None if row is None else row[0]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event with its place in the order of arrival."""

    seq: int
    event: Event


COLUMNS = "seq, event_id, kind, occurred_at, source, entered_at, received_at, centre, window_id, case_id, item, staff, data"


def events_of_cases(connection: Connection, centre: str, cases: Sequence[str]) -> dict[str, list[Arrival]]:
    """Every event of each case, in order of arrival."""
    # From when to when all of them have arrived, so that years of other pieces are not even planned for …
    bounds = connection.execute(
        "select coalesce(min(coalesce(events_from, '-infinity')), '-infinity')::text,"
        " coalesce(max(coalesce(events_until, 'infinity')), 'infinity')::text"
        " from case_state where centre = %s and case_id = any(%s)",
        [centre, list(cases)],
    ).fetchone()
    assert bounds is not None
    rows = connection.execute(
        # … and each in its own; "offset 0" keeps the planner from taking the cases together.
        f"select found.* from case_state c cross join lateral (select {COLUMNS} from event e"
        "   where e.centre = c.centre and e.case_id = c.case_id and e.arrived_at >= coalesce(c.events_from, '-infinity')"
        "     and e.arrived_at <= coalesce(c.events_until, 'infinity')"
        "     and e.arrived_at >= %s::timestamptz and e.arrived_at <= %s::timestamptz offset 0) as found"
        " where c.centre = %s and c.case_id = any(%s) order by seq",
        [*bounds, centre, list(cases)],
    )
    found: dict[str, list[Arrival]] = {case: [] for case in cases}
    for seq, *values in rows:
        event = Event(*values)
        found[event.case or ""].append(Arrival(seq, event))
    return found


#: Nothing lies in a piece that ends more than a day before it occurred: the door refuses what is further in the future.
EARLIEST_ARRIVAL = timedelta(days=2)
#: So far back the last word about a desk is looked for first.
USUAL = timedelta(days=31)


def desk_events(
    connection: Connection, centre: str, windows: Mapping[str, datetime], kinds: Sequence[str]
) -> dict[str, list[Event]]:
    """Events of some kinds (of ``window.…``) at each window since its moment, and the last one before it."""
    found: dict[str, list[Event]] = {window: [] for window in windows}
    since = _last_words(connection, centre, windows, kinds)
    if not since:
        return found
    rows = connection.execute(
        f"select found.* from unnest(%s::text[], %s::timestamptz[]) as u (w, since) cross join lateral (select {COLUMNS}"
        "   from event e where e.centre = %s and e.window_id = w and e.kind like 'window.%%' and e.kind = any(%s)"
        "     and e.occurred_at >= u.since and e.arrived_at >= %s offset 0) as found order by seq",
        [
            list(since), list(since.values()), centre, list(kinds), min(since.values()) - EARLIEST_ARRIVAL,
        ],
    )  # fmt: skip
    for _, *values in rows:
        event = Event(*values)
        found[event.window or ""].append(event)
    return found


def _last_words(
    connection: Connection, centre: str, windows: Mapping[str, datetime], kinds: Sequence[str]
) -> dict[str, datetime]:
    """When the last event before each window's moment occurred, else that moment; windows without any event are left out.

    ``desk_at`` is when the newest of all occurred. Where that is later, the last before the moment is looked for in a month,
    and only if there is none in all that is older.
    """
    newest = connection.execute(
        "select window_id, desk_at from window_state where centre = %s and window_id = any(%s) and desk_at is not null",
        [centre, list(windows)],
    ).fetchall()
    since = {window: min(at, windows[window]) for window, at in newest}
    unknown = [window for window, at in newest if at >= windows[window]]
    oldest = min((windows[window] for window in unknown), default=None)
    for month in (True, False):
        if not unknown or oldest is None:
            break
        rows = connection.execute(
            "select w, (select max(b.occurred_at) from event b where b.centre = %s and b.window_id = w"
            "   and b.kind like 'window.%%' and b.kind = any(%s) and b.occurred_at < u.since"
            "   and b.arrived_at >= %s::timestamptz and (not %s or b.occurred_at >= u.since - %s::interval))"
            " from unnest(%s::text[], %s::timestamptz[]) as u (w, since)",
            [
                centre, list(kinds), str(oldest - USUAL - EARLIEST_ARRIVAL) if month else "-infinity", month, USUAL,
                unknown, [windows[window] for window in unknown],
            ],
        ).fetchall()  # fmt: skip
        since |= {window: last for window, last in rows if last is not None}
        unknown = [window for window, last in rows if last is None]
    return since


def presence_spans(
    connection: Connection, centre: str, windows: Mapping[str, datetime]
) -> dict[str, list[PresenceSpan]]:
    """The spans of each window's posts that reach beyond its moment."""
    rows = connection.execute(
        "select window_id, camera, post, state, p.since, until, reason, seen_at, people, waiting"
        " from unnest(%s::text[], %s::timestamptz[]) as u (w, since)"
        " join presence_span p on p.centre = %s and p.window_id = w and (until is null or until >= u.since)"
        " order by p.since",
        [list(windows), list(windows.values()), centre],
    )
    found: dict[str, list[PresenceSpan]] = {window: [] for window in windows}
    for window, *values in rows:
        found[window].append(PresenceSpan(*values))
    return found


def camera_reasons(connection: Connection, centre: str) -> dict[str, str | None]:
    """Why each camera is down, as it said itself; None for those that deliver."""
    rows = connection.execute("select camera, reason from camera_state where centre = %s", [centre])
    return dict(rows.fetchall())


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What a judged case's row becomes. ``status`` as the judge gives it, see :data:`STATUS`."""

    case: str
    status: Mapping[str, Any]
    look_at: datetime | None
    settings_id: str | None
    judged_events: int


#: Keys of ``status`` and the columns they fill; a key that is absent makes the column empty.
STATUS = {
    "phase": "status",
    "item": "item",
    "window": "window_id",
    "started_at": "started_at",
    "stopped_at": "stopped_at",
    "promised_due": "promised_due",
    "legal_due": "legal_due",
}


def save_cases(connection: Connection, centre: str, answers: Iterable[CaseAnswer], now: datetime) -> None:
    """One statement for the whole batch."""
    rows = [
        (
            answer.case,
            answer.look_at,
            answer.settings_id,
            answer.judged_events,
            bool(answer.status.get("provisional")),
            *(answer.status.get(key) for key in STATUS),
        )
        for answer in answers
    ]
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        "update case_state c set look_at = u.look_at, settings_id = u.settings_id, judged_events = u.events,"
        " provisional = u.provisional, status = coalesce(u.status, 'new'), item = coalesce(u.item, c.item),"
        " window_id = coalesce(u.window_id, c.window_id), started_at = u.started_at, stopped_at = u.stopped_at,"
        " promised_due = u.promised_due, legal_due = u.legal_due, judged_at = %s, failures = 0"
        " from unnest(%s::text[], %s::timestamptz[], %s::text[], %s::int[], %s::bool[], %s::text[], %s::text[], %s::text[],"
        " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])"
        " as u (case_id, look_at, settings_id, events, provisional, status, item, window_id, started_at, stopped_at,"
        " promised_due, legal_due) where c.centre = %s and c.case_id = u.case_id",
        [now, *columns, centre],
    )


def rest_cases(connection: Connection, centre: str, cases: Sequence[str], now: datetime) -> None:
    """Cases that nobody can judge any more: they stay as they are."""
    if cases:
        connection.execute(
            "update case_state set look_at = null, judged_at = %s, failures = 0 where centre = %s and case_id = any(%s)",
            [now, centre, list(cases)],
        )


def save_ineffective(connection: Connection, centre: str, letters: Mapping[str, Sequence[bytes]]) -> None:
    """Which dead letters the events without effect of each case lie in."""
    if not letters:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "update case_state set ineffective = %s::bytea[] where centre = %s and case_id = %s",
            [(list(found), centre, case) for case, found in letters.items()],
        )


def save_windows(
    connection: Connection, centre: str, rows: Iterable[tuple[str, datetime | None, bool]], now: datetime
) -> None:
    """After judging, in one statement: each window's next look, and whether it is stale (nobody vouches for it any more,
    which no writer can notice)."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return
    connection.execute(
        "update window_state s set look_at = u.look_at, judged_at = %s, failures = 0,"
        " since = case when stale and presence <> 'unknown' then seen_at else since end,"
        " reason = case when stale and presence <> 'unknown' then 'stale' else reason end,"
        " presence = case when stale then 'unknown' else presence end"
        " from unnest(%s::text[], %s::timestamptz[], %s::bool[]) as u (w, look_at, stale)"
        " where s.centre = %s and s.window_id = u.w",
        [now, *columns, centre],
    )


def push_ahead(connection: Connection, due: Due, centre: str, look_at: datetime) -> None:
    """A row that cannot be judged waits, so that it stops nobody else; an event for it makes it due at once."""
    table, key = _TABLES[due.kind]
    connection.execute(
        f"update {table} set look_at = %s, failures = failures + 1 where centre = %s and {key} = %s",
        [look_at, centre, due.name],
    )


def keep_settings(
    connection: Connection, settings_id: str, content: Mapping[str, Any], now: datetime
) -> None:
    """Keeps a content of the centre file under its hash."""
    connection.execute(
        "insert into settings_version (settings_id, content, first_used) values (%s, %s, %s) on conflict do nothing",
        [settings_id, json.dumps(content, ensure_ascii=False), now],
    )


def load_settings(connection: Connection, settings_id: str) -> dict[str, Any]:
    """A content kept before."""
    row = connection.execute(
        "select content from settings_version where settings_id = %s", [settings_id]
    ).fetchone()
    assert row is not None, "a foreign key says it is there"
    return dict(row[0])


def judge_everything_again(connection: Connection, centre: str) -> int:
    """Makes every running case, window and source due: the centre file or the published calendar has changed."""
    count = 0
    for kind, (table, _) in _TABLES.items():
        running = " and (stopped_at is null or look_at is not null)" if kind == "case" else ""
        done = connection.execute(
            f"update {table} set look_at = '-infinity' where centre = %s{running}", [centre]
        )
        count += done.rowcount
    return count
