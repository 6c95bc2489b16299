"""A family of rules about a subject that is not a case: which events speak of which subject, and who judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.verdict import Verdict, cast_shadow
from domain.centre import Centre
from domain.events import Event

#: (name of the subject, its events in order of arrival, centre, now) → what is found, and when to look again. Pure.
Judge = Callable[[str, Sequence[Event], Centre, datetime], Verdict]


@dataclass(frozen=True, slots=True)
class Family:
    """``name``: its section under ``rules`` of the centre file. ``subject``: kind of subject, as in ``complaint:<name>``.

    ``kinds``: events it wants. ``name_of``: the subject an event speaks of, or None; it may depend on the event and on the
    centre's settings only, for the store keeps the answer.
    """

    name: str
    subject: str
    kinds: frozenset[str]
    name_of: Callable[[Event, Centre], str | None]
    judge: Judge

    def wanted(self, centre: Centre) -> bool:
        """Whether the centre file turns the family on."""
        return getattr(centre.rules, self.name, None) is not None

    def ask(self, name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
        """What is found about a subject; where the family has ``shadow: true`` the findings are not issued."""
        verdict = self.judge(name, events, centre, now)
        settings = getattr(centre.rules, self.name, None)
        return cast_shadow(verdict) if settings is not None and settings.shadow else verdict
