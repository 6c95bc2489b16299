"""What waits and whose moment has come: looked at once more, then let go, one by one or many in one.

A message waits because of quiet hours, a silence, a group of a leader's messages, a flood or a budget (the column ``reason``).
Those of one person that wait under one name (``gather``) leave as one message when the first of them is due; one alone leaves as
itself. What is no longer true is skipped with its reason; what a new silence or new quiet hours cover waits on.

A card stays a card when its cause has ended: it is a legal act that wants an answer, and is told all the same. What is over with
its cause are notices, reminders, and findings that had to last first (``hold_for``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import silences
from alerts.matcher import route_of
from alerts.reasons import Reason, Why
from alerts.rounds.naming import first_of_each, named
from alerts.rounds.schedule import Timetable, over
from alerts.rounds.writing import MOST_KEYS, Digest, write_digest
from alerts.silence import Silence
from alerts.states import CORRECTION, GIVE_UP_AFTER, notify
from domain.centre import Centre
from domain.finding_life import STEPS
from domain.findings import SEVERITIES, Finding
from domain.messages import Route
from store import Connection
from store.connection import PASSING
from store.dead_letters import Refusal, write_dead_letters

log = logging.getLogger(__name__)

#: People whose gathered messages, and messages by themselves, are let go in one transaction.
PEOPLE, ALONE = 200, 2000
#: How long what cannot be let go waits.
PUSH_AHEAD = timedelta(hours=1)
#: Where those that wait under a name are corrections, the name ends so.
CORRECTIONS = ":corrections"
#: Reasons to wait together: the rest of the group leaves with the first of it. The others wait each for its own end.
TOGETHER = frozenset((Reason.GROUP, Reason.FLOOD, Reason.BUDGET, Reason.DAILY))
_AGAIN = (Why.REMINDER.value, Why.ESCALATION.value)

_KEYS = """
select distinct person, channel, gather from outbox
where centre = %(centre)s and state = 'held' and held_until <= %(now)s and gather is not null and (%(daily)s or reason <> 'daily')
limit %(people)s
"""
_ROWS = """
select o.message_id, o.idempotency_key, o.finding_id, o.person, o.phone, o.channel, o.template, o.reason, o.why, o.route, o.level,
       o.detail, o.fallback, o.held_until, o.gather, o.created_at, o.ack_token is not null as has_ack, o.params ->> 'late' as late,
       f.rule, f.severity, f.centre, f.opened_at, f.closed_at, f.case_id, f.item, f.window_id, f.state as finding_state, f.life,
       f.explain ->> 'staff' as staff, f.explain ->> 'source' as source
from outbox o left join finding f on f.finding_id = o.finding_id
"""
_ALONE = (
    _ROWS
    + """
where o.centre = %(centre)s and o.state = 'held' and o.held_until <= %(now)s and o.gather is null
  and (%(daily)s or o.reason <> 'daily')
order by o.held_until, o.message_id limit %(alone)s for update of o skip locked
"""
)
_GATHERED = (
    _ROWS
    + """
join unnest(%(persons)s::text[], %(channels)s::text[], %(gathers)s::text[]) as k (p, h, g)
    on o.person = k.p and o.channel = k.h and o.gather = k.g
where o.centre = %(centre)s and o.state = 'held' and (%(daily)s or o.reason <> 'daily')
order by o.message_id for update of o skip locked
"""
)
_GO = """
update outbox set state = 'ready', reason = null, next_try_at = now(), give_up_at = now() + %(span)s,
    params = case when ack_token is null then params else params || %(until)s end,
    ack_expires_at = case when ack_token is null then null else %(expires)s end
