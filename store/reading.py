"""Reading for the wall and the command line: few round trips, no row that the screen does not show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.pq import TransactionStatus

from domain.errors import StoreError
from store.connection import Connection

CHINA = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding as it stands; ``explain`` is empty where it was not asked for."""

    finding_id: str
    rule: str
    severity: str
    centre: str
    subject: str
    opened_at: datetime
    state: str
    case: str | None = None
    item: str | None = None
    window: str | None = None
    closed_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_reason: str | None = None
    revoked_by: str | None = None
    due_at: datetime | None = None
    provisional: bool = False
    issued_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    explain: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WindowRow:
    """What the light of a window is made from. A window that nothing has been heard of has no row."""

    window: str
    presence: str
    reason: str | None
    since: datetime | None
    seen_at: datetime | None
    desk: str
    method: str | None
    judged_at: datetime | None
    open_cases: int
    worst: str | None  # severity of the worst open finding
    open_findings: int
    waiting: bool = False  # somebody was seen on the citizens' side while nobody is there


@dataclass(frozen=True, slots=True)
class Totals:
    """Since local midnight, except ``open``, ``overdue``, the ``…_open`` and ``dead_letters``, which are of now."""

    received: int = 0
    accepted: int = 0
    decided: int = 0
    closed: int = 0
    open: int = 0
    overdue: int = 0
    notice_open: int = 0
    yellow_open: int = 0
    red_open: int = 0
    notice_today: int = 0
    yellow_today: int = 0
    red_today: int = 0
    messages: int = 0
    dead_letters: int = 0


@dataclass(frozen=True, slots=True)
class CameraRow:
    camera: str
    state: str
    reason: str | None
    since: datetime | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Beat:
    """Sign of life. ``at`` on the system's clock; ``silent`` real seconds since, by the database's clock."""

    role: str
    instance: str
    at: datetime
    silent: float
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WallSnapshot:
    """Everything a wall shows, read in one transaction, so that its parts agree."""

    at: datetime
    windows: tuple[WindowRow, ...]
    cameras: tuple[CameraRow, ...]
    findings: tuple[FindingRow, ...]  # open, worst first, of equals the oldest first
    totals: Totals
    beats: tuple[Beat, ...]


#: Of :class:`FindingRow`, in its order; ``explain`` follows where it is wanted.
FINDING_COLUMNS = (
    "finding_id, rule, severity, centre, subject, opened_at, state, case_id, item, window_id, closed_at, revoked_at,"
    " revoked_reason, revoked_by, due_at, provisional, issued_at, acknowledged_at, acknowledged_by"
)
#: Beside signs of life: what is wrong with messages, as the role ``trouble``, and its name as the instance. That a process is silent
#: its own sign of life says.
TROUBLES = """
union all select 'trouble', name, since, 0::float8, detail from trouble where name not like 'silent:%%'
union all select 'trouble', 'channel_off:' || channel, off_since, 0::float8, '{}'::jsonb from channel_state
    where not exists (select 1 from trouble where name = 'channel_off:' || channel)"""
_RANK = "array_position(array['red', 'yellow', 'notice'], severity)"
#: Deadlines of the whole case; a stage or an overrun suspension makes no case overdue.
_OVERDUE_RULES = ["time_limit.promised", "time_limit.legal"]


def day_start(now: datetime, zone: ZoneInfo = CHINA) -> datetime:
    """Local midnight before ``now``, UTC."""
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC)


