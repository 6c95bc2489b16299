"""The registry of families: which subject an event speaks of, and that nothing is on by itself."""

from __future__ import annotations

import pytest

from detectors.families import FAMILIES, subjects_of
from domain.events import KINDS
from tests.detectors.making import CENTRE, centre
from tests.detectors.subjects import said

ALL = centre(rules={name: {} for name in sorted({family.name for family in FAMILIES})})
EVENTS = [
    (said("rating.given", "03-02 10:00", case="c1", level=5), "rating:c1"),
    (said("rating.fixed", "03-02 10:00", rating="r1"), "rating:r1"),
    (said("complaint.opened", "03-02 10:00", complaint="k1"), "complaint:k1"),
    (said("attendance.clock_in", "03-02 10:00", staff="p1"), "person:p1"),
    (said("leave.granted", "03-02 10:00", staff="p1", from_="2026-03-02", to="2026-03-02"), "person:p1"),
    (said("commission.started", "03-02 10:00", commission="q1"), "commission:q1"),
    (said("bid.submitted", "03-02 10:00", tender="t1", bidder="b"), "tender:t1"),
    (said("bid.judged", "03-02 10:00", tender="t1"), "tender:t1"),
]


@pytest.mark.parametrize(("event", "subject"), EVENTS)
def test_what_an_event_speaks_of(event, subject):
    assert subject in {f"{family.subject}:{name}" for family, name in subjects_of(event, ALL)}
    assert list(subjects_of(event, CENTRE)) == [], "no family is on by itself"


def test_every_family_wants_known_kinds_and_has_a_subject_of_its_own():
    assert all(family.kinds and family.kinds <= KINDS for family in FAMILIES)
    assert len({family.subject for family in FAMILIES}) == len(FAMILIES)
    assert not {"case", "window", "source"} & {family.subject for family in FAMILIES}


def test_what_names_nothing_speaks_of_nothing():
    for kind in ("complaint.opened", "complaint.answered"):
        assert list(subjects_of(said(kind, "03-02 10:00"), ALL)) == []
