"""The next sends of a whole centre: what waits in the outbox, courses of reminders and escalation, the daily digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.addresses import AddressKind
from alerts.reasons import Reason, Why
from alerts.roster import Roster
from alerts.rounds.outlook import first_that_reaches, outlook
from alerts.rounds.schedule import Planned, digest_moments
from domain.centre import Centre
from store import Connection
from store.roster import roster_events

#: Findings whose courses are looked at for one person: of the soonest of all he may be in none.
MOST_COURSES = 200


@dataclass(frozen=True, slots=True)
class Coming:
    """One send, and of which finding; None: of many (a digest), or of the system itself."""

    planned: Planned
    finding: str | None = None


def coming(
    connection: Connection,
    centre: Centre,
    now: datetime,
    *,
    person: str | None = None,
    limit: int = 20,
    channels: Sequence[str] = (),
    kinds: Mapping[str, AddressKind] | None = None,
) -> list[Coming]:
    """The soonest first, if nobody acts. Arguments as of :func:`alerts.rounds.outlook.outlook`.

    Args:
        person: only to this person.
    """
    code = centre.centre.id
    found = [
        Coming(
            Planned(max(until, now), Why(why) if why else Why.OPENED, who, channel, reason=Reason(reason)),
            finding,
        )
        for finding, until, who, channel, reason, why in connection.execute(
            "select finding_id, held_until, person, channel, reason, why from outbox where centre = %s and state = 'held'"
            " and held_until is not null and (%s::text is null or person = %s) order by held_until, message_id limit %s",
            [code, person, person, limit],
        )
    ]
    roster = Roster(centre, roster_events(connection, centre, now))
    courses = connection.execute(
        "select finding_id from escalation where centre = %s order by next_at limit %s",
        [code, limit if person is None else MOST_COURSES],
    ).fetchall()
    for (finding,) in courses:
        later = outlook(connection, centre, finding, now, channels=channels, kinds=kinds, roster=roster)
        known = {(each.planned.at, each.planned.person) for each in found if each.finding == finding}
        found += [
            Coming(each, finding)
            for each in later
            if each.why is not Why.DIGEST and (each.at, each.person) not in known
        ]
    found += _digest(centre, roster, now, channels, kinds)
    wanted = [each for each in found if person is None or each.planned.person == person]
    return sorted(wanted, key=_in_order)[:limit]


def _in_order(each: Coming) -> tuple[datetime, str, str, str]:
    """By moment; at one moment what is the same side by side."""
    return each.planned.at, each.finding or "", each.planned.why, each.planned.reason or ""


def _digest(
    centre: Centre,
    roster: Roster,
    now: datetime,
    channels: Sequence[str],
    kinds: Mapping[str, AddressKind] | None,
) -> list[Coming]:
    digest = centre.messages.digest
    if digest is None:
        return []
    at = next(digest_moments(digest, centre.working_time, now), None)
    if at is None:
        return []
    first = first_that_reaches(centre, list(centre.messages.channels or channels), kinds)
    windows: list[str | None] = [None, *(window.id for window in centre.windows)]
    people = dict.fromkeys(
        holder
        for role in digest.to
        for window in windows
        for holder in roster.holders(role, window, at).people
    )
    return [Coming(Planned(at, Why.DIGEST, each, first(each, None))) for each in people]


__all__ = ["Coming", "coming"]
