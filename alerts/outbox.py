"""The outbox table: written with the finding, leased, confirmed. Every statement that touches it is here, but for what comes
after: receipts and replies (:mod:`alerts.receipts`, :mod:`alerts.replies`).

Two clocks, never mixed: when to try, how long a lease holds and when to give up are real seconds, counted by the
database (the gateway is real, and all senders share one clock); when a message was written, sent or acknowledged
is the system's clock, which a demo runs faster.

States: ready → leased → sent → delivered | undelivered | unknown, which receipts decide; dead = given up, with the reason;
skipped = never meant to be sent, with the reason. A lease is committed before the message is sent. Whoever confirms must still hold it: ``attempts`` is the
fence, since every new lease counts it up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.messages import mask_phone
from alerts.routing import OutboxRow, Plan, Reason, Recipient, Skipped
from domain.chain import Entry
from store import Connection, chain

CHANNEL = "mingjing"
#: How long a message is worth sending, in real time.
GIVE_UP_AFTER = timedelta(hours=24)
#: Starts ``last_error`` where the gateway may have taken the message all the same.
UNCLEAR = "unclear: "
#: Roles among the signs of life: while the first is there no message leaves; the second says when a backup was restored.
HOLD, RESTORED = "hold", "restore"
CORRECTION = "finding.correction"
STATES = ("ready", "leased", "sent", "delivered", "undelivered", "unknown", "dead", "skipped")

_INSERT = """
insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, params, state, reason,
                    next_try_at, give_up_at, created_at, ack_token, ack_expires_at)
select k, f, c, p, t, h, m, d::jsonb, s, r, now() + make_interval(secs => w), now() + make_interval(secs => g), a, x, y
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::float8[], %s::float8[], %s::timestamptz[], %s::text[], %s::timestamptz[])
     with ordinality as u (k, f, c, p, t, h, m, d, s, r, w, g, a, x, y, n)
order by n
on conflict (idempotency_key) do nothing
"""

# now(), not clock_timestamp(), against next_try_at: a volatile function cannot be looked up in an index.
_LEASE = """
with due as (
    select o.message_id, o.state = 'leased' or coalesce(o.last_error like %(unclear)s, false) as unclear,
           o.last_error is not null as asked,
           coalesce((f.state = 'revoked') <> (o.template = %(correction)s), false) as obsolete,
           coalesce(coalesce(f.opened_at, o.created_at) <= (
               select max(real_at) from heartbeat where role = %(restored)s), false) as before_restore
    from outbox o left join finding f on f.finding_id = o.finding_id
    where o.state in ('ready', 'leased') and o.next_try_at <= now() and o.give_up_at > now()
      and (o.state = 'ready' or o.leased_until < clock_timestamp()) and o.channel = %(channel)s
      and not exists (select 1 from heartbeat where role = %(hold)s)
      and not ((o.template = %(correction)s or o.params ->> 'step' like 'reopened%%') and exists (
          select 1 from outbox e where e.finding_id = o.finding_id and e.person = o.person
          and e.state = 'leased' and e.leased_until > clock_timestamp() and e.message_id < o.message_id))
    order by o.next_try_at, o.message_id limit %(limit)s for update of o skip locked)
update outbox o
set state = case when gone then 'skipped' else 'leased' end,
    reason = case when gone and o.template = %(correction)s then 'reopened' when gone then 'revoked' end,
    leased_by = case when gone then null else %(by)s end,
    leased_until = case when gone then null else clock_timestamp() + %(span)s end,
    attempts = attempts + case when gone then 0 else 1 end
from (select message_id, obsolete, unclear or before_restore as in_doubt,
             obsolete and not (unclear or (before_restore and not asked)) as gone from due) as due
where o.message_id = due.message_id
returning o.message_id, o.idempotency_key, o.finding_id, o.phone, o.channel, o.template, o.params, o.attempts,
          o.created_at, o.ack_token, due.in_doubt, due.obsolete, due.gone
"""

_HELD = "message_id = %(id)s and state = 'leased' and leased_by = %(by)s and attempts = %(attempts)s"


@dataclass(frozen=True, slots=True)
class Leased:
    """A message this sender may send now.

    ``in_doubt``: an earlier try may have reached the gateway, also one that a restored backup knows nothing of; ask before
    sending again, where the hook can.
    ``obsolete``: no longer true, so never to be sent; in doubt it is leased only to learn whether it has been.
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


def insert_rows(connection: Connection, rows: Plan, *, give_up_after: timedelta = GIVE_UP_AFTER) -> int:
    """Writes a plan, in its order, inside the caller's transaction; a key that is already there is left as it is.

    Returns:
        How many entries were new (messages and kept skips).
    """
    values = [_values(row, give_up_after) for row in rows if isinstance(row, OutboxRow) or row.kept]
    if not values:
        return 0
    columns = [list(column) for column in zip(*values, strict=True)]
    written = connection.execute(_INSERT, columns).rowcount
    notify(connection)
    return written


