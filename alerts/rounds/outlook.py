"""The next sends about a finding as the database has it: for the page and for ``mingjing alerts next``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts import silences
from alerts.addresses import AddressKind, addresses_of
from alerts.matcher import route_of
from alerts.reasons import Reason, Why
from alerts.roster import Roster
from alerts.rounds.schedule import Course, FirstChannel, Held, Planned, first_named, next_sends
from alerts.silence import Silence
from domain.centre import Centre
from domain.findings import Finding
from store import Connection
from store.finding_life import finding_of
from store.reading import finding as read_finding
from store.roster import roster_events


def outlook(
    connection: Connection,
    centre: Centre,
    finding_id: str,
    now: datetime,
    *,
    count: int = 5,
    channels: Sequence[str] = (),
    kinds: Mapping[str, AddressKind] | None = None,
    roster: Roster | None = None,
) -> list[Planned]:
    """What is still to be sent about a finding, soonest first, if nobody acts.

    Args:
        count: moments; at one moment several people may be told.
        channels: where neither the route nor the centre file names any. kinds: what each needs to know of a person; None: the
            first channel is taken as the one that is tried first.
        roster: of the moment, for who asks about many findings; None: it is read.

    Raises:
        StoreError: there is no such finding.
    """
    finding = finding_of(read_finding(connection, finding_id))
    life = connection.execute("select life from finding where finding_id = %s", [finding_id]).fetchone()
    assert life is not None
    name, course = course_of(connection, finding_id)
    routes = {route.id: route for route in centre.messages.routes}
    route = (routes.get(name) if name else None) or route_of(finding, centre)
    roster = roster or Roster(centre, roster_events(connection, centre, now))
    order = list(centre.messages.channels or channels)
    sends = next_sends(
        finding,
        life[0],
        route,
        centre,
        roster,
        now,
        course=course,
        held=held_of(connection, finding_id),
        count=count,
        first_channel=first_that_reaches(centre, order, kinds),
    )
    quiet = silences.ahead(connection, centre.centre.id, now)
    return [_silenced(each, quiet, finding, centre) for each in sends] if quiet else sends


def _silenced(planned: Planned, quiet: Sequence[Silence], finding: Finding, centre: Centre) -> Planned:
    """What a silence would keep at its moment says so; a digest is kept by none."""
    if planned.reason is not None or planned.why is Why.DIGEST:
        return planned
    covered = any(each.covers(finding, planned.person, centre, planned.at) for each in quiet)
    return replace(planned, reason=Reason.SILENCED) if covered else planned


def course_of(connection: Connection, finding_id: str) -> tuple[str | None, Course | None]:
    """Id of the route a finding's messages go on by, and how far they are; (None, None) where they do not go on."""
    row = connection.execute(
        "select e.route, e.since, e.level, e.reminders,"
        " (select max(created_at) from outbox o where o.finding_id = e.finding_id and o.why = 'reminder')"
        " from escalation e where e.finding_id = %s",
        [finding_id],
    ).fetchone()
    return (None, None) if row is None else (row[0], Course(*row[1:]))


def held_of(connection: Connection, finding_id: str) -> list[Held]:
    """The messages of a finding that are written and wait, also for a digest of the day."""
    rows = connection.execute(
        "select held_until, person, channel, reason, why from outbox"
        " where finding_id = %s and state = 'held' and held_until is not null order by held_until, message_id",
        [finding_id],
    )
    return [
        Held(until, person, channel, Reason(reason), None if why is None else Why(why))
        for until, person, channel, reason, why in rows
    ]


def first_that_reaches(
    centre: Centre, order: Sequence[str], kinds: Mapping[str, AddressKind] | None
) -> FirstChannel:
    """Which channel of a person is tried first."""

    def first(person: str, channels: Sequence[str] | None) -> str | None:
        wanted, known = channels or order, centre.person_by_id.get(person)
        if kinds is None or known is None:
            return first_named(person, wanted)
        return next((channel for channel, _ in addresses_of(known, wanted, kinds)), None)

    return first


__all__ = ["course_of", "first_that_reaches", "held_of", "outlook"]
