"""When cases must not be judged: while the store may not know yet what has happened to them.

A decision may lie unread in the log while its deadline passes here. A late card is better than a false one, so the rule
loop waits until the worker has caught up; the wall is grey meanwhile if it takes long.
"""

from __future__ import annotations

from typing import Literal

from store.connection import Connection
from store.judging import Kind

#: Real seconds without a sign of life of any worker (they beat each second) after which it counts as away.
WORKER_SILENT = 5.0
#: Records waiting in the log: a few batches.
BACKLOG = 2000
#: Kinds judged from events alone. Windows are not among them: absence counts only up to what the cameras have said.
HELD: frozenset[Kind] = frozenset(("case", "source", "subject"))
#: Real seconds until a held loop asks again.
HOLD = 0.2

Reason = Literal["worker_silent", "unread", "backlog"]
#: Why nothing at all is judged: the moment itself is in doubt (see :mod:`streams.clock_watch`).
CLOCK_JUMPED = "clock_jumped"

# Partitions of the events that a living worker has and whose end it knows, each counted once: one worker that woke up
# late may still name what another has been given.
_READ = """
select count(distinct number)::bigint, max((detail ->> 'of')::bigint), count(*)::bigint
  from heartbeat left join lateral jsonb_array_elements(detail -> 'reads') as reads(number) on true
 where role = 'worker' and detail ? 'of' and clock_timestamp() - real_at < make_interval(secs => %s)
"""


def reason_to_hold(connection: Connection) -> Reason | None:
    """Why cases wait now; None where they need not, and where no worker has ever spoken (events come by another way)."""
    row = connection.execute(
        "select extract(epoch from clock_timestamp() - max(real_at))::float8, coalesce(sum((detail ->> 'lag')::bigint)"
        " filter (where clock_timestamp() - real_at < make_interval(secs => %s)), 0)::bigint"
        " from heartbeat where role = 'worker'",
        [WORKER_SILENT],
    ).fetchone()
    if row is None or row[0] is None:
        return None
    silent, waiting = row
    if silent > WORKER_SILENT:
        return "worker_silent"
    if unread_partitions(connection):
        return "unread"
    return "backlog" if waiting > BACKLOG else None


def unread_partitions(connection: Connection) -> int:
    """How many partitions of the events no living worker reads: while a dead one's place is still kept for it, during
    a rebalance, and while the brokers are away. 0 where no worker lives or none says."""
    row = connection.execute(_READ, [WORKER_SILENT]).fetchone()
    read, of, said = row or (0, None, 0)
    # Who lives, but has not yet heard of the partitions, reads none; there is at least one.
    return max(0, (of or (1 if said else 0)) - read)