def wall_snapshot(
    connection: Connection,
    centre: str,
    now: datetime,
    *,
    zone: ZoneInfo = CHINA,
    limit: int = 200,
    several: bool = False,
) -> WallSnapshot:
    """The state of one centre.

    Args:
        now: the system's moment; nothing later is counted into today.
        limit: at most so many open findings; the totals count all.
        several: the system has other centres, and of its dead letters only those count here that name this one.
    """
    values = {
        "centre": centre, "now": now, "today": day_start(now, zone), "limit": limit, "overdue": _OVERDUE_RULES,
        "mark": json.dumps(centre, ensure_ascii=False).encode() if several else b"",
    }  # fmt: skip
    nested = connection.info.transaction_status != TransactionStatus.IDLE
    with connection.transaction(), connection.pipeline():
        if not nested:
            connection.execute("set transaction isolation level repeatable read, read only")
        windows = connection.execute(_WINDOWS, values)
        cameras = connection.execute(
            "select camera, state, reason, since, seen_at from camera_state where centre = %(centre)s order by camera",
            values,
        )
        open_findings = connection.execute(
            f"select {FINDING_COLUMNS} from finding where centre = %(centre)s and state = 'open'"
            f" order by {_RANK}, opened_at, finding_id limit %(limit)s",
            values,
        )
        totals = connection.execute(_TOTALS, values)
        beats = connection.execute(
            "select role, instance, at, extract(epoch from clock_timestamp() - real_at)::float8, detail from heartbeat"
            # Of many centres each has its own rules' sign of life: the neighbour's says nothing here.
            f" where role <> 'rules' or instance in (%(centre)s, '') {TROUBLES} order by 1, 2",
            values,
        )
        row = totals.fetchone()
        assert row is not None
        return WallSnapshot(
            now,
            tuple(WindowRow(*row) for row in windows),
            tuple(CameraRow(*row) for row in cameras),
            tuple(FindingRow(*row) for row in open_findings),
            Totals(*row),
            tuple(Beat(*row) for row in beats),
        )


_WINDOWS = """
select w.window_id, w.presence, w.reason, w.since, w.seen_at, w.desk, w.method, w.judged_at,
       coalesce(c.number, 0), f.worst, coalesce(f.number, 0), q.window_id is not null
  from (select centre, window_id, presence, reason, since, seen_at, desk, method, judged_at
          from window_state where centre = %(centre)s) w
  left join (select window_id, sum(number) as number from open_case
              where centre = %(centre)s group by window_id) c using (window_id)
  left join (select window_id, count(*) as number,
                    (array['red', 'yellow', 'notice'])[min(array_position(array['red', 'yellow', 'notice'], severity))]
                      as worst
               from finding where centre = %(centre)s and state = 'open' group by window_id) f using (window_id)
  left join (select distinct window_id from presence_span
              where centre = %(centre)s and until is null and state = 'absent' and waiting) q using (window_id)
 order by w.window_id"""

_TOTALS = """
select e.received, e.accepted, e.decided, e.closed,
       (select coalesce(sum(number), 0) from open_case where centre = %(centre)s),
       f.overdue, f.notice, f.yellow, f.red, t.notice, t.yellow, t.red,
       (select count(*) from outbox where centre = %(centre)s and sent_at >= %(today)s),
       (select count(*) from dead_letter where state = 'waiting' and position(%(mark)s::bytea in raw) > 0)
  from (select count(distinct case_id) filter (where kind = 'case.received') as received,
               count(distinct case_id) filter (where kind = 'case.accepted') as accepted,
               count(distinct case_id) filter (where kind = 'case.decided') as decided,
               count(distinct case_id) filter (where kind = 'case.closed') as closed
          from event where centre = %(centre)s and occurred_at >= %(today)s and occurred_at <= %(now)s
           and arrived_at >= %(today)s - interval '2 days'  -- the pieces that may hold them, see store.judging
           and kind in ('case.received', 'case.accepted', 'case.decided', 'case.closed')) e,
       (select count(distinct case_id) filter (where rule = any(%(overdue)s)) as overdue,
               count(*) filter (where severity = 'notice') as notice,
               count(*) filter (where severity = 'yellow') as yellow,
               count(*) filter (where severity = 'red') as red
          from finding where centre = %(centre)s and state = 'open') f,
       (select count(*) filter (where severity = 'notice') as notice,
               count(*) filter (where severity = 'yellow') as yellow,
               count(*) filter (where severity = 'red') as red
          from finding where centre = %(centre)s and opened_at >= %(today)s and state <> 'revoked') t"""


