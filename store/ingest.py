"""Writing events: idempotent, one transaction a batch, repeatable as often as a worker is killed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

from domain.events import Event, content_hash, event_to_json
from store.connection import Connection
from store.dead_letters import Refusal, write_dead_letters
from store.sources import note_sources
from store.subjects import Linking, links_of, windows_among, write_links

#: What each window.* event makes of the desk.
DESKS = {"window.opened": "open", "window.paused": "paused", "window.closed": "closed"}
#: Kinds after which the staffing of a window has to be judged again.
STAFFING = ("window.", "cover.", "attendance.", "leave.")


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch: rows that are new, that were there already, that contradict what is there."""

    new: int = 0
    duplicates: int = 0
    conflicts: int = 0


def write_events(
    connection: Connection,
    events: Sequence[Event],
    *,
    centre: str,
    now: datetime,
    linking: Linking | None = None,
) -> WriteResult:
    """Writes a batch in one transaction: events, what is to be judged again, signs of life, conflicts as dead letters.

    Rows are locked in sorted order, so that two writers never wait for each other in a circle. Numbers (``seq``) follow
    the order of arrival between batches; inside a batch they follow source and id.

    Args:
        centre: code for events that name none.
        now: the system's moment, for events without ``received_at`` and for signs of life.
        linking: what events speak of beside their case; None where no family of rules wants to know.

    Raises:
        psycopg.DataError, ValueError: a value PostgreSQL cannot keep (NUL, half a surrogate pair, NaN); nothing is
            written then, and the caller goes on one by one.
    """
    if not events:
        return WriteResult()
    with connection.transaction():
        # The first of two with the same key stands; sorting is stable.
        ordered = sorted(events, key=lambda event: (event.centre or centre, event.source, event.event_id))
        hashes = [content_hash(event) for event in ordered]
        new, arrived_at = _insert(connection, ordered, hashes, centre, now)
        conflicts, duplicates = _compare(connection, ordered, hashes, new, centre)
        fresh = [event for event, is_new in zip(ordered, new, strict=True) if is_new]
        if fresh:
            _mark_cases(connection, fresh, centre, now)
            links = [] if linking is None else links_of(fresh, repeat(arrived_at), centre, linking)
            _mark_windows(connection, fresh, centre, windows_among(links))
            write_links(connection, links)
            connection.execute("select pg_notify('mingjing', 'event')")
        if conflicts:
            write_dead_letters(connection, (_conflict(event) for event in conflicts), now=now)
            for event in conflicts:
                about = {
                    "event_id": event.event_id,
                    "source": event.source,
                    "case": event.case,
                    "code": "conflict",
                }
                log.info("an event came again with other content", extra=about)
        _note_sources(connection, ordered, centre, now)
    return WriteResult(len(fresh), duplicates, len(conflicts))


def heartbeat(
    connection: Connection, role: str, *, now: datetime, instance: str = "", detail: object = None
) -> None:
    """Says that a process or feed is alive; ``real_at`` is set by the database."""
    connection.execute(
        "insert into heartbeat (role, instance, at, detail) values (%s, %s, %s, %s::jsonb)"
        " on conflict (role, instance) do update set at = excluded.at, real_at = now(), detail = excluded.detail",
        [role, instance, now, _json(detail or {})],
    )


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"), default=dict
)


def _json(value: object) -> str:
    return _ENCODER.encode(value) if value else "{}"


def _insert(
    connection: Connection, events: Sequence[Event], hashes: Sequence[bytes], centre: str, now: datetime
) -> tuple[list[bool], datetime]:
    """Writes the keys and, for those that are new, the events; says of each event whether it is new, and when those arrived."""
    rows = connection.execute(
        "insert into event_key (centre, source, event_id, content_hash, arrived_at)"
        " select c, s, e, h, %s from unnest(%s::text[], %s::text[], %s::text[], %s::bytea[]) as u (c, s, e, h)"
        " on conflict (centre, source, event_id) do nothing returning centre, source, event_id",
        [now, *_keys(events, centre), list(hashes)],
    ).fetchall()
    left = set(rows)
    new = []
    for event in events:
        key = (event.centre or centre, event.source, event.event_id)
        new.append(key in left)
        left.discard(key)  # of two in one batch only the first is new
    fresh = [event for event, is_new in zip(events, new, strict=True) if is_new]
    arrived_at = now
    if fresh:
        columns = (
            [event.source for event in fresh],
            [event.event_id for event in fresh],
            [event.kind for event in fresh],
            [event.occurred_at for event in fresh],
            [event.entered_at for event in fresh],
            [event.received_at or now for event in fresh],
            [event.centre or centre for event in fresh],
            [event.window for event in fresh],
            [event.case for event in fresh],
            [event.item for event in fresh],
            [event.staff for event in fresh],
            [_json(event.data) for event in fresh],
        )
        placed = connection.execute(
            "with placed as (insert into event (source, event_id, kind, occurred_at, entered_at, received_at, centre, window_id, case_id,"
            " item, staff, data, arrived_at)"
            # Never before the line up to which events are counted (store.aggregates), whatever the clock says.
            " select s, e, k, o, n, r, c, w, a, i, p, d::jsonb,"
            "   greatest(%s, (select upto from rollup where name = 'events')) from unnest(%s::text[],"
            " %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::text[], %s::text[]) as u (s, e, k, o, n, r, c, w, a, i, p, d) returning arrived_at) select max(arrived_at) from placed",
            [now, *columns],
        ).fetchone()
        assert placed is not None
        arrived_at = placed[0]
    return new, arrived_at


