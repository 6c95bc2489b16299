"""Subjects that are no cases: which stored events speak of them, and what their rows become.

The store knows no rules: what an event speaks of is told by a :class:`Linking`, which the rooms above make of the centre files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from domain.events import Event
from store.connection import Connection
from store.findings import to_json
from store.judging import COLUMNS, Arrival

#: A subject that is a window: it has its row in ``window_state``.
WINDOW = "window:"
#: Stored events looked at in one transaction, when a family is turned on later.
SLICE = 2000


@dataclass(frozen=True, slots=True)
class Linking:
    """What events speak of.

    ``subjects_of``: (event, code of its centre) → subjects like ``complaint:17`` or ``window:A01``; never raises.
    ``kinds``: by centre, the kinds it can say anything of. ``signatures``: by centre, changes when the answers may. Centres
    without any family that wants events are in neither.
    """

    subjects_of: Callable[[Event, str], Iterable[str]]
    kinds: Mapping[str, frozenset[str]]
    signatures: Mapping[str, str]


#: Whether all stored events are linked: ``more`` are left, ``elsewhere`` another loop is at them.
Linked = Literal["done", "more", "elsewhere"]
#: Centre, subject, moment, source, id, kind, arrival.
Link = tuple[str, str, datetime, str, str, str, datetime]


def links_of(
    events: Iterable[Event], arrived_at: Iterable[datetime], centre: str, linking: Linking
) -> list[Link]:
    """Links of events, sorted, so that two writers never wait for each other in a circle."""
    found: set[Link] = set()
    for event, arrived in zip(events, arrived_at, strict=False):
        code = event.centre or centre
        if event.kind in linking.kinds.get(code, ()):
            for subject in linking.subjects_of(event, code):
                found.add(
                    (code, subject, event.occurred_at, event.source, event.event_id, event.kind, arrived)
                )
    return sorted(found)


def windows_among(links: Iterable[Link]) -> set[tuple[str, str]]:
    """Centre and window of each link to a window."""
    return {(link[0], link[1].removeprefix(WINDOW)) for link in links if link[1].startswith(WINDOW)}


def write_links(connection: Connection, links: Sequence[Link]) -> None:
    """Writes links and makes their subjects due; windows are marked by who calls."""
    if not links:
        return
    connection.execute(
        "insert into subject_event (centre, subject, occurred_at, source, event_id, kind, arrived_at) select * from"
        " unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])"
        " on conflict do nothing",
        [list(column) for column in zip(*links, strict=True)],
    )
    subjects = sorted({link[:2] for link in links if not link[1].startswith(WINDOW)})
    if subjects:
        connection.execute(
            "insert into subject_state (centre, subject, look_at) select c, s, '-infinity' from"
            " unnest(%s::text[], %s::text[]) as u (c, s) on conflict (centre, subject) do update set look_at = '-infinity'",
            [list(column) for column in zip(*subjects, strict=True)],
        )


# -- events stored before ------------------------------------------------------------------------------------------------


def note_linking(connection: Connection, linking: Linking | None, now: datetime) -> None:
    """A writer begins to link: what others have written since the last that did is gone through (again).

    One that begins under another signature than the last makes everything be gone through.
    """
    for code, signature in sorted(linking.signatures.items()) if linking is not None else ():
        connection.execute(
            "insert into subject_linking as l (centre, signature, noted_at) values (%s, %s, %s)"
            " on conflict (centre) do update set signature = excluded.signature, noted_at = excluded.noted_at, done = false,"
            "   arrived_from = case when l.signature <> excluded.signature then '-infinity'"
            # A clock set back shortens nothing.
            "     when l.done then least(l.noted_at, excluded.noted_at) - interval '1 day' else l.arrived_from end,"
            # What is being gone through goes on where it was; what others wrote meanwhile, behind that point, comes after it.
            "   again_from = case when l.signature = excluded.signature and not l.done"
            "     then least(l.again_from, least(l.noted_at, excluded.noted_at) - interval '1 day') end,"
            "   kind = case when l.signature = excluded.signature and not l.done then l.kind end,"
            "   occurred_at = case when l.signature = excluded.signature and not l.done then l.occurred_at end,"
            "   source = case when l.signature = excluded.signature and not l.done then l.source end,"
            "   event_id = case when l.signature = excluded.signature and not l.done then l.event_id end",
            [code, signature, now],
        )


def adopt_linking(connection: Connection, code: str, signature: str | None, now: datetime) -> bool:
    """The rules in force begin: with another signature than the last all stored events are to be linked.

    Args:
        signature: None where no family of the centre wants events; then nothing is remembered.

    Returns:
        Whether anything may still have to be linked.
    """
    if signature is None:
        connection.execute("delete from subject_linking where centre = %s", [code])
        return False
    row = connection.execute(
        "insert into subject_linking as l (centre, signature, noted_at) values (%s, %s, %s)"
        " on conflict (centre) do update set signature = excluded.signature,"
        "   noted_at = case when l.signature <> excluded.signature then excluded.noted_at else l.noted_at end,"
        "   arrived_from = case when l.signature <> excluded.signature then '-infinity' else l.arrived_from end,"
        "   kind = case when l.signature = excluded.signature then l.kind end,"
        "   done = l.done and l.signature = excluded.signature"
        " returning done",
        [code, signature, now],
    ).fetchone()
    return row is None or not row[0]


def link_slice(connection: Connection, code: str, linking: Linking, size: int = SLICE) -> Linked:
    """Links the next stored events of a centre in one transaction.

    Until none are, a subject may lack events, and is not to be judged. Any number of loops may ask; a loop that is killed goes on where it was.
    """
    with connection.transaction():
        row = connection.execute(
            "select arrived_from::text, kind, occurred_at::text, source, event_id, again_from is not null"
            " from subject_linking"
            " where centre = %s and signature = %s and not done for update skip locked",
            [code, linking.signatures[code]],
        ).fetchone()
        if row is None:
            # Nothing left, or another loop is at it.
            left_to_do = connection.execute(
                "select exists (select from subject_linking where centre = %s and signature = %s and not done)",
                [code, linking.signatures[code]],
            ).fetchone()
            return "elsewhere" if left_to_do and left_to_do[0] else "done"
        arrived_from, at_kind, moment, source, event_id, again = row
        left = [kind for kind in sorted(linking.kinds[code]) if at_kind is None or kind >= at_kind]
        links: list[Link] = []
        room = size
        while left and room > 0:
            kind = left[0]
            after = (moment, source, event_id) if kind == at_kind and moment else ("-infinity", "", "")
            rows = connection.execute(
                f"select arrived_at, {COLUMNS} from event where centre = %s and kind = %s and arrived_at >= %s::timestamptz"
                " and occurred_at >= %s::timestamptz and (occurred_at, source, event_id) > (%s::timestamptz, %s, %s)"
                " order by occurred_at, source, event_id limit %s",
                [code, kind, arrived_from, after[0], *after, room],
            ).fetchall()
            links += links_of(
                [Event(*values) for _, _, *values in rows], [row[0] for row in rows], code, linking
            )
            if len(rows) < room:
                left.pop(0)
                at_kind, moment, source, event_id = (left[0] if left else kind), None, None, None
            else:
                last = rows[-1]
                at_kind, moment, source, event_id = kind, str(last[4].isoformat()), last[5], last[2]
            room -= len(rows)
        links.sort()
        windows = sorted(windows_among(links))
        if windows:
            connection.execute(
                "insert into window_state (centre, window_id, look_at) select c, w, '-infinity'"
                " from unnest(%s::text[], %s::text[]) as u (c, w)"
                " on conflict (centre, window_id) do update set look_at = '-infinity'",
                [list(column) for column in zip(*windows, strict=True)],
            )
        write_links(connection, links)
        connection.execute(
            "update subject_linking set kind = %s, occurred_at = %s::timestamptz, source = %s, event_id = %s, done = %s"
            " where centre = %s",
            [at_kind, moment, source, event_id, not left, code],
        )
        if not left and again:
            connection.execute(
                "update subject_linking set kind = null, occurred_at = null, source = null, event_id = null, done = false,"
                " arrived_from = again_from, again_from = null where centre = %s",
                [code],
            )
            return "more"
        return "more" if left else "done"


# -- judging -------------------------------------------------------------------------------------------------------------


def events_of_subjects(
    connection: Connection,
    centre: str,
    since: Mapping[str, datetime | None],
    kinds: Iterable[str] | None = None,
) -> dict[str, list[Arrival]]:
    """The linked events of each subject since its moment (None: all), of some kinds (None: of all), in order of arrival."""
    only = None if kinds is None else sorted(kinds)
    linked = (
        " from subject_event l join unnest(%s::text[], %s::timestamptz[]) as u (s, since)"
        " on l.subject = s and (since is null or l.occurred_at >= since) where l.centre = %s"
        " and (%s::text[] is null or l.kind = any(%s::text[]))"
    )
    wanted = [list(since), list(since.values()), centre, only, only]
    # Between which arrivals they lie, so that years of other pieces are not even planned for.
    bounds = connection.execute(
        f"select min(l.arrived_at)::text, max(l.arrived_at)::text{linked}", wanted
    ).fetchone()
    found: dict[str, list[Arrival]] = {subject: [] for subject in since}
    if bounds is None or bounds[0] is None:
        return found
    rows = connection.execute(
        f"select l.subject, e.* {linked.replace(' where', _LATERAL + ' where', 1)} order by seq",
        [wanted[0], wanted[1], *bounds, *wanted[2:]],
    )
    for subject, seq, *values in rows:
        found[subject].append(Arrival(seq, Event(*values)))
    return found


def newly_reached(
    connection: Connection, centre: str, judged: Mapping[str, datetime], kinds: Iterable[str]
) -> dict[str, datetime | None]:
    """The moment of the oldest event of each subject that has arrived since it was judged (a day more, for clocks differ); None
    where one is of none of these kinds. Subjects without any are left out."""
    rows = connection.execute(
        "select s, case when bool_and(l.kind = any(%s)) then min(l.occurred_at) end"
        " from unnest(%s::text[], %s::timestamptz[]) as u (s, judged)"
        " join subject_event l on l.centre = %s and l.subject = s and l.arrived_at >= judged - interval '1 day' group by s",
        [sorted(kinds), list(judged), list(judged.values()), centre],
    )
    return dict(rows.fetchall())


def newest_before(
    connection: Connection, centre: str, since: Mapping[str, datetime], kinds: Iterable[str]
) -> dict[str, datetime]:
    """The moment of the newest event of some kinds of each subject before its moment."""
    rows = connection.execute(
        "select s, at from unnest(%s::text[], %s::timestamptz[]) as u (s, since) cross join lateral ("
        "   select l.occurred_at as at from subject_event l where l.centre = %s and l.subject = s and l.occurred_at < since"
        "     and l.kind = any(%s) order by l.occurred_at desc limit 1) as newest",
        [list(since), list(since.values()), centre, sorted(kinds)],
    )
    return dict(rows.fetchall())


_LATERAL = (
    f" cross join lateral (select {COLUMNS} from event e where e.centre = l.centre and e.kind = l.kind"
    " and e.occurred_at = l.occurred_at and e.arrived_at = l.arrived_at and e.source = l.source and e.event_id = l.event_id"
    " and e.arrived_at >= %s::timestamptz and e.arrived_at <= %s::timestamptz offset 0) as e"
)


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """What a judged subject's row becomes."""

    subject: str
    status: Mapping[str, Any]
    look_at: datetime | None
    judged_events: int


def save_subjects(
    connection: Connection, centre: str, answers: Iterable[SubjectAnswer], now: datetime
) -> None:
    """One statement for the whole batch."""
    rows = [(each.subject, each.look_at, each.judged_events, to_json(dict(each.status))) for each in answers]
    if not rows:
        return
    connection.execute(
        "update subject_state s set look_at = u.look_at, judged_events = u.events, status = u.status::jsonb, judged_at = %s,"
        " failures = 0 from unnest(%s::text[], %s::timestamptz[], %s::int[], %s::text[]) as u (subject, look_at, events, status)"
        " where s.centre = %s and s.subject = u.subject",
        [now, *(list(column) for column in zip(*rows, strict=True)), centre],
    )