def _values(row: OutboxRow | Skipped, give_up_after: timedelta) -> tuple[Any, ...]:
    common = (row.idempotency_key, row.finding_id, row.centre, row.person)
    params, give_up = json.dumps(row.params), give_up_after.total_seconds()
    if isinstance(row, Skipped):
        rest: tuple[Any, ...] = ("", "none", row.template, params, "skipped", row.reason.value)
        return (*common, *rest, 0.0, give_up, row.created_at, None, None)
    rest = (row.phone, row.channel, row.template, params, "ready", None)
    hold = row.hold.total_seconds()
    return (*common, *rest, hold, give_up, row.created_at, row.ack_digest, row.ack_expires_at)


def notify(connection: Connection, table: str = "outbox") -> None:
    """Wakes whoever listens, once the transaction is committed."""
    connection.execute("select pg_notify(%s, %s)", (CHANNEL, table))


def withdraw_cards(connection: Connection, finding_id: str) -> int:
    """Takes back what waits to be sent about a finding that is revoked; what is being sent right now, or may have been
    sent, is left alone: the sender finds out."""
    return _withdraw(connection, finding_id, "template <> %s", Reason.REVOKED)


def withdraw_corrections(connection: Connection, finding_id: str) -> int:
    """The same for the corrections of a finding that stands after all."""
    return _withdraw(connection, finding_id, "template = %s", Reason.REOPENED)


def _withdraw(connection: Connection, finding_id: str, which: str, reason: Reason) -> int:
    cursor = connection.execute(
        f"update outbox set state = 'skipped', reason = %s where finding_id = %s and state = 'ready' and {which}"
        " and (last_error is null or last_error not like %s)",
        (reason.value, finding_id, CORRECTION, UNCLEAR + "%"),
    )
    return cursor.rowcount


def told_recipients(connection: Connection, finding_id: str, *, waiting: bool = False) -> list[Recipient]:
    """Who was, or may have been, told of a finding and has not been told since that it is revoked.

    ``waiting``: also those whose message waits to be sent.
    """
    rows = connection.execute(
        """
        select person, phone from (
            select distinct on (person) person, phone, template, message_id from outbox
            where finding_id = %(finding)s
              and (state in ('leased', 'sent', 'delivered', 'undelivered', 'unknown') or last_error like %(unclear)s
                   or (state = 'ready' and (%(waiting)s or template = %(correction)s)))
            order by person, message_id desc) newest
        where template <> %(correction)s order by message_id
        """,
        {"finding": finding_id, "unclear": UNCLEAR + "%", "waiting": waiting, "correction": CORRECTION},
    )
    return [Recipient(person, phone) for person, phone in rows]


def lease(connection: Connection, *, channel: str, limit: int, by: str, seconds: float) -> list[Leased]:
    """Takes up to ``limit`` messages of a channel that are due, for ``seconds`` of real time. Commit before sending.

    What a revocation (or its undoing) has made untrue is taken out of the queue on the way: after a correction, the
    card itself must not arrive. For the same reason a correction waits while its card is being sent. What may have
    arrived before is not called skipped unasked: a phone may show it.
    """
    values = {"channel": channel, "limit": limit, "by": by, "span": timedelta(seconds=seconds)}
    values |= {"correction": CORRECTION, "hold": HOLD, "restored": RESTORED, "unclear": UNCLEAR + "%"}
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
            where {_HELD} returning centre, person
            """,
            _held(message) | values,
        ).fetchone()
        if row is not None:
            _keep(connection, message, row, state, {"gateway": provider_id}, at)
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
    connection: Connection, message: Leased, *, error: str, seconds: float, at: datetime | None = None
) -> bool:
    """Passing failure: ready again after ``seconds``, or dead if that is after its own deadline; ``at`` as in :func:`bury`."""
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
            _keep(connection, message, row[:2], "dead", {"reason": "gave_up"}, at or message.created_at)
    return row is not None


def bury(
    connection: Connection, message: Leased, *, reason: str, error: str, at: datetime | None = None
) -> bool:
    """Permanent failure: dead, with a named reason and the gateway's words; ``at``: the system's clock."""
    with connection.transaction():
        row = connection.execute(
            f"""
            update outbox set state = 'dead', reason = %(reason)s, last_error = %(error)s, leased_by = null,
                              leased_until = null
            where {_HELD} returning centre, person
            """,
            _held(message) | {"reason": reason, "error": error},
        ).fetchone()
        if row is not None:
            _keep(connection, message, row, "dead", {"reason": reason}, at or message.created_at)
    return row is not None


def bury_overdue(connection: Connection, at: datetime | None = None) -> int:
    """Messages whose own deadline has passed while nobody sent them (no sender ran, no hook for their channel).

    ``at``: the system's clock; without it the chain says when each was written.
    """
    with connection.transaction():
        rows = connection.execute(
            """
            update outbox set state = 'dead', reason = 'gave_up', leased_by = null, leased_until = null
            where state in ('ready', 'leased') and give_up_at <= clock_timestamp()
              and (state = 'ready' or leased_until < clock_timestamp())
              and not exists (select 1 from heartbeat where role = %s)
            returning centre, message_id, finding_id, idempotency_key, person, phone, template, created_at
            """,
            (HOLD,),
        ).fetchall()
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
            payload |= {"template": template, "written_at": written}
            entry = Entry("message.dead", f"message:{message}", payload, finding)
            chain.append(connection, centre, [entry], at or written)
    return len(rows)


def hold_messages(connection: Connection, why: str) -> None:
    """From the commit on no sender takes a message, until :func:`release_messages`; none dies of waiting meanwhile."""
    connection.execute(
        """
        insert into heartbeat (role, instance, at, detail) values (%s, 'messages', now(), %s)
        on conflict (role, instance) do update set at = excluded.at, real_at = now(), detail = excluded.detail
        """,
        (HOLD, Jsonb({"why": why})),
    )


def held(connection: Connection) -> tuple[datetime, str] | None:
    """Since when no message leaves, and why; None while they do."""
    row = connection.execute(
        "select real_at, coalesce(detail ->> 'why', '') from heartbeat where role = %s", (HOLD,)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def release_messages(connection: Connection, *, give_up_after: timedelta = GIVE_UP_AFTER) -> int | None:
    """Lets messages go again, each with its whole time before it; returns how many wait, None if none were held."""
    if connection.execute("delete from heartbeat where role = %s", (HOLD,)).rowcount == 0:
        return None
    cursor = connection.execute(
        "update outbox set give_up_at = greatest(give_up_at, now() + %s) where state in ('ready', 'leased')",
        (give_up_after,),
    )
    notify(connection)
    return cursor.rowcount


def list_dead(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Messages that were given up, newest first, with the reason and the gateway's words; numbers are masked."""
    return list_messages(connection, "dead", limit)


