"""How long each step in the life of a finding may take: ``findings:`` in the centre file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from domain.model import Model
from domain.working_time import Calendar

Unit = Literal["hour", "working hour", "working day"]
_SPAN = re.compile(r"\s*(\d{1,4}(?:\.\d{1,2})?)\s+(hour|working hour|working day)s?\s*")
#: Longest search for office hours, in days.
A_YEAR = 366


def parse_span(text: str) -> tuple[float, Unit]:
    """``"24 hours"``, ``"1 working hour"``, ``"5 working days"``.

    Raises:
        ValueError: it is none of these.
    """
    match = _SPAN.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError(f"'{text}' is not like '24 hours', '8 working hours' or '5 working days'")
    amount, unit = float(match[1]), match[2]
    if unit == "working day" and amount != int(amount):
        raise ValueError(f"'{text}': working days are whole")
    return amount, unit  # type: ignore[return-value]


def _span(text: str) -> str:
    parse_span(text)
    return text


Within = Annotated[str, AfterValidator(_span)]


#: A role of the window, ``inspectors``, or the id of a person.
Roles = tuple[str, ...]


class ReminderSettings(Model):
    """Who is told, once, that a step is late: the escalation of Eshore's reminders (handler, section head, leader in charge;
    P6 in the domain reference). An empty list: nobody."""

    acknowledge: Roles = ("handler", "superior")
    answer: Roles = ("superior", "leader")
    rectify: Roles = ("superior", "leader")
    decide_appeal: Roles = ("inspectors",)


class FindingSettings(Model):
    """Clocks of an answer. One hour and 24 hours: Xinyang [A16 in the domain reference]; its sections 5 and 8.22 ask for them
    instead of the 30 working days of [P3]. For appeals no source names a time: these are ours to propose."""

    #: The unit says that it has seen it; from the moment it was issued.
    acknowledge_within: Within = "1 working hour"
    #: The unit says what happened; from the moment it was issued.
    answer_within: Within = "24 hours"
    #: After that it can no longer be contested; from the moment it was issued.
    appeal_within: Within = "5 working days"
    #: An inspector decides; from the appeal.
    decide_appeal_within: Within = "5 working days"
    #: The unit says what it has put right; from the answer, or from the decision that upheld the finding.
    rectify_within: Within = "15 working days"
    #: Findings whose clocks run. A notice is a reminder, and asks for no answer.
    answers_for: frozenset[Literal["notice", "yellow", "red"]] = frozenset(("yellow", "red"))
    #: Who is reminded of what is late; only where the centre file has the section ``findings:``.
    remind: ReminderSettings = Field(default_factory=ReminderSettings)


def deadline(calendar: Calendar, start: datetime, within: str) -> datetime:
    """When ``within`` has passed since ``start``: hours of the clock, of office time, or the close of the n-th working day
    after the first, which does not count (Civil Code art. 201, 203)."""
    amount, unit = parse_span(within)
    if unit == "working day":
        day = calendar.nth_working(calendar.local_date(start), int(amount))
        assert day is not None, "nothing is excluded"
        return calendar.deadline(day)
    span = timedelta(hours=amount)
    if unit == "working hour":
        found = calendar.after_office_time(start, span, days=A_YEAR)
        if found is not None:
            return found
    return start + span


def late_before(calendar: Calendar, within: str, now: datetime) -> datetime:
    """What began before this moment has its deadline before ``now``, the rest has not: to ask a store for what is late.

    To the second. A later start never has an earlier deadline, so the border is found by halving.
    """
    low, high = now - timedelta(days=A_YEAR), now
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if deadline(calendar, middle, within) < now:
            low = middle
        else:
            high = middle
    return high
