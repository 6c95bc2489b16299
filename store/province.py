"""Reading for the wall of many centres: one row a centre in a few round trips, however many windows and cases there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.pq import TransactionStatus

from store.connection import Connection
from store.reading import TROUBLES, Beat, FindingRow, day_start


@dataclass(frozen=True, slots=True)
class CentreRow:
    """One centre. ``red``, ``yellow``, ``notice``: matters whose worst open finding that is, as the wall of the centre counts
    them (an absence with three cards is one matter); silent sources are not among them.

    Args:
        worst: the worst of these, of equals the oldest; without ``explain`` except its ``since``.
        speaking: windows that say something: somebody vouches for them, or their desk is shut.
        heard_at: newest sign of life of any source.
        silent_feeds: feeds that count as silent. rules_silent: real seconds since its rules' sign of life; None: never.
    """

    centre: str
    red: int = 0
    yellow: int = 0
    notice: int = 0
    worst: FindingRow | None = None
    speaking: int = 0
    heard_at: datetime | None = None
    silent_feeds: int = 0
    rules_silent: float | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all centres together; the first three since local midnight, counted as events."""

    received: int = 0
    accepted: int = 0
    closed: int = 0
    messages: int = 0
    open: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class ProvinceRows:
    """Everything read in one transaction. ``overdue``: cases beyond a deadline; ``beats`` without those of feeds and rules."""

    at: datetime
    centres: Mapping[str, CentreRow]
    overdue: int
    beats: tuple[Beat, ...]


# A silent source is a finding of its own; on a wall it makes grey, not a card.
_MATTERS = """
with matter as materialized (
    select distinct on (centre, subject, matter) * from (
        select centre, subject, rule, severity, finding_id, window_id, case_id, item, opened_at, due_at, provisional,
               explain -> 'since' as since, array_position(array['red', 'yellow', 'notice'], severity) as rank,
               case when split_part(rule, '.', 1) in ('absence', 'time_limit') then split_part(rule, '.', 1)
                    else finding_id end as matter
          from finding where state = 'open' and centre = any(%(centres)s) and rule not like 'source.%%') f
     order by centre, subject, matter, rank, opened_at)
select c.*, w.finding_id, w.rule, w.severity, w.subject, w.opened_at, w.case_id, w.item, w.window_id, w.due_at,
       w.provisional, w.since
  from (select centre, count(*) filter (where rank = 1) as red, count(*) filter (where rank = 2) as yellow,
               count(*) filter (where rank = 3) as notice,
               count(distinct case_id) filter (where rule in ('time_limit.promised', 'time_limit.legal')) as overdue
          from matter group by centre) c
  join (select distinct on (centre) * from matter order by centre, rank, opened_at, finding_id) w using (centre)"""

_SPEAKING = """
select w.centre, count(*) from window_state w
  join unnest(%(centres)s::text[], %(silences)s::interval[]) as u (c, silence) on w.centre = u.c
 where w.desk <> 'open' or (w.presence <> 'unknown' and w.seen_at >= %(now)s - u.silence)
 group by w.centre"""

_HEARD = """
select centre, max(last_at), count(*) filter (where kind = 'feed' and state = 'silent')
  from source_state where centre = any(%(centres)s) group by centre"""

_BEATS = f"""
select role, instance, at, extract(epoch from clock_timestamp() - real_at)::float8, detail
  from heartbeat where role not like 'feed:%%' {TROUBLES} order by 1, 2"""


def province_rows(connection: Connection, silences: Mapping[str, timedelta], now: datetime) -> ProvinceRows:
    """The state of many centres.

    Args:
        silences: by centre, after how long without an observation a window says nothing any more.
    """
    values = {"centres": list(silences), "silences": list(silences.values()), "now": now}
    nested = connection.info.transaction_status != TransactionStatus.IDLE
    with connection.transaction(), connection.pipeline():
        if not nested:
            connection.execute("set transaction isolation level repeatable read, read only")
        matters = connection.execute(_MATTERS, values)
        speaking = connection.execute(_SPEAKING, values)
        heard = connection.execute(_HEARD, values)
        beats = connection.execute(_BEATS, values)
        by_centre = {row[0]: row[1:] for row in matters}
        talk: dict[str, int] = dict(speaking.fetchall())
        signs = {row[0]: row[1:] for row in heard}
        known = [Beat(*row) for row in beats]
    rules = {beat.instance: _silence(beat) for beat in known if beat.role == "rules"}
    centres = {}
    for code in silences:
        red, yellow, notice, _, *worst = by_centre.get(code, (0, 0, 0, 0))
        heard_at, silent_feeds = signs.get(code, (None, 0))
        centres[code] = CentreRow(
            code,
            red,
            yellow,
            notice,
            _finding(code, *worst) if worst else None,
            talk.get(code, 0),
            heard_at,
            silent_feeds,
            rules.get(code),
        )
    overdue = sum(row[3] for row in by_centre.values())
    return ProvinceRows(now, centres, overdue, tuple(beat for beat in known if beat.role != "rules"))


def province_sums(connection: Connection, codes: list[str], now: datetime) -> Sums:
    """The figures of the day."""
    values = {"centres": codes, "today": day_start(now), "now": now}
    row = connection.execute(
        "select coalesce(sum(number) filter (where kind = 'case.received'), 0)::bigint,"
        " coalesce(sum(number) filter (where kind = 'case.accepted'), 0)::bigint,"
        " coalesce(sum(number) filter (where kind = 'case.closed'), 0)::bigint,"
        " (select count(*) from outbox where centre = any(%(centres)s) and sent_at >= %(today)s),"
        " (select coalesce(sum(number), 0) from open_case where centre = any(%(centres)s)),"
        " (select count(*) from dead_letter where state = 'waiting')"
        " from event_hour where centre = any(%(centres)s) and bucket >= %(today)s and bucket <= %(now)s"
        " and kind in ('case.received', 'case.accepted', 'case.closed')",
        values,
    ).fetchone()
    assert row is not None
    return Sums(*row)


def _silence(beat: Beat) -> float:
    """Rules that hold back until events have caught up are alive, but what they said is as old."""
    return max(beat.silent, float(beat.detail.get("held_for") or 0.0))


def _finding(
    centre: str,
    finding_id: str,
    rule: str,
    severity: str,
    subject: str,
    opened_at: datetime,
    case: str | None,
    item: str | None,
    window: str | None,
    due_at: datetime | None,
    provisional: bool,
    since: str | None,
) -> FindingRow:
    return FindingRow(
        finding_id,
        rule,
        severity,
        centre,
        subject,
        opened_at,
        "open",
        case=case,
        item=item,
        window=window,
        due_at=due_at,
        provisional=provisional,
        explain={"since": since} if since else {},
    )


__all__ = ["CentreRow", "ProvinceRows", "Sums", "province_rows", "province_sums"]
