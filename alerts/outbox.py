"""The outbox table: written with the finding, read by whoever wants to know what became of it. Taking messages from it and
writing down how sending ended is in :mod:`alerts.leases`; what comes after in :mod:`alerts.receipts`, :mod:`alerts.replies`.

Two clocks, never mixed: when to try, how long a lease holds and when to give up are real seconds, counted by the
database (the gateway is real, and all senders share one clock); when a message was written, sent, acknowledged or is held until
is the system's clock, which a demo runs faster.

States: held → ready → leased → sent → delivered | undelivered | unknown, which receipts decide; dead = given up, with the reason;
skipped = never meant to be sent, with the reason; gathered = told in another message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.leases import Leased, bury, bury_overdue, confirm, lease, try_later
from alerts.messages import mask_phone
from alerts.pipeline.draft import Draft, Recipient
from alerts.pipeline.match import short_params
from alerts.reasons import Reason
from alerts.states import CHANNEL, CORRECTION, DAILY, GIVE_UP_AFTER, HOLD, RESTORED, STATES, UNCLEAR, notify
from store import Connection

__all__ = [
    "CHANNEL", "CORRECTION", "GIVE_UP_AFTER", "HOLD", "RESTORED", "STATES", "UNCLEAR", "Leased", "beat", "bury",
    "bury_overdue", "confirm", "corrected_people", "counts", "held", "hold_messages", "insert_rows", "lease", "list_dead", "list_messages",
    "messages_of", "notify", "release_messages", "revive", "told_recipients", "try_later", "withdraw_cards",
    "withdraw_corrections",
]  # fmt: skip

# One document and not twenty arrays: what is quoted letter by letter for an array takes longer than all the rest.
_INSERT = """
insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, params, state, reason,
                    next_try_at, give_up_at, created_at, ack_token, ack_expires_at, why, route, level, detail, fallback,
                    held_until, gather)
select key, finding, centre, person, phone, channel, template, params, state, reason, now() + make_interval(secs => delay),
       now() + %s, created_at, ack, ack_expires_at, why, route, level, detail, fallback, held_until, gather
from rows from (jsonb_to_recordset(%s::jsonb) as (
    key text, finding text, centre text, person text, phone text, channel text, template text, params jsonb, state text,
    reason text, delay float8, created_at timestamptz, ack text, ack_expires_at timestamptz, why text, route text, level int,
    detail jsonb, fallback jsonb, held_until timestamptz, gather text))
    with ordinality as u (key, finding, centre, person, phone, channel, template, params, state, reason, delay, created_at, ack,
                          ack_expires_at, why, route, level, detail, fallback, held_until, gather, n)