def list_messages(connection: Connection, state: str, limit: int = 100) -> list[dict[str, Any]]:
    """Messages in a state, newest first; numbers are masked."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select idempotency_key, finding_id, person, phone, channel, template, state, reason, last_error, attempts,
                   created_at, sent_at, fate_code
            from outbox where state = %s order by message_id desc limit %s
            """,
            (state, limit),
        ).fetchall()
    return [row | {"phone": mask_phone(row["phone"])} for row in rows]


def revive(
    connection: Connection, keys: Sequence[str], *, give_up_after: timedelta = GIVE_UP_AFTER
) -> list[str]:
    """Makes dead messages ready again once their cause is mended. Same idempotency keys: nothing is sent twice."""
    rows = connection.execute(
        """
        update outbox set state = 'ready', reason = null, attempts = 0, next_try_at = now(), give_up_at = now() + %s
        where state = 'dead' and idempotency_key = any(%s) returning idempotency_key
        """,
        (give_up_after, list(keys)),
    ).fetchall()
    notify(connection)
    return [key for (key,) in rows]


def counts(connection: Connection, keys: Iterable[str] | None = None) -> dict[str, int]:
    """How many messages are in each state; skips count as ``skipped:<reason>``, the dead as ``dead:<reason>``."""
    rows = connection.execute(
        """
        select case when reason is null then state else state || ':' || reason end, count(*) from outbox
        where %(keys)s::text[] is null or idempotency_key = any(%(keys)s) group by 1
        """,
        {"keys": None if keys is None else list(keys)},
    )
    return dict(rows.fetchall())


def beat(connection: Connection, *, instance: str, at: datetime, detail: dict[str, Any]) -> None:
    """The sender's sign of life."""
    connection.execute(
        """
        insert into heartbeat (role, instance, at, real_at, detail) values ('sender', %s, %s, clock_timestamp(), %s)
        on conflict (role, instance) do update set at = excluded.at, real_at = excluded.real_at, detail = excluded.detail
        """,
        (instance, at, Jsonb(detail)),
    )


def messages_of(
    connection: Connection, finding_ids: Sequence[str], *, people: bool = False
) -> list[dict[str, Any]]:
    """What became of the messages of findings, oldest first; numbers are masked.

    Args:
        people: with the ids of those told and what they sent back, for a reader who may know; without them names are left out.
    """
    replies = (
        "array(select text from reply r where r.message_id = outbox.message_id order by reply_id) as replies,"
        if people
        else ""
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"""
            select message_id, finding_id, {"person, " if people else ""}channel, template, phone, state, reason, attempts,
                   {replies} fate_code, created_at, sent_at, delivered_at, acknowledged_at
            from outbox where finding_id = any(%s) order by message_id limit 200
            """,
            (list(finding_ids),),
        ).fetchall()
    return [row | {"phone": mask_phone(row["phone"]) if row["phone"] else None} for row in rows]
