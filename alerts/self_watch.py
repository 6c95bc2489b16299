"""The system watches its own messages and tells operators of trouble, by a channel other than the failing one.

Two look, the rule loop's process and the sender's, each seeing that the other lives; what they find and tell is in one table, so both
together send once. Whether the sender itself is dead no message can say: for that there are the metrics and the dead man's switch
(:mod:`alerts.dead_man`).
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from alerts.addresses import AddressKind, addresses_of
from alerts.channel_state import REFUSED
from alerts.next_channel import CHANNEL_FAILING
from alerts.reasons import Why
from alerts.roster import Roster
from alerts.states import GIVE_UP_AFTER, notify
from alerts.troubles import Facts, Known, Limits, Trouble, decide, troubles
from domain.centre import Centre
from domain.clock import Clock
from store import Connection, connect
from store.connection import PASSING
from store.roster import roster_events

log = logging.getLogger(__name__)

#: Advisory lock: one looks at a time.
LOCK = 0x6D6A7377
#: A channel that reaches nobody who does not look for it: the last.
LOG = "log"
#: Real seconds between two looks.
EVERY = 15.0
#: Processes whose silence is trouble.
ROLES = ("sender", "rules", "worker")

_OFF = "select channel, error from channel_state where reason = %(refused)s"
_MOVED = """
select channel, count(*) from outbox
where state in ('dead', 'unknown') and next_try_at > now() - interval '1 hour' and reason = %(failing)s group by 1
"""
# What is held back on purpose (a correction) is not late before its moment; what has been tried waits for its next try.
_WAITING = """
select channel, extract(epoch from now() - min(coalesce(first_try_at, next_try_at)))::float8 from outbox o
where state in ('ready', 'leased') and (next_try_at <= now() or attempts > 0)
  and not exists (select 1 from channel_state c where c.channel = o.channel)
  and not exists (select 1 from heartbeat where role = 'hold')
group by 1
"""
_GIVEN_UP = """
select count(*) from outbox o
where state = 'dead' and next_try_at > now() - interval '26 hours'
  and greatest(next_try_at, case when reason = 'gave_up' then give_up_at end) > now() - interval '1 hour'
  and not exists (select 1 from outbox f where f.follows = o.message_id)
"""
_DAY = """
select channel, state, count(*) from outbox
where handed_at > now() - interval '1 day' and state in ('sent', 'delivered', 'undelivered', 'unknown') group by 1, 2
"""
_UNMATCHED = """
select channel, count(*) from receipt where message_id is null and received_at > now() - interval '1 hour' group by 1
"""
_SILENT = """
select role, extract(epoch from clock_timestamp() - max(real_at))::float8 from heartbeat where role = any(%(roles)s) group by 1
"""
_HELD = "select count(*), min(held_until) from outbox where state = 'held' and held_until < %(now)s"
_KNOWN = "select name, since, seen_at, told_at, times from trouble for update"
_SEEN = """
insert into trouble (name, since, seen_at, detail) values (%(name)s, %(now)s, %(now)s, %(detail)s)
on conflict (name) do update set seen_at = excluded.seen_at, detail = excluded.detail
"""
_WRITE = """
insert into outbox (idempotency_key, centre, person, phone, channel, template, params, next_try_at, give_up_at, created_at, why,
                    fallback)
values (%(key)s, %(centre)s, %(person)s, %(phone)s, %(channel)s, %(template)s, %(params)s, now(), now() + %(span)s, %(now)s,
        %(why)s, %(rest)s)