where message_id = any(%(ids)s)
"""
_SKIP = """
update outbox o set state = 'skipped', reason = u.r from unnest(%s::bigint[], %s::text[]) as u (i, r) where o.message_id = u.i
"""
_WAIT = """
update outbox o set held_until = u.t, reason = u.r, detail = o.detail || u.d::jsonb
from unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[]) as u (i, t, r, d) where o.message_id = u.i
"""


@dataclass(slots=True)
class Released:
    """What one turn did: messages that left by themselves, in how many digests how many others, what was skipped or waits on."""

    alone: int = 0
    digests: int = 0
    gathered: int = 0
    skipped: int = 0
    waiting_on: int = 0
    failed: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class On:
    """It waits on."""

    until: datetime
    reason: Reason
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """Lets go what is due in one centre.

    Args:
        desk: address of the desk, for digests.
        ack_lifetime: how long a link can be used, from the moment its message leaves.
        give_up_after: how long a message is worth sending, in real time, from the same moment.
    """

    centre: Centre
    desk: str = ""
    ack_lifetime: timedelta = timedelta(hours=72)
    give_up_after: timedelta = GIVE_UP_AFTER

    def __call__(self, connection: Connection, now: datetime) -> Released:
        """One turn, inside the caller's transaction. Where another loop is at it already, nothing is done."""
        code, done = self.centre.centre.id, Released()
        locked = connection.execute(
            "select pg_try_advisory_xact_lock(hashtextextended('mingjing release ' || %s, 0))", [code]
        ).fetchone()
        if not locked or not locked[0]:
            return done
        values = {
            "centre": code, "now": now, "people": PEOPLE, "alone": ALONE, "daily": self.centre.messages.digest is None,
        }  # fmt: skip
        with connection.cursor(row_factory=dict_row) as cursor:
            alone = cursor.execute(_ALONE, values).fetchall()
        keys = connection.execute(_KEYS, values).fetchall()
        done.more = len(alone) == ALONE or len(keys) == PEOPLE
        groups = self._groups(connection, keys, values) if keys else []
        if not alone and not groups:
            return done
        judge = Judge(self.centre, now, silences.active(connection, code, now))
        going = self._sift(connection, alone, judge, done)
        for rows in groups:
            left = self._sift(connection, rows, judge, done)
            if len(left) < 2:
                going += left
            elif self._told(connection, left, now, judge.refusals):
                done.digests, done.gathered = done.digests + 1, done.gathered + len(left)
        going = self._newest(connection, going, done)
        self._go(connection, going, now)
        done.alone = len(going)
        if done.alone or done.digests:
            notify(connection)
        done.failed = len(judge.refusals)
        write_dead_letters(connection, judge.refusals, now=now)
        return done

    def next_at(self, connection: Connection) -> datetime | None:
        """When something is due next; None: nothing waits."""
        row = connection.execute(
            "select min(held_until) from outbox where centre = %s and state = 'held' and (%s or reason <> 'daily')",
            [self.centre.centre.id, self.centre.messages.digest is None],
        ).fetchone()
        return row[0] if row else None

    def _groups(
        self, connection: Connection, keys: Sequence[Sequence[Any]], values: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        persons, channels, gathers = (list(column) for column in zip(*keys, strict=True))
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                _GATHERED, dict(values) | {"persons": persons, "channels": channels, "gathers": gathers}
            ).fetchall()
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for row in rows:
            if row["held_until"] <= values["now"] or row["reason"] in TOGETHER:
                groups.setdefault((row["person"], row["channel"], row["gather"]), []).append(row)
        return list(groups.values())

    def _sift(
        self, connection: Connection, rows: Sequence[dict[str, Any]], judge: Judge, done: Released
    ) -> list[dict[str, Any]]:
        """Those that may leave; the rest is settled."""
        going, gone, on = [], [], []
        for row in rows:
            verdict = judge(row)
            if verdict is None:
                going.append(row)
            elif isinstance(verdict, On):
                on.append((row["message_id"], verdict))
            else:
                gone.append((row["message_id"], verdict))
        if gone:
            connection.execute(_SKIP, [[number for number, _ in gone], [reason.value for _, reason in gone]])
        if on:
            columns = zip(
                *(
                    (number, each.until, each.reason.value, json.dumps(dict(each.detail)))
                    for number, each in on
                ),
                strict=True,
            )
            connection.execute(_WAIT, [list(column) for column in columns])
        done.skipped += len(gone)
        done.waiting_on += len(on)
        return going

    def _newest(
        self, connection: Connection, rows: Sequence[dict[str, Any]], done: Released
    ) -> list[dict[str, Any]]:
        """Of several reminders of one person about one finding only the last: a silence may have kept a whole row of them."""

        def about(row: Mapping[str, Any]) -> tuple[str, str, str] | None:
            again = row["why"] == Why.REMINDER.value and row["finding_id"] is not None
            return (row["person"], row["channel"], row["finding_id"]) if again else None

        last = {about(row): row["message_id"] for row in sorted(rows, key=lambda row: row["message_id"])}
        old = {row["message_id"] for row in rows if about(row) and row["message_id"] != last[about(row)]}
        if old:
            connection.execute(_SKIP, [sorted(old), [Reason.SUPERSEDED.value] * len(old)])
            done.skipped += len(old)
        return [row for row in rows if row["message_id"] not in old]

    def _go(self, connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
        if rows:
            expires = now + self.ack_lifetime
            until = Jsonb({"ack_until": expires.astimezone(self.centre.zone).isoformat()})
            values = {"ids": [row["message_id"] for row in rows], "expires": expires, "until": until}
            connection.execute(_GO, values | {"span": self.give_up_after})
            _begin(connection, rows, now)

    def _told(
        self, connection: Connection, rows: Sequence[dict[str, Any]], now: datetime, refusals: list[Refusal]
    ) -> bool:
        """Whether these were told in one message; those that cannot be wait a while, and stop nobody else."""
        try:
            with connection.transaction():
                self._tell(connection, rows, now)
        except PASSING:
            raise
        except Exception as error:
            for row in rows:
                refusals.append(_refusal(row, error, now))
            connection.execute(
                "update outbox set held_until = %s where message_id = any(%s)",
                [now + PUSH_AHEAD, [row["message_id"] for row in rows]],
            )
            return False
        return True

    def _tell(self, connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> int | None:
        first, last = rows[0], rows[-1]
        template = template_of(first["gather"])
        digest = Digest(
            # Not its number: those begin again where a restored backup ends, and a gateway knows the keys of before.
            f"{template}:{first['idempotency_key']}",
            self.centre.centre.id,
            first["person"],
            template,
            digest_params(rows, self.centre, self.desk, now),
            [
                (last["channel"], last["phone"]),
                *((channel, address) for channel, address in last["fallback"]),
            ],
            max(row["level"] for row in rows),
            told=[row["message_id"] for row in rows],
        )
        _begin(connection, rows, now)
        return write_digest(connection, digest, now, self.give_up_after)


class Judge:
    """Whether what waited may leave, as things are at one moment."""

    def __init__(self, centre: Centre, now: datetime, active: Sequence[Silence]) -> None:
        self._centre, self._now, self._silences = centre, now, active
        self._routes = {route.id: route for route in centre.messages.routes}
        self._timetables: dict[tuple[str | None, str], Timetable] = {}
        #: Those that could not be judged.
        self.refusals: list[Refusal] = []

    def __call__(self, row: Mapping[str, Any]) -> On | Reason | None:
        """None: it may leave; a reason: it is not to be sent any more. One that cannot be judged waits on for a while."""
        try:
            return self._verdict(row)
        except Exception as error:
            self.refusals.append(_refusal(row, error, self._now))
            return On(self._now + PUSH_AHEAD, Reason(row["reason"]))

    def _verdict(self, row: Mapping[str, Any]) -> On | Reason | None:
        if row["finding_id"] is None:
            return None
        state, life, now = row["finding_state"], row["life"], self._now
        if row["template"] == CORRECTION:
            if state != "revoked":
                return Reason.REOPENED
        elif state == "revoked":
            return Reason.REVOKED
        else:
            finding = _finding(row)
            route: Route = self._routes.get(row["route"]) or route_of(finding, self._centre)
            if row["why"] in _AGAIN:
                ended = over(state, life, route.until, row["severity"])
                if ended is not None:
                    return ended
            elif state == "closed" and row["severity"] == "notice":
                return Reason.OVER
            elif row["late"] in STEPS and life not in STEPS[row["late"]].states:
                return Reason.OVER  # what was late has been done
            elif row["reason"] == Reason.HOLD_FOR and (waits := self._lasts(row, route)) is not None:
                return waits
        finding = _finding(row)
        for silence in self._silences:
            if silence.covers(finding, row["person"], self._centre, now):
                detail = {"silence": silence.silence_id, "author": silence.author}
                return On(silence.run_ends(self._centre, now), Reason.SILENCED, detail)
        allowed = self._timetable(row["route"], finding).allowed(now)
        return None if allowed <= now else On(allowed, Reason.QUIET_HOURS)

    def _lasts(self, row: Mapping[str, Any], route: Route) -> On | Reason | None:
        """Whether a finding has lasted as its route asks: what kept its message meanwhile (a night, a silence) is not counted."""
        began = row["opened_at"] if row["why"] == Why.OPENED else row["created_at"]
        until = began + timedelta(minutes=route.hold_for or 0)
        if row["finding_state"] == "closed" and (row["closed_at"] is None or row["closed_at"] < until):
            return Reason.OVER
        return On(until, Reason.HOLD_FOR) if self._now < until else None

    def _timetable(self, name: str | None, finding: Finding) -> Timetable:
        known = self._routes.get(name) if name else None
        key = (None if known is None else known.id, finding.severity)
        if key not in self._timetables:
            route = known or self._centre.messages.by_severity(finding.severity)
            self._timetables[key] = Timetable(route, finding.severity, self._centre)
        return self._timetables[key]


def _begin(connection: Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """What leaves sooner than was thought (a silence was ended) begins its course now; the escalation finds the moments."""
    findings = sorted(
        {row["finding_id"] for row in rows if row["finding_id"] is not None and row["why"] not in _AGAIN}
    )
    connection.execute(
        "update escalation set since = %(now)s, next_at = %(now)s where finding_id in ("
        " select finding_id from escalation where finding_id = any(%(findings)s) and since > %(now)s order by finding_id"
        " for update skip locked)",
        {"now": now, "findings": findings},
    )


def _refusal(row: Mapping[str, Any], error: Exception, now: datetime) -> Refusal:
    key = str(row["idempotency_key"])
    log.error("message %s cannot be let go: %r", row["message_id"], error, exc_info=error)
    return Refusal("rules", key.encode(), "release_failed", f"cannot be let go: {error!r}"[:1000], at=now)


def template_of(gather: str) -> str:
    """Which digest those that waited under a name make."""
    if gather.endswith(CORRECTIONS):
        return "digest.corrections"
    return "digest.flood" if gather in (Reason.FLOOD, Reason.BUDGET) else "digest.group"


def digest_params(
    rows: Iterable[Mapping[str, Any]], centre: Centre, desk: str, now: datetime
) -> dict[str, Any]:
    """What a digest of these rows says: of findings, each counted once, and the keys of the messages it stands for."""
    rows = list(rows)
    findings = {row["finding_id"]: row for row in rows if row["finding_id"] is not None}
    worst = sorted(
        findings.values(),
        key=lambda row: (-SEVERITIES.index(row["severity"]), row["opened_at"], row["finding_id"]),
    )
    counts = {severity: sum(row["severity"] == severity for row in worst) for severity in SEVERITIES}

    def local(at: datetime) -> str:
        return at.astimezone(centre.zone).isoformat(timespec="seconds")

    return {
        "centre_name": centre.centre.name,
        "counts": counts,
        "total": len(findings),
        "worst": [named(row, centre, times) for row, times in first_of_each(worst)],
        "since": local(min(row["created_at"] for row in rows)),
        "until": local(now),
        "desk": desk,
        "told": [row["idempotency_key"] for row in rows][:MOST_KEYS],
        "written_at": local(now),
    }


def _finding(row: Mapping[str, Any]) -> Finding:
    """As far as silences and routes ask."""
    return Finding(
        row["finding_id"], row["rule"], row["severity"], row["centre"], row["opened_at"], row["case_id"], row["item"],
        row["window_id"], state=row["finding_state"], explain={"staff": row["staff"]} if row["staff"] else {},
    )  # fmt: skip


__all__ = ["Judge", "On", "Release", "Released", "digest_params", "template_of"]