def findings(
    connection: Connection,
    centre: str,
    *,
    state: str | None = "open",
    window: str | None = None,
    case: str | None = None,
    severity: str | None = None,
    opened_since: datetime | None = None,
    limit: int = 200,
) -> list[FindingRow]:
    """Findings with ``explain``, worst first, of equals the oldest first. None leaves a condition out."""
    rows = connection.execute(
        f"select {FINDING_COLUMNS}, explain from finding where centre = %(centre)s"
        " and (%(state)s::text is null or state = %(state)s) and (%(window)s::text is null or window_id = %(window)s)"
        " and (%(case)s::text is null or subject = 'case:' || %(case)s)"
        " and (%(severity)s::text is null or severity = %(severity)s)"
        " and (%(since)s::timestamptz is null or opened_at >= %(since)s)"
        f" order by {_RANK}, opened_at, finding_id limit %(limit)s",
        {
            "centre": centre, "state": state, "window": window, "case": case, "severity": severity,
            "since": opened_since, "limit": limit,
        },
    )  # fmt: skip
    return [FindingRow(*row) for row in rows]


def finding(connection: Connection, finding_id: str) -> FindingRow:
    """One finding with ``explain``.

    Raises:
        StoreError: there is none of that id.
    """
    row = connection.execute(
        f"select {FINDING_COLUMNS}, explain from finding where finding_id = %s", [finding_id]
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no finding {finding_id}")
    return FindingRow(*row)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a finding; steps are never updated."""

    finding_id: str
    at: datetime
    step: str
    person: str | None
    detail: Mapping[str, Any]


def finding_steps(connection: Connection, finding_id: str) -> list[Step]:
    rows = connection.execute(
        "select finding_id, at, step, person, detail from finding_step where finding_id = %s order by step_id",
        [finding_id],
    )
    return [Step(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class CaseHistory:
    """Everything known of a case. ``state`` is the row of ``case_state``; events by ``occurred_at``."""

    centre: str
    case: str
    state: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    findings: tuple[FindingRow, ...]
    steps: tuple[Step, ...]


def case_history(connection: Connection, centre: str, case: str) -> CaseHistory:
    """A case with its events, findings and their steps.

    Raises:
        StoreError: no event of that case has been seen.
    """
    state = connection.execute(
        "select to_jsonb(s), coalesce(events_from, '-infinity')::text, coalesce(events_until, 'infinity')::text"
        " from case_state s where centre = %s and case_id = %s",
        [centre, case],
    ).fetchone()
    if state is None:
        raise StoreError(f"there is no case {case} in centre {centre}")
    events = connection.execute(
        "select to_jsonb(e) - 'arrived_at' from event e where centre = %s and case_id = %s"
        " and arrived_at >= %s::timestamptz and arrived_at <= %s::timestamptz order by occurred_at, seq",
        [centre, case, *state[1:]],
    )
    found = findings(connection, centre, state=None, case=case, limit=10_000)
    steps = connection.execute(
        "select s.finding_id, s.at, s.step, s.person, s.detail from finding_step s join finding f using (finding_id)"
        " where f.centre = %s and f.subject = 'case:' || %s order by s.step_id",
        [centre, case],
    )
    return CaseHistory(
        centre,
        case,
        state[0],
        tuple(row[0] for row in events),
        tuple(found),
        tuple(Step(*row) for row in steps),
    )


def presence_today(
    connection: Connection, centre: str, window: str, now: datetime, *, back: timedelta = timedelta(days=1)
) -> list[tuple[str, str, datetime, datetime | None, str, str | None]]:
    """(camera, post, since, until, state, reason) of a window's posts, oldest first."""
    rows = connection.execute(
        "select camera, post, since, until, state, reason from presence_span where centre = %s and window_id = %s"
        " and (until is null or until >= %s) order by since, camera, post",
        [centre, window, now - back],
    )
    return list(rows.fetchall())
