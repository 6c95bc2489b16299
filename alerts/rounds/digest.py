"""The digest of the day: at one moment of the working calendar each leader hears in one message what is new, what is over and what
nobody has answered, at the windows that are his.

A digest tells of everything since the one before, so that nothing falls between two. It is made once for each person and day; also
where nothing ran at its moment: then late, but not at night. What waited for it (``daily``) is told in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts.reasons import Reason
from alerts.roster import OF_WINDOW, Roster
from alerts.rounds.naming import first_of_each, named
from alerts.rounds.schedule import digest_moments, last_digest_moment, tells_of
from alerts.rounds.writing import MOST_KEYS, Digest, write_digest
from alerts.states import GIVE_UP_AFTER, notify
from domain.centre import Centre, Person
from domain.finding_clocks import FindingSettings, late_before
from domain.findings import SEVERITIES
from domain.messages import DigestSettings
from store import Connection
from store.digests import DayCount, day_counts, worst_of_day
from store.roster import roster_events

log = logging.getLogger(__name__)

TEMPLATE = "digest.daily"
#: Digests that one after a pause reaches back over.
REACH_BACK = 40
#: A digest that is later than this is of no use any more; the next one tells of everything.
LATEST = timedelta(hours=24)
#: Somebody's first one comes at its moment or not at all: yesterday nobody had asked for it.
FIRST_LATEST = timedelta(minutes=10)

#: Person → (channel, address) in the order in which they are tried.
AddressesOf = Callable[[Person], Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Daily:
    """The digests of one centre.

    Args:
        addresses_of: of those who get one.
        desk: address of the desk.
    """

    centre: Centre
    addresses_of: AddressesOf
    desk: str = ""
    give_up_after: timedelta = GIVE_UP_AFTER
    #: The newest moment whose digests are known to be made, so that the table is asked once.
    made: list[datetime] = field(default_factory=list)

    def __call__(self, connection: Connection, now: datetime) -> int:
        """Makes what is due, inside the caller's transaction; returns how many messages were written."""
        settings = self.centre.messages.digest
        at = None if settings is None else self._due(settings, now)
        if settings is None or at is None:
            return 0
        written = self._make(connection, settings, at, now)
        self.made[:] = [at]
        if written:
            notify(connection)
        return written

    def next_at(self, now: datetime) -> datetime | None:
        """When a digest is due next; None: none is."""
        settings, calendar = self.centre.messages.digest, self.centre.working_time
        if settings is None:
            return None
        last = last_digest_moment(settings, calendar, now)
        if last is not None and last not in self.made and now - last <= LATEST:
            return max(now, self._awake(last, now))
        return next(digest_moments(settings, calendar, now), None)

    def _due(self, settings: DigestSettings, now: datetime) -> datetime | None:
        at = last_digest_moment(settings, self.centre.working_time, now)
        if at is None or at in self.made or now - at > LATEST:
            return None
        return at if self._awake(at, now) <= now else None

    def _awake(self, at: datetime, now: datetime) -> datetime:
        """A late one does not come at night; who wants the digest itself at night gets it then."""
        quiet, calendar = self.centre.messages.quiet, self.centre.working_time
        if quiet is None or quiet.until(at, calendar) > at:
            return now
        return quiet.until(now, calendar)

    def _make(self, connection: Connection, settings: DigestSettings, at: datetime, now: datetime) -> int:
        shares = self._shares(connection, settings, now)
        before = self._before(settings, at)
        told = self._told_until(connection, list(shares), [at, *before])
        first = before[0] if before else at - timedelta(days=1)
        found: dict[datetime, tuple[list[DayCount], list[dict[str, Any]]]] = {}
        written = 0
        for person, windows in shares.items():
            begin = told.get(person, first)
            if begin >= at or (person not in told and now - at > FIRST_LATEST):
                continue  # made before; or not missed, but asked for since
            if begin not in found:
                found[begin] = self._read(connection, settings, begin, at, now)
            written += self._tell(connection, person, windows, *found[begin], begin, at, now)
        return written

    def _shares(
        self, connection: Connection, settings: DigestSettings, now: datetime
    ) -> dict[str, frozenset[str | None]]:
        """The windows each person answers for, by the roster of the moment; None among them: also what is of no window."""
        roster = Roster(self.centre, roster_events(connection, self.centre, now))
        everything: frozenset[str | None] = frozenset((*self.centre.window_ids, None))
        shares: dict[str, frozenset[str | None]] = {}
        for role in settings.to:
            if role not in OF_WINDOW:
                for person in roster.holders(role, None, now).people:
                    shares[person] = everything
                continue
            for window in self.centre.windows:
                for person in roster.holders(role, window.id, now).people:
                    shares[person] = shares.get(person, frozenset()) | {window.id}
        return shares

    def _before(self, settings: DigestSettings, at: datetime) -> list[datetime]:
        """The moments before one, the newest first."""
        found: list[datetime] = []
        last: datetime | None = at
        while len(found) < REACH_BACK and last is not None:
            last = last_digest_moment(settings, self.centre.working_time, last - timedelta(microseconds=1))
            found += [] if last is None else [last]
        return found

    def _told_until(
        self, connection: Connection, people: Sequence[str], moments: Sequence[datetime]
    ) -> dict[str, datetime]:
        """Up to when each person was told before; without those who never were."""
        keys = {self._key(person, moment): (person, moment) for person in people for moment in moments}
        made = connection.execute(
            "select idempotency_key from outbox where idempotency_key = any(%s)", [list(keys)]
        ).fetchall()
        known: dict[str, datetime] = {}
        for (key,) in made:
            person, moment = keys[key]
            known[person] = max(moment, known.get(person, moment))
        return known

    def _read(
        self, connection: Connection, settings: DigestSettings, since: datetime, at: datetime, now: datetime
    ) -> tuple[list[DayCount], list[dict[str, Any]]]:
        clocks = self.centre.findings or FindingSettings()
        late = late_before(self.centre.working_time, clocks.answer_within, now)
        given: dict[str, Any] = {"answered": sorted(clocks.answers_for), "late_before": late}
        code = self.centre.centre.id
        counts = [
            each for each in day_counts(connection, code, since, at, **given) if tells_of(settings, each.rule)
        ]
        rules = sorted({each.rule for each in counts})
        return counts, worst_of_day(connection, code, since, at, rules=rules, **given)

    def _tell(
        self,
        connection: Connection,
        person: str,
        windows: frozenset[str | None],
        counts: Sequence[DayCount],
        worst: Sequence[dict[str, Any]],
        since: datetime,
        at: datetime,
        now: datetime,
    ) -> int:
        mine = [each for each in counts if each.window in windows]
        named_ones = sorted(
            (row for row in worst if row["window_id"] in windows),
            key=lambda row: (-SEVERITIES.index(row["severity"]), row["opened_at"], row["finding_id"]),
        )
        held = connection.execute(
            "select message_id, idempotency_key from outbox where centre = %s and person = %s and state = 'held'"
            " and reason = 'daily' order by message_id for update skip locked",
            [self.centre.centre.id, person],
        ).fetchall()
        settings, known = self.centre.messages.digest, self.centre.person_by_id.get(person)
        addresses = self.addresses_of(known) if known is not None else ()
        reason = None
        if not addresses:
            reason = Reason.NO_PERSON if known is None else Reason.NO_PHONE
        elif not mine and not held and not (settings is not None and settings.also_empty):
            reason = Reason.NO_NEWS
        digest = Digest(
            self._key(person, at),
            self.centre.centre.id,
            person,
            TEMPLATE,
            self._params(mine, named_ones, [key for _, key in held], since, at, now),
            addresses,
            reason=None if reason is None else reason.value,
            told=() if reason is not None else [number for number, _ in held],
        )
        number = write_digest(connection, digest, now, self.give_up_after)
        return int(number is not None and reason is None)

    def _params(
        self,
        counts: Sequence[DayCount],
        worst: Sequence[dict[str, Any]],
        told: Sequence[str],
        since: datetime,
        at: datetime,
        now: datetime,
    ) -> dict[str, Any]:
        def local(moment: datetime) -> str:
            return moment.astimezone(self.centre.zone).isoformat(timespec="seconds")

        first = first_of_each(worst)
        return {
            "centre_name": self.centre.centre.name,
            "counts": {
                name: sum(each.opened for each in counts if each.severity == name) for name in SEVERITIES
            },
            "total": sum(each.opened for each in counts),
            "closed": sum(each.closed for each in counts),
            "revoked": sum(each.revoked for each in counts),
            "unanswered": sum(each.unanswered for each in counts),
            "overdue": sum(each.overdue for each in counts),
            # Only the worst of each window were read: how many there are of a kind is not known here.
            "worst": [named(row, self.centre) for row, _ in first],
            "findings": [row["finding_id"] for row, _ in first],
            "since": local(since),
            "until": local(at),
            "desk": self.desk,
            "told": list(told)[:MOST_KEYS],
            "written_at": local(now),
        }

    def _key(self, person: str, at: datetime) -> str:
        return self.key(self.centre, person, at)

    @staticmethod
    def key(centre: Centre, person: str, at: datetime) -> str:
        """One digest for each person and day, whatever the hour: the centre file may move it."""
        return f"{TEMPLATE}:{centre.centre.id}:{person}:{centre.working_time.local(at):%Y-%m-%d}"


__all__ = ["LATEST", "TEMPLATE", "Daily"]