on conflict do nothing
"""


def load_facts(connection: Connection, now: datetime, speed: float = 1.0) -> Facts:
    """What is to be judged, as it is now.

    Args:
        now: the system's clock. speed: its seconds in a real one.
    """
    values = {"refused": REFUSED, "failing": CHANNEL_FAILING, "roles": list(ROLES), "now": now}

    def pairs(query: str) -> dict[str, Any]:
        return dict(connection.execute(query, values).fetchall())

    day: dict[str, dict[str, int]] = defaultdict(dict)
    for channel, state, count in connection.execute(_DAY):
        day[channel][state] = count
    given_up = connection.execute(_GIVEN_UP).fetchone()
    held = connection.execute(_HELD, values).fetchone()
    assert given_up is not None
    assert held is not None
    return Facts(
        off=pairs(_OFF),
        moved=pairs(_MOVED),
        waiting=pairs(_WAITING),
        given_up=given_up[0],
        day=day,
        unmatched=pairs(_UNMATCHED),
        silent=pairs(_SILENT),
        held=held[0],
        held_overdue=0.0 if held[1] is None else (now - held[1]).total_seconds() / speed,
    )


class SelfWatch:
    """Looks, and writes messages to the operators of every centre (``messages.operators``).

    Args:
        kinds: name of each channel → what it needs to know of a person.
        default: the channel of those for whom nothing else is said.
        limits: from where on it is trouble.
        every: real seconds between two looks.
    """

    def __init__(
        self,
        dsn: str,
        centres: Callable[[], Iterable[Centre]],
        clock: Clock,
        *,
        kinds: Mapping[str, AddressKind],
        default: str,
        limits: Limits | None = None,
        every: float = EVERY,
        connector: Callable[..., Connection] = connect,
    ) -> None:
        self._dsn, self._centres, self._clock = dsn, centres, clock
        self._kinds, self._default = kinds, default
        self._limits, self._every, self._connector = limits or Limits(), every, connector

    def start(self, stop: threading.Event) -> threading.Thread:
        """Looks in a thread of its own until ``stop``: whoever hangs is seen by the others."""
        thread = threading.Thread(target=self.run, args=(stop,), name="self-watch", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self._every):
            try:
                # A connection for the look only: few looks are not worth one of the server's places.
                with self._connector(self._dsn, application="mingjing-watch", autocommit=True) as connection:
                    self.look(connection)
            except PASSING as error:
                log.warning("self-watch: database away (%s)", type(error).__name__)
            except Exception:
                log.exception("self-watch failed")  # a defect here must not end the watching

    def look(self, connection: Connection) -> list[str]:
        """One look, in a transaction; returns the names of the troubles that were told or are over."""
        now = self._clock.now()
        with connection.transaction():
            if connection.execute("select pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone() != (True,):
                return []  # the other one is looking
            found = troubles(load_facts(connection, now, self._clock.speed), self._limits)
            (real,) = connection.execute("select clock_timestamp()").fetchone() or (now,)
            with connection.cursor(row_factory=class_row(Known)) as cursor:
                known = {each.name: each for each in cursor.execute(_KNOWN).fetchall()}
            for trouble in found:
                detail = {"kind": trouble.kind, "about": trouble.about, "values": dict(trouble.values)}
                connection.execute(_SEEN, {"name": trouble.name, "now": real, "detail": Jsonb(detail)})
            verdict = decide(found, known.values(), real, self._limits)
            for trouble in verdict.tell:
                self._tell(connection, trouble, known.get(trouble.name), now, real)
            for over in verdict.clear:
                self._clear(connection, over, now)
            connection.execute(
                "delete from trouble where name = any(%s)",
                ([each.name for each in (*verdict.clear, *verdict.forget)],),
            )
        return [*(each.name for each in verdict.tell), *(each.name for each in verdict.clear)]

    def _tell(
        self, connection: Connection, trouble: Trouble, known: Known | None, now: datetime, real: datetime
    ) -> None:
        since, times = (real, 0) if known is None else (known.since, known.times)
        count = self._write(connection, trouble, since, str(times + 1), "system.trouble", now)
        connection.execute(
            "update trouble set told_at = %s, times = times + 1 where name = %s", (real, trouble.name)
        )
        log.error(
            "trouble: %s %s; %d operators are told", trouble.name, dict(trouble.values), count,
            extra={"trouble": trouble.name},
        )  # fmt: skip

    def _clear(self, connection: Connection, over: Known, now: datetime) -> None:
        row = connection.execute("select detail from trouble where name = %s", (over.name,)).fetchone()
        assert row is not None
        trouble = Trouble(row[0]["kind"], row[0]["about"], row[0]["values"])
        count = self._write(connection, trouble, over.since, "clear", "system.clear", now)
        log.info("over: %s; %d operators are told", over.name, count, extra={"trouble": over.name})

    def _write(
        self,
        connection: Connection,
        trouble: Trouble,
        since: datetime,
        which: str,
        template: str,
        now: datetime,
    ) -> int:
        """A message to each operator; whoever is one of several centres gets one."""
        off = {channel for (channel,) in connection.execute("select channel from channel_state")}
        bad = off | ({trouble.channel} if trouble.channel else set())
        reached: set[tuple[str, str]] = set()
        count = 0
        for centre in self._centres():
            for person, addresses in self._operators(connection, centre, bad, now):
                if reached.intersection(addresses):
                    continue
                reached.update(addresses)
                count += 1
                (channel, address), *rest = addresses
                params = {
                    "centre_name": centre.centre.name or centre.centre.id,
                    "written_at": now.astimezone(centre.zone).isoformat(timespec="seconds"),
                    "since": since.astimezone(centre.zone).isoformat(timespec="seconds"),
                    "trouble": trouble.kind, "about": trouble.about, "values": dict(trouble.values),
                }  # fmt: skip
                connection.execute(
                    _WRITE,
                    {
                        "key": f"system:{trouble.name}:{since:%Y%m%dT%H%M%S.%f}:{which}:{centre.centre.id}:{person}",
                        "centre": centre.centre.id, "person": person, "phone": address, "channel": channel,
                        "template": template, "params": Jsonb(params), "span": GIVE_UP_AFTER, "now": now,
                        "why": Why.SYSTEM.value, "rest": Jsonb([list(each) for each in rest]),
                    },
                )  # fmt: skip
        if count:
            notify(connection)
        return count

    def _operators(
        self, connection: Connection, centre: Centre, bad: set[str], now: datetime
    ) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
        """The operators of this moment, each with the addresses to try: those of channels in trouble come last."""
        if not centre.messages.operators:
            return
        wanted = [*(centre.messages.channels or [self._default]), *self._kinds]
        order = sorted(dict.fromkeys(wanted), key=lambda channel: (channel == LOG, channel in bad))
        people = {person.id: person for person in centre.people}
        roster = Roster(centre, roster_events(connection, centre, now))
        for holder in roster.holders("operators", None, now).people:
            if (person := people.get(holder)) is None:
                continue
            if addresses := addresses_of(person, order, self._kinds):
                yield holder, addresses
            else:
                log.error("operator %s cannot be told of trouble: no address for any channel", holder)


__all__ = ["EVERY", "ROLES", "SelfWatch", "load_facts", "troubles"]
