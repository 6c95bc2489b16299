"""What becomes of a message that one channel did not bring: it goes on by the next, or the next person is due at once.

A follower is written in the transaction that ends its message, once (``follows`` is unique): whoever dies between the two has done
neither. It has a key, and so a link, of its own; the rows of both tell the story. What is no longer true does not go on: its
follower is written as skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import metrics
from alerts.messages import mask_phone
from alerts.reasons import Reason, Why
from alerts.rounds.quiet import Allowed
from alerts.rounds.schedule import over
from alerts.states import AGAIN, CORRECTION, GIVE_UP_AFTER, HOLD, UNCLEAR, notify
from domain.chain import Entry
from domain.finding_life import STEPS
from domain.findings import SEVERITIES
from store import Connection, chain

#: Why a message left a channel that did not refuse it: it was switched off; it failed and failed.
CHANNEL_OFF, CHANNEL_FAILING = "channel_off", "channel_failing"
#: Messages moved on in one transaction.
BATCH = 100

_ENDED = """
select o.message_id, o.idempotency_key, o.finding_id, o.template, o.params, o.ack_token is not null as has_ack, o.fallback,
       o.created_at, o.centre, o.route, f.state as finding_state, f.severity, f.life, f.acknowledged_at
from outbox o left join finding f on f.finding_id = o.finding_id where o.message_id = %s
"""
_FOLLOW = """
insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, params, state, reason, next_try_at,
                    give_up_at, created_at, ack_token, ack_expires_at, why, route, level, fallback, follows, held_until)
select %(key)s, finding_id, centre, person, %(address)s, %(channel)s, template, params, %(state)s, %(reason)s, now(),
       now() + %(span)s, %(now)s, %(token)s, case when %(token)s::text is not null then ack_expires_at end, %(why)s, route, level,
       %(rest)s, message_id, %(until)s
from outbox where message_id = %(id)s
on conflict do nothing
"""
_REST = """
update outbox set state = 'held', reason = 'quiet_hours', held_until = %(until)s
where message_id = %(id)s and state = 'ready' and coalesce(last_error not like %(unclear)s, true)
"""
# What waits for its first moment (a correction) is not moved before it; what waits for its next try is.
_LEAVE = """
with going as (
    select message_id, state = 'leased' or coalesce(last_error like %(unclear)s, false) as doubt from outbox
    where channel = %(channel)s and state in ('ready', 'leased') and fallback <> '[]'
      and (next_try_at <= now() or attempts > 0) and give_up_at > now()
      and (state = 'ready' or (state = 'leased' and leased_until < clock_timestamp()))
      and not exists (select 1 from heartbeat where role = %(hold)s)
      and (%(for_good)s or (state = 'ready' and coalesce(last_error not like %(unclear)s, true)
                            and coalesce(first_try_at, next_try_at) <= clock_timestamp() - %(waited)s))
    order by next_try_at, message_id limit %(limit)s for update skip locked)
update outbox o set state = case when doubt then 'unknown' else 'dead' end, reason = %(reason)s, leased_by = null,
                    leased_until = null
from going where o.message_id = going.message_id
returning o.centre, o.message_id, o.finding_id, o.idempotency_key, o.person, o.phone, o.channel, o.template, o.params, o.state,
          o.attempts, o.created_at