def _keys(events: Sequence[Event], centre: str) -> list[list[str]]:
    """Columns of what makes an event the same one: centre, source, id."""
    return [
        [event.centre or centre for event in events],
        [event.source for event in events],
        [event.event_id for event in events],
    ]


def _compare(
    connection: Connection,
    events: Sequence[Event],
    hashes: Sequence[bytes],
    new: Sequence[bool],
    centre: str,
) -> tuple[list[Event], int]:
    """Which of the events that were there already say something else, and how many say the same."""
    known = [(event, digest) for event, digest, is_new in zip(events, hashes, new, strict=True) if not is_new]
    if not known:
        return [], 0
    rows = connection.execute(
        "select centre, source, event_id, content_hash from event_key"
        " where (centre, source, event_id) in (select * from unnest(%s::text[], %s::text[], %s::text[]))",
        _keys([event for event, _ in known], centre),
    )
    stored = {(code, source, event_id): bytes(digest) for code, source, event_id, digest in rows}
    conflicts = [
        event
        for event, digest in known
        if stored[event.centre or centre, event.source, event.event_id] != digest
    ]
    return conflicts, len(known) - len(conflicts)


def _conflict(event: Event) -> Refusal:
    row = event_to_json(event)
    row.pop("received_at", None)
    return Refusal(
        origin="topic",
        raw=_json(row).encode(),
        code="conflict",
        field="event_id",
        reason=f"event '{event.event_id}' of '{event.source}' came before with other content; the first one stands",
        at=event.received_at,
    )


def _mark_cases(connection: Connection, events: Iterable[Event], centre: str, now: datetime) -> None:
    """Every touched case is to be judged now. The row lock orders us with a rule loop that is judging it."""
    cases: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for event in events:
        if event.case is not None:
            key = (event.centre or centre, event.case)
            item, window = cases.get(key, (None, None))
            cases[key] = (item or event.item, window or event.window)
    if not cases:
        return
    rows = [(*key, *value) for key, value in sorted(cases.items())]
    connection.execute(
        "insert into case_state (centre, case_id, item, window_id, look_at, events_from, events_until)"
        " select c, i, t, w, '-infinity', %s::timestamptz, greatest(%s, (select upto from rollup where name = 'events'))"
        " from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) as u (c, i, t, w)"
        " on conflict (centre, case_id) do update set look_at = '-infinity',"
        # What has no bounds keeps none: its events may lie anywhere.
        " events_from = case when case_state.events_from is not null then least(case_state.events_from, excluded.events_from) end,"
        " events_until = case when case_state.events_until is not null"
        "   then greatest(case_state.events_until, excluded.events_until) end,"
        " item = coalesce(case_state.item, excluded.item), window_id = coalesce(case_state.window_id, excluded.window_id)",
        [now, now, *(list(column) for column in zip(*rows, strict=True))],
    )


def _mark_windows(
    connection: Connection, events: Iterable[Event], centre: str, also: Iterable[tuple[str, str]] = ()
) -> None:
    """Windows whose desk or staffing an event speaks of; of the desk the newest event by ``occurred_at`` counts.

    Args:
        also: centre and window of what concerns a window by the rules in force.
    """
    windows: dict[tuple[str, str], tuple[str | None, datetime | None]] = dict.fromkeys(also, (None, None))
    staffing = [each for each in events if each.window is not None and each.kind.startswith(STAFFING)]
    for event in sorted(staffing, key=lambda event: (event.occurred_at, event.event_id)):
        key = (event.centre or centre, event.window or "")
        desk = DESKS.get(event.kind)
        windows[key] = (desk, event.occurred_at) if desk else windows.get(key, (None, None))
    if not windows:
        return
    rows = [(*key, *value) for key, value in sorted(windows.items())]
    connection.execute(
        "insert into window_state (centre, window_id, desk, desk_at, look_at) select c, w, coalesce(d, 'open'), a, '-infinity'"
        " from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) as u (c, w, d, a)"
        " on conflict (centre, window_id) do update set look_at = '-infinity',"
        " desk = case when excluded.desk_at >= coalesce(window_state.desk_at, '-infinity') then excluded.desk else window_state.desk end,"
        " desk_at = greatest(window_state.desk_at, excluded.desk_at)",
        [list(column) for column in zip(*rows, strict=True)],
    )
    connection.execute("select pg_notify('mingjing', 'window')")


def _note_sources(connection: Connection, events: Iterable[Event], centre: str, now: datetime) -> None:
    """A source that speaks is alive, also when it only repeats itself."""
    newest: dict[tuple[str, str], datetime] = {}
    for event in events:
        key = (event.centre or centre, event.source)
        newest[key] = max(newest.get(key, event.occurred_at), event.occurred_at)
    note_sources(connection, "feed", dict.fromkeys(newest, now), newest)
    # Of several centres (then ``centre`` is empty) two may have a feed of one name.
    feeds = {(source, "" if centre else code): moment for (code, source), moment in sorted(newest.items())}
    connection.execute(
        "insert into heartbeat (role, instance, at, detail)"
        " select 'feed:' || s, i, %s, jsonb_build_object('newest', n)"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[]) as u (s, i, n)"
        " on conflict (role, instance) do update set at = greatest(heartbeat.at, excluded.at), real_at = now(),"
        " detail = excluded.detail",
        [now, [source for source, _ in feeds], [code for _, code in feeds], list(feeds.values())],
    )
