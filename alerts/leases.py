"""Leases on messages, and what became of those that were leased: handed over, tried later, given up.

A lease is committed before the message is sent. Whoever confirms must still hold it: ``attempts`` is the fence, since every new
lease counts it up. When to try, how long a lease holds and when to give up are real seconds of the database's clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.rows import dict_row

from alerts.messages import mask_phone
from alerts.states import AGAIN, CORRECTION, HOLD, RESTORED, UNCLEAR
from domain.chain import Entry
from domain.finding_life import STEPS
from store import Connection, chain

#: Sends a message whose outcome is written on by its next channel, in the same transaction; returns that channel
#: (:class:`alerts.next_channel.NextChannel`).
Follow = Callable[[Connection, int, datetime], str | None]

# now(), not clock_timestamp(), against next_try_at: a volatile function cannot be looked up in an index.
_LEASE = """
with due as (
    select o.message_id, o.state = 'leased' or coalesce(o.last_error like %(unclear)s, false) as unclear,
           o.last_error is not null as asked,
           case when o.template = %(correction)s then case when f.state <> 'revoked' then 'reopened' end
                when f.state = 'revoked' then 'revoked'
                when not (%(steps)s::jsonb -> (o.params ->> 'late')) ? f.life then 'over'
                when o.template <> all(%(again)s) then null
                when f.state = 'closed' and (f.severity = 'notice' or o.params ->> 'until' is distinct from 'answered') then 'over'
                when f.life <> 'open' and not (f.life = 'acknowledged' and o.params ->> 'until' = 'answered') then 'acknowledged'
           end as ended,
           coalesce(coalesce(f.opened_at, (select min(e.created_at) from outbox e where e.digest_id = o.message_id),
                             o.created_at) <= (
               select max(real_at) from heartbeat where role = %(restored)s), false) as before_restore
    from outbox o left join finding f on f.finding_id = o.finding_id
    where o.state in ('ready', 'leased') and o.next_try_at <= now() and o.give_up_at > now()
      and (o.state = 'ready' or o.leased_until < clock_timestamp()) and o.channel = %(channel)s
      and not exists (select 1 from heartbeat where role = %(hold)s)
      and not exists (select 1 from channel_state where channel = %(channel)s)
      and not ((o.template = %(correction)s or o.params ->> 'step' like 'reopened%%') and exists (
          select 1 from outbox e where e.finding_id = o.finding_id and e.person = o.person
          and e.state = 'leased' and e.leased_until > clock_timestamp() and e.message_id < o.message_id))
      and not (o.template = %(correction)s and exists (
          select 1 from outbox e join outbox d on d.message_id = e.digest_id
          where e.finding_id = o.finding_id and e.person = o.person and e.state = 'gathered' and d.state in ('held', 'ready', 'leased')
          and d.message_id < o.message_id))
    order by o.next_try_at, o.message_id limit %(limit)s for update of o skip locked)
update outbox o
set state = case when gone then 'skipped' else 'leased' end,
    reason = case when gone then ended end,
    leased_by = case when gone then null else %(by)s end,
    leased_until = case when gone then null else clock_timestamp() + %(span)s end,
    attempts = attempts + case when gone then 0 else 1 end,
    first_try_at = case when gone then first_try_at else coalesce(first_try_at, clock_timestamp()) end,
    detail = detail || case when in_doubt and not obsolete and not %(certain)s
        then '{"perhaps_twice": true}'::jsonb else '{}' end
from (select message_id, ended, ended is not null as obsolete, unclear or before_restore as in_doubt,
             ended is not null and not (unclear or (before_restore and not asked)) as gone from due) as due
where o.message_id = due.message_id
returning o.message_id, o.idempotency_key, o.finding_id, o.phone, o.channel, o.template, o.params, o.attempts,
          o.created_at, o.ack_token, due.in_doubt, due.obsolete, due.gone, o.fallback <> '[]' as has_next,
          coalesce(extract(epoch from clock_timestamp() - o.first_try_at), 0)::float8 as tried_for