"""


@dataclass(frozen=True, slots=True)
class NextChannel:
    """Called for a message whose outcome has been written, in the same transaction.

    Args:
        digest: idempotency key → SHA-256 of the acknowledge token (:meth:`alerts.links.AckLinks.digest`).
        give_up_after: how long the follower is worth sending, in real time.
        allowed: when it may leave: what was sent in the evening does not ring a phone at night. None: at once.
    """

    digest: Callable[[str], str] = field(repr=False)
    give_up_after: timedelta = GIVE_UP_AFTER
    allowed: Allowed | None = None

    def __call__(self, connection: Connection, message_id: int, now: datetime) -> str | None:
        """Sends a message on; returns the channel, None where it goes no further.

        Args:
            now: the system's clock.
        """
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_ENDED, (message_id,)).fetchone()
        assert row is not None  # rows are never deleted
        if not row["fallback"]:
            _hurry(connection, row, now)
            return None
        (channel, address), *rest = row["fallback"]
        key, gone = f"{row['idempotency_key']}>{channel}", no_longer_true(row)
        until = None if gone is not None else self._waits_until(row, now)
        state, reason = ("ready", None) if until is None else ("held", Reason.QUIET_HOURS.value)
        written = connection.execute(
            _FOLLOW,
            {
                "until": until, "key": key, "address": address, "channel": channel, "rest": Jsonb(rest), "id": message_id, "now": now,
                "state": state if gone is None else "skipped", "reason": gone or reason, "span": self.give_up_after,
                "token": self.digest(key) if row["has_ack"] else None, "why": Why.NEXT_CHANNEL.value,
            },
        ).rowcount  # fmt: skip
        if not written or gone is not None:
            return None
        if row["template"].startswith("digest."):
            # What was gathered in it is told in its follower now.
            connection.execute(
                "update outbox set digest_id = (select message_id from outbox where follows = %(id)s) where digest_id = %(id)s",
                {"id": message_id},
            )
        metrics.NEXT_CHANNEL.labels(channel).inc()
        notify(connection)
        return str(channel)

    def rest(self, connection: Connection, message_id: int, at: datetime) -> datetime | None:
        """Lets a message that is to be tried again wait where it must not leave then; what may have arrived is left alone, for it
        has to be asked for.

        Args:
            at: its next try, on the system's clock.

        Returns:
            Until when it waits; None: it does not.
        """
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_ENDED, (message_id,)).fetchone()
        until = None if row is None else self._waits_until(row, at)
        if until is None:
            return None
        cursor = connection.execute(_REST, {"id": message_id, "until": until, "unclear": UNCLEAR + "%"})
        return until if cursor.rowcount else None

    def _waits_until(self, row: dict[str, Any], now: datetime) -> datetime | None:
        """Until when the next channel waits, if it does; then it is let go as everything that waits, if it is still true."""
        worst = row["severity"]
        if worst is None:
            counts = row["params"].get("counts") or {}
            worst = next((each for each in reversed(SEVERITIES) if counts.get(each)), None)
        if self.allowed is None or worst is None:
            return None  # about the system itself
        until = self.allowed(row["centre"], worst, row["route"], now)
        return until if until > now else None

    def leave(
        self,
        connection: Connection,
        channel: str,
        now: datetime,
        *,
        reason: str,
        waited: float = 0.0,
        limit: int = BATCH,
    ) -> int:
        """Sends on what waits for a channel and has another one: all of it where the channel is off, otherwise what has
        waited for so many real seconds and has certainly not left. Returns how many went.

        What has no other channel stays, and uses up no tries.
        """
        values = {
            "channel": channel, "unclear": UNCLEAR + "%", "hold": HOLD, "for_good": reason == CHANNEL_OFF,
            "waited": timedelta(seconds=waited), "limit": limit, "reason": reason,
        }  # fmt: skip
        with connection.transaction():
            with connection.cursor(row_factory=dict_row) as cursor:
                rows = cursor.execute(_LEAVE, values).fetchall()
            rows.sort(key=lambda row: (row["centre"], row["message_id"]))  # chains are locked in one order
            after = {row["message_id"]: self(connection, row["message_id"], now) for row in rows}
            for centre in dict.fromkeys(row["centre"] for row in rows):
                entries = [
                    _entry(row, reason, after[row["message_id"]]) for row in rows if row["centre"] == centre
                ]
                chain.append(connection, centre, entries, now)
        return len(rows)


def unserved(connection: Connection, served: Collection[str], waited: float) -> list[str]:
    """Channels that nobody here knows (taken out of the file of channels) and that have let messages with another one wait for so
    many real seconds."""
    rows = connection.execute(
        "select distinct channel from outbox where state = 'ready' and fallback <> '[]' and channel <> all(%s)"
        " and next_try_at < now() - %s",
        (list(served), timedelta(seconds=waited)),
    )
    return [channel for (channel,) in rows]


def no_longer_true(row: dict[str, Any]) -> str | None:
    """Why a message is not worth sending on, None where it is.

    Args:
        row: ``template``, ``params``, ``has_ack``, ``created_at``; of its finding ``finding_state``, ``severity``, ``life``, ``acknowledged_at``.
    """
    state = row["finding_state"]
    if state is None:
        return None  # of no finding: a digest, or about the system
    if row["template"] == CORRECTION:
        return None if state == "revoked" else Reason.REOPENED.value
    if state == "revoked":
        return Reason.REVOKED.value
    if row["severity"] == "notice" and state != "open":
        return Reason.OVER.value
    if row["template"] in AGAIN:
        ended = over(state, row["life"], row["params"].get("until") or "acknowledged", row["severity"])
        return None if ended is None else ended.value
    acted = row["acknowledged_at"]
    # Who acknowledged before this was written did not know of it: that a finding stands after all.
    if row["has_ack"] and acted is not None and acted >= row["created_at"]:
        return Reason.ACKNOWLEDGED.value
    late = row["params"].get("late")
    if late in STEPS and row["life"] not in STEPS[late].states:
        return Reason.OVER.value
    return None


def call_off(connection: Connection, message_id: int) -> bool:
    """A message has arrived after all: those that were to go in its place, if nobody has tried to send them yet, are not needed;
    and what they were to tell is told in it."""
    after = """
        with recursive later (message_id) as (
            select message_id from outbox where follows = %(id)s
            union all select o.message_id from outbox o join later on o.follows = later.message_id)
    """
    connection.execute(
        f"{after} update outbox set digest_id = %(id)s where digest_id in (select message_id from later)",
        {"id": message_id},
    )
    cursor = connection.execute(
        f"{after} update outbox set state = 'skipped', reason = %(reason)s where message_id in (select message_id from later)"
        " and state in ('ready', 'held') and attempts = 0",
        {"id": message_id, "reason": Reason.ALREADY_TOLD.value},
    )
    return cursor.rowcount > 0


def _hurry(connection: Connection, row: dict[str, Any], now: datetime) -> None:
    """Nobody has this finding's messages and no channel is left: whoever comes next is due now.

    The escalation is locked before it is asked who has a message: of two that fail at once the second sees the first.
    """
    if row["template"] == CORRECTION or row["finding_id"] is None:
        return
    due = connection.execute(
        "select next_at from escalation where finding_id = %s for update", (row["finding_id"],)
    ).fetchone()
    if due is None or due[0] <= now:
        return
    hurried = connection.execute(
        """
        update escalation e set next_at = %(now)s where e.finding_id = %(finding)s and not exists (
            select 1 from outbox o where o.finding_id = e.finding_id and o.template <> %(correction)s
            and o.state in ('held', 'ready', 'leased', 'sent', 'delivered', 'gathered'))
        """,
        {"now": now, "finding": row["finding_id"], "correction": CORRECTION},
    )
    if hurried.rowcount:
        notify(connection, "escalation")


def _entry(row: dict[str, Any], reason: str, channel: str | None) -> Entry:
    payload = {
        "message": row["message_id"], "key": row["idempotency_key"], "person": row["person"],
        "phone": mask_phone(row["phone"]), "channel": row["channel"], "template": row["template"], "params": row["params"],
        "written_at": row["created_at"], "tries": row["attempts"], "reason": reason, "next": channel,
    }  # fmt: skip
    return Entry(f"message.{row['state']}", f"message:{row['message_id']}", payload, row["finding_id"])


__all__ = ["BATCH", "CHANNEL_FAILING", "CHANNEL_OFF", "NextChannel", "call_off", "no_longer_true", "unserved"]
