"""Every family whose subject is not a case, in the order of their names."""

from __future__ import annotations

from collections.abc import Iterator

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


def subjects_of(event: Event, centre: Centre) -> Iterator[tuple[Family, str]]:
    """Each family that is on and wants the event, with the subject it speaks of."""
    for family in FAMILIES:
        if event.kind in family.kinds and family.wanted(centre):
            name = family.name_of(event, centre)
            if name is not None:
                yield family, name
