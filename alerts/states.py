"""Words of the outbox that all who touch it share: states, marks, and how the others are woken."""

from __future__ import annotations

from datetime import timedelta

from store import Connection

CHANNEL = "mingjing"
#: How long a message is worth sending, in real time.
GIVE_UP_AFTER = timedelta(hours=24)
#: Starts ``last_error`` where the gateway may have taken the message all the same.
UNCLEAR = "unclear: "
#: Roles among the signs of life: while the first is there no message leaves; the second says when a backup was restored.
HOLD, RESTORED = "hold", "restore"
CORRECTION = "finding.correction"
#: What nobody needs to hear any more once somebody has acted.
AGAIN = ("finding.again", "finding.escalated")
DAILY = "digest.daily"
STATES = (
    "held", "ready", "leased", "sent", "delivered", "undelivered", "unknown", "dead", "skipped", "gathered",
)  # fmt: skip


def notify(connection: Connection, table: str = "outbox") -> None:
    """Wakes whoever listens, once the transaction is committed."""
    connection.execute("select pg_notify(%s, %s)", (CHANNEL, table))