"""

#: Step that may be late → states of a finding in which it is still awaited.
_STEPS = json.dumps({step: sorted(rule.states) for step, rule in STEPS.items()})
_HELD = "message_id = %(id)s and state = 'leased' and leased_by = %(by)s and attempts = %(attempts)s"


@dataclass(frozen=True, slots=True)
class Leased:
    """A message this sender may send now.

    ``in_doubt``: an earlier try may have reached the gateway, also one that a restored backup knows nothing of; ask before
    sending again, where the hook can.
    ``obsolete``: no longer true, so never to be sent; in doubt it is leased only to learn whether it has been.
    ``has_next``: it can go on by another channel. ``tried_for``: real seconds since its first try.
    """

    message_id: int
    idempotency_key: str
    finding_id: str | None
    phone: str
    channel: str
    template: str
    params: dict[str, Any]
    attempts: int
    created_at: datetime
    leased_by: str
    has_ack: bool
    in_doubt: bool
    obsolete: bool
    has_next: bool = False
    tried_for: float = 0.0


def lease(
    connection: Connection, *, channel: str, limit: int, by: str, seconds: float, certain: bool = True
) -> list[Leased]:
    """Takes up to ``limit`` messages of a channel that are due, for ``seconds`` of real time. Commit before sending.

    What a revocation (or its undoing) has made untrue is taken out of the queue on the way: after a correction, the
    card itself must not arrive; nor a reminder, after somebody has acted. For the same reason a correction waits while its card is being sent, and for a digest that tells of it. What may have
    arrived before is not called skipped unasked: a phone may show it.

    Args:
        certain: :func:`alerts.hooks.base.is_certain` of its hook. Otherwise a message in doubt is marked ``perhaps_twice`` before
            it is sent again, whatever becomes of this sender.
    """
    values = {
        "channel": channel,
        "limit": limit,
        "by": by,
        "span": timedelta(seconds=seconds),
        "certain": certain,
    }
    values |= {
        "correction": CORRECTION,
        "again": list(AGAIN),
        "steps": _STEPS,
        "hold": HOLD,
        "restored": RESTORED,
        "unclear": UNCLEAR + "%",
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        while limit > 0:
            rows = cursor.execute(_LEASE, values).fetchall()
            taken = [row for row in rows if not row.pop("gone")]
            if taken or not rows:
                return [_leased(row, by) for row in sorted(taken, key=lambda row: row["message_id"])]
    return []


def _leased(row: dict[str, Any], by: str) -> Leased:
    has_ack = row.pop("ack_token") is not None
    return Leased(**row, leased_by=by, has_ack=has_ack)


def _held(message: Leased) -> dict[str, Any]:
    return {"id": message.message_id, "by": message.leased_by, "attempts": message.attempts}


def confirm(
    connection: Connection,
    message: Leased,
    *,
    provider_id: str | None,
    at: datetime,
    delivered: bool,
    ask_after: float | None = None,
) -> bool:
    """The gateway has it. False: the lease was lost, and the row is left to who holds it now.

    Args:
        ask_after: real seconds after which somebody asks, if no receipt has come; None: none is expected.
    """
    state = "delivered" if delivered else "sent"
    values: dict[str, Any] = {
        "state": state,
        "provider": provider_id,
        "at": at,
        "done": at if delivered else None,
    }
    values["patience"] = None if ask_after is None or delivered else timedelta(seconds=ask_after)
    with connection.transaction():
        row = connection.execute(
            f"""
            update outbox set state = %(state)s, provider_id = %(provider)s, sent_at = %(at)s, delivered_at = %(done)s,
                              handed_at = clock_timestamp(), ask_at = clock_timestamp() + %(patience)s::interval,
                              leased_by = null, leased_until = null, last_error = null, reason = null
            where {_HELD} returning centre, person, detail ? 'perhaps_twice'
            """,
            _held(message) | values,
        ).fetchone()
        if row is not None:
            twice = {"perhaps_twice": True} if row[2] else {}
            _keep(connection, message, row[:2], state, {"gateway": provider_id} | twice, at)
    return row is not None


def _keep(
    connection: Connection,
    message: Leased,
    row: tuple[str, str],
    became: str,
    detail: dict[str, Any],
    at: datetime,
) -> None:
    """What became of a message, for the evidence chain: who was told what, and no whole number."""
    payload = {
        "message": message.message_id, "key": message.idempotency_key, "person": row[1],
        "phone": mask_phone(message.phone), "channel": message.channel, "template": message.template,
        "params": message.params, "written_at": message.created_at, "tries": message.attempts, **detail,
    }  # fmt: skip
    subject = f"message:{message.message_id}"
    chain.append(connection, row[0], [Entry(f"message.{became}", subject, payload, message.finding_id)], at)


def try_later(
    connection: Connection,
    message: Leased,
    *,
    error: str,
    seconds: float,
    at: datetime | None = None,
    follow: Follow | None = None,
) -> bool:
    """Passing failure: ready again after ``seconds``, or dead if that is after its own deadline; ``at``, ``follow`` as in
    :func:`bury`."""
    with connection.transaction():
        row = connection.execute(
            f"""
            update outbox
            set state = case when clock_timestamp() + %(wait)s < give_up_at then 'ready' else 'dead' end,
                reason = case when clock_timestamp() + %(wait)s < give_up_at then null else 'gave_up' end,
                next_try_at = clock_timestamp() + %(wait)s, last_error = %(error)s, leased_by = null, leased_until = null
            where {_HELD} returning centre, person, state
            """,
            _held(message) | {"wait": timedelta(seconds=seconds), "error": error},
        ).fetchone()
        if row is not None and row[2] == "dead":
            now = at or message.created_at
            detail = {"reason": "gave_up"} | _follow(connection, message.message_id, now, follow)
            _keep(connection, message, row[:2], "dead", detail, now)
    return row is not None


def bury(
    connection: Connection,
    message: Leased,
    *,
    reason: str,
    error: str,
    at: datetime | None = None,
    state: Literal["dead", "unknown"] = "dead",
    follow: Follow | None = None,
) -> bool:
    """Given up by this channel, with a named reason and the gateway's words.

    Args:
        at: the system's clock.
        state: ``unknown`` where the gateway may have it.
        follow: sends it on by its next channel.
    """
    with connection.transaction():
        row = connection.execute(
            f"""
            update outbox set state = %(state)s, reason = %(reason)s, last_error = %(error)s, leased_by = null,
                              leased_until = null
            where {_HELD} returning centre, person
            """,
            _held(message) | {"state": state, "reason": reason, "error": error},
        ).fetchone()
        if row is not None:
            now = at or message.created_at
            detail = {"reason": reason} | _follow(connection, message.message_id, now, follow)
            _keep(connection, message, row, state, detail, now)
    return row is not None


def _follow(
    connection: Connection, message_id: int, now: datetime, follow: Follow | None
) -> dict[str, str | None]:
    """Before the chain is written, which is locked last."""
    return {} if follow is None else {"next": follow(connection, message_id, now)}


def bury_overdue(connection: Connection, at: datetime | None = None, *, follow: Follow | None = None) -> int:
    """Messages whose own deadline has passed while nobody sent them (no sender ran, no hook for their channel). Those of a
    channel that is off wait until it is on again.

    ``at``: the system's clock; without it the chain says when each was written.
    """
    with connection.transaction():
        rows = connection.execute(
            """
            update outbox set state = 'dead', reason = 'gave_up', leased_by = null, leased_until = null
            where state in ('ready', 'leased') and give_up_at <= clock_timestamp()
              and (state = 'ready' or leased_until < clock_timestamp())
              and not exists (select 1 from heartbeat where role = %s)
              and not exists (select 1 from channel_state c where c.channel = outbox.channel)
            returning centre, message_id, finding_id, idempotency_key, person, phone, template, created_at
            """,
            (HOLD,),
        ).fetchall()
        after = {row[1]: _follow(connection, row[1], at or row[7], follow) for row in rows}
        # Sorted: chains are locked in one order.
        for centre, message, finding, key, person, phone, template, written in sorted(
            rows, key=lambda row: row[:2]
        ):
            payload = {
                "message": message,
                "key": key,
                "person": person,
                "phone": mask_phone(phone),
                "reason": "gave_up",
            }
            payload |= {"template": template, "written_at": written} | after[message]
            entry = Entry("message.dead", f"message:{message}", payload, finding)
            chain.append(connection, centre, [entry], at or written)
    return len(rows)
