"""A family of rules about a subject that is not a case: which events speak of which subject, and who judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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

    ``back``: so far back events of ``long_kinds`` are asked for where everything before was judged already, and the newest one
    before; None: all of them, each time. What is found since then must not depend on the others (a test holds families to it).
    """

    name: str
    subject: str
    kinds: frozenset[str]
    name_of: Callable[[Event, Centre], str | None]
    judge: Judge
    back: timedelta | None = None
    long_kinds: frozenset[str] = frozenset()

    def wanted(self, centre: Centre) -> bool:
        """Whether the centre file turns the family on."""
        return getattr(centre.rules, self.name, None) is not None

    def ask(self, name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
        """What is found about a subject; where the family has ``shadow: true`` the findings are not issued."""
        verdict = self.judge(name, events, centre, now)
        settings = getattr(centre.rules, self.name, None)
        return cast_shadow(verdict) if settings is not None and settings.shadow else verdict


def cut(events: Sequence[Event], family: Family, since: datetime) -> list[Event]:
    """The events without those of ``long_kinds`` before a moment, but for the newest of these: what a look back leaves."""
    old = [each for each in events if each.kind in family.long_kinds and each.occurred_at < since]
    newest = max((each.occurred_at for each in old), default=None)
    return [
        each
        for each in events
        if each.kind not in family.long_kinds or each.occurred_at >= since or each.occurred_at == newest
    ]