order by n
on conflict (idempotency_key) do nothing
"""
_STATE = {"send": "ready", "hold": "held", "skip": "skipped"}
#: Told, or on the way beyond recall; a message told in another one goes with that.
_GONE = ("leased", "sent", "delivered", "undelivered", "unknown")
#: … and as far as is known it arrives.
_ARRIVES = ("leased", "sent", "delivered")


def insert_rows(
    connection: Connection, drafts: Sequence[Draft], *, give_up_after: timedelta = GIVE_UP_AFTER
) -> int:
    """Writes drafts, in their order, inside the caller's transaction; a key that is already there is left as it is.

    Returns:
        How many entries were new (messages, also those that wait, and kept skips).
    """
    rows = [_row(draft) for draft in drafts if draft.kept]
    if not rows:
        return 0
    written = connection.execute(_INSERT, (give_up_after, json.dumps(rows, ensure_ascii=False))).rowcount
    notify(connection)
    return written


def _row(draft: Draft) -> dict[str, Any]:
    common = {
        "key": draft.key,
        "finding": draft.finding.finding_id,
        "centre": draft.finding.centre,
        "person": draft.person,
        "template": draft.template,
        "state": _STATE[draft.verdict],
        "reason": None if draft.reason is None else draft.reason.value,
        "delay": draft.delay.total_seconds(),
        "created_at": draft.created_at.isoformat(),
        "why": draft.news.why.value,
        "route": draft.route.id,
        "level": draft.news.level,
        "detail": draft.detail,
    }
    if draft.skipped:
        # Nobody needs the number of somebody who is not told.
        return common | {"phone": "", "channel": "none", "params": short_params(draft), "fallback": []}
    return common | {
        "phone": draft.phone,
        "channel": draft.channel,
        "params": draft.params,
        "fallback": draft.addresses[1:],
        "ack": draft.ack_digest,
        "ack_expires_at": None if draft.ack_expires_at is None else draft.ack_expires_at.isoformat(),
        "held_until": None if draft.until is None else draft.until.isoformat(),
        "gather": draft.gather,
    }


def withdraw_cards(connection: Connection, findings: Sequence[str]) -> int:
    """Takes back what waits to be sent about findings that are revoked; what is being sent right now, or may have been
    sent, is left alone: the sender finds out."""
    return _withdraw(connection, findings, "template <> %s", Reason.REVOKED)


def withdraw_corrections(connection: Connection, findings: Sequence[str]) -> int:
    """The same for the corrections of findings that stand after all."""
    return _withdraw(connection, findings, "template = %s", Reason.REOPENED)


def _withdraw(connection: Connection, findings: Sequence[str], which: str, reason: Reason) -> int:
    cursor = connection.execute(
        "update outbox set state = 'skipped', reason = %s where finding_id = any(%s) and state in ('ready', 'held')"
        f" and {which} and (last_error is null or last_error not like %s)",
        (reason.value, sorted(findings), CORRECTION, UNCLEAR + "%"),
    )
    return cursor.rowcount


def told_recipients(
    connection: Connection, findings: Sequence[str], *, waiting: bool = False, arrived: bool = False
) -> dict[str, tuple[Recipient, ...]]:
    """Who was, or may have been, told of each finding and has not been told since that it is revoked; also who was told in a
    message that gathers several, but not in the digest of a day, which tells by itself what was revoked.

    ``waiting``: also those whose message waits to be sent. ``arrived``: not those whose message is known not to have come, or
    of which nobody knows.
    """
    rows = connection.execute(
        """
        select finding_id, person, phone, channel, roles from (
            select distinct on (o.finding_id, o.person) o.finding_id, o.person, o.phone, o.channel,
                   coalesce(o.params -> 'roles', '[]') as roles, o.template, o.message_id
            from outbox o left join outbox d on d.message_id = o.digest_id
            where o.finding_id = any(%(findings)s)
              and (o.state = any(%(gone)s) or o.last_error like %(unclear)s
                   or (o.state in ('ready', 'held') and (%(waiting)s or o.template = %(correction)s))
                   or (o.state = 'gathered' and d.template <> %(daily)s
                       and (d.state = any(%(gone)s) or d.state in ('ready', 'held') or d.last_error like %(unclear)s)))
            order by o.finding_id, o.person, o.message_id desc) newest
        where template <> %(correction)s order by message_id
        """,
        {
            "findings": sorted(findings), "unclear": UNCLEAR + "%", "waiting": waiting, "correction": CORRECTION,
            "daily": DAILY, "gone": list(_ARRIVES if arrived else _GONE),
        },
    )  # fmt: skip
    told: dict[str, tuple[Recipient, ...]] = {}
    for finding, person, phone, channel, roles in rows:
        told[finding] = (*told.get(finding, ()), Recipient(person, phone, channel, tuple(roles)))
    return told


def corrected_people(connection: Connection, findings: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Who was, or may have been, told of each finding that it was revoked, and of nothing since."""
    rows = connection.execute(
        f"""
        select finding_id, person from (
            select distinct on (finding_id, person) finding_id, person, template, message_id from outbox
            where finding_id = any(%s) and (state in {_GONE} or state = 'gathered' or last_error like %s)
            order by finding_id, person, message_id desc) newest
        where template = %s order by message_id
        """,
        (sorted(findings), UNCLEAR + "%", CORRECTION),
    )
    people: dict[str, tuple[str, ...]] = {}
    for finding, person in rows:
        people[finding] = (*people.get(finding, ()), person)
    return people


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
        "update outbox set give_up_at = greatest(give_up_at, now() + %s), first_try_at = null"
        " where state in ('ready', 'leased')",
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
    """Makes dead messages ready again once their cause is mended. Same idempotency keys: nothing is sent twice. What went on by
    its next channel is not sent by the first one as well."""
    rows = connection.execute(
        """
        update outbox set state = 'ready', reason = null, attempts = 0, next_try_at = now(), give_up_at = now() + %s,
                          first_try_at = null
        where state = 'dead' and idempotency_key = any(%s)
          and not exists (select 1 from outbox f where f.follows = outbox.message_id)
        returning idempotency_key
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
    """What became of the messages of findings, oldest first; numbers are masked. With those in which others were told
    (``gathered``, their ``digest_id``), which are of no finding.

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
                   {replies} fate_code, created_at, sent_at, delivered_at, acknowledged_at, digest_id
            from outbox where finding_id = any(%(findings)s) or message_id = any(array(
                select digest_id from outbox where finding_id = any(%(findings)s) and digest_id is not null))
            order by message_id limit 200
            """,
            {"findings": list(finding_ids)},
        ).fetchall()
    return [row | {"phone": mask_phone(row["phone"]) if row["phone"] else None} for row in rows]
