"""Every family whose subject is not a case, in the order of their names."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence

from detectors import (
    attendance,
    complaints,
    entry_batches,
    fees,
    intermediaries,
    ratings,
    trading,
    unattached,
)
from detectors.family import Family
from domain.centre import Centre
from domain.events import Event

log = logging.getLogger(__name__)

FAMILIES: tuple[Family, ...] = (
    attendance.FAMILY,
    unattached.CERTIFICATE_FAMILY,
    complaints.FAMILY,
    entry_batches.FAMILY,
    fees.FAMILY,
    intermediaries.FAMILY,
    ratings.FAMILY,
    unattached.TICKET_FAMILY,
    trading.FAMILY,
)


#: Longest name of a subject; what is longer, by somebody's mistake, is shortened to a name of its own.
LONGEST = 200


def wanted_families(centre: Centre, families: Sequence[Family] = FAMILIES) -> dict[str, Family]:
    """The families a centre file turns on, by their kind of subject."""
    return {family.subject: family for family in families if family.wanted(centre)}


def name_in(family: Family, event: Event, centre: Centre) -> str | None:
    """The subject an event speaks of; a family that fails names none, for the event is to be stored all the same."""
    if event.kind not in family.kinds:
        return None
    try:
        name = family.name_of(event, centre)
    except Exception as error:
        log.error("%s cannot name the subject of %s: %r", family.name, event.kind, error)
        return None
    if name is None or len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}…{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def subjects_of(
    event: Event, centre: Centre, families: Sequence[Family] = FAMILIES
) -> Iterator[tuple[Family, str]]:
    """Each family that is on and wants the event, with the subject it speaks of."""
    for family in families:
        if event.kind in family.kinds and family.wanted(centre):
            name = name_in(family, event, centre)
            if name is not None:
                yield family, name
