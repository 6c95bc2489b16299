"""Who is on duty when: shifts (排班), leave (请假) and substitutes (替岗) of a window or a person.

Kaifu 2019 (A1): whoever is on leave in a one-person window needs a substitute; with two or more the others take over.
Without a roster every person of the window is on duty in all open hours; without people nobody knows, and leave says
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from detectors.intervals import Interval, minus, union
from domain.centre import Centre, Window
from domain.leave import Leave as Leave
from domain.leave import find_leaves as find_leaves
from domain.rules.staffing import Shift, falls_on
from domain.working_time import Calendar, parse_hours


def hours_on(spans: Sequence[str], ordinal: int, calendar: Calendar) -> list[Interval]:
    """``HH:MM-HH:MM`` of a date as moments."""
    return [(calendar.at_minute(ordinal, a), calendar.at_minute(ordinal, b)) for a, b in parse_hours(spans)]


def shifts_on(window: Window, ordinal: int, calendar: Calendar) -> list[tuple[Interval, frozenset[str]]]:
    """Who is on duty at a window on a working day, before any leave; empty where the file names nobody."""
    if not calendar.is_working(ordinal):
        return []
    if window.roster is None:
        shifts = [Shift(staff=window.staff)] if window.staff else []
    else:
        shifts = [shift for shift in window.roster if falls_on(shift.days, ordinal)]
    opened = open_on(window, ordinal, calendar)
    return [
        (span, frozenset(shift.staff))
        for shift in shifts
        for span in (opened if shift.hours is None else hours_on(shift.hours, ordinal, calendar))
    ]


def open_on(window: Window | None, ordinal: int, calendar: Calendar) -> list[Interval]:
    """Open hours of a date with lunch duty: on duty the hours are added, on other days they are taken out (A5)."""
    spans = calendar.office_spans(ordinal)
    if window is None or window.lunch is None or not spans:
        return union(spans)
    lunch = hours_on(window.lunch.hours, ordinal, calendar)
    return union([*spans, *lunch]) if falls_on(window.lunch.days, ordinal) else minus(spans, lunch)


def on_duty(
    shifts: Sequence[tuple[Interval, frozenset[str]]], leaves: Sequence[Leave]
) -> list[tuple[Interval, frozenset[str], frozenset[str]]]:
    """Spans with whom the roster names and who of them, or of their substitutes, is there; without gaps inside shifts."""
    edges = sorted(
        {edge for span, _ in shifts for edge in span} | {e for x in leaves for e in (x.start, x.end)}
    )
    result = []
    for start, end in pairwise(edges):
        named = frozenset().union(*(staff for (a, b), staff in shifts if a <= start and end <= b))
        if named:
            away = [leave for leave in leaves if leave.start <= start and end <= leave.end]
            gone = {leave.staff for leave in away}
            stand_in = {leave.substitute for leave in away if leave.staff in named and leave.substitute}
            result.append(((start, end), named, frozenset((named | stand_in) - gone)))
    return result


def hours_of_person(staff: str, centre: Centre, ordinal: int) -> list[Interval]:
    """When a person is expected: his shifts where a roster names him, else the hours of his window or of the centre."""
    mine = [window for window in centre.windows if staff in window.staff or staff in _rostered(window)]
    listed = [window for window in mine if window.roster is not None]
    if listed:
        return union(
            span
            for window in listed
            for span, named in shifts_on(window, ordinal, centre.open_time(window.id))
            if staff in named
        )
    if mine:
        return open_on(mine[0], ordinal, centre.open_time(mine[0].id))
    return union(centre.working_time.office_spans(ordinal))


def _rostered(window: Window) -> set[str]:
    return {person for shift in window.roster or () for person in shift.staff}


def windows_of_person(staff: str, centre: Centre) -> list[str]:
    """Every window that names a person: its staff, its roster, its posts."""
    return [
        window.id
        for window in centre.windows
        if staff in window.staff or staff in {person for _, person in window.named()}
    ]
