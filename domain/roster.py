"""Roles → people of a moment: who holds a role now, why this one, and why not the one whom the centre file names. Pure.

In this order: whoever is on duty (``messages.duty``); whom the centre file names, or whoever has taken over the window
(AB岗: the B-post carries the responsibility); for somebody on leave the substitute, else the B-post of the window, followed on
while they are away, too; with nobody left the next role up. When nobody is left there either the first ones are told all
the same: a message to somebody on leave is better than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, Literal

from domain.centre import Centre, Window
from domain.cover import Cover, find_covers
from domain.duty import Span, holds, spans_of
from domain.events import Event
from domain.finding_life import UNIT, Role, roles_of
from domain.leave import Leave, find_leaves
from domain.messages import ROLES
from domain.rules.staffing import StaffingSettings

#: Who is asked when nobody of a role is left.
UP: Mapping[str, str] = {
    "staff": "handler",
    "handler": "superior",
    "superior": "leader",
    "leader": "inspectors",
    "inspectors": "operators",
    "operators": "inspectors",
}
#: Roles that a window fills; in the place of the last two somebody may sit there.
OF_WINDOW = frozenset(("superior", "leader", "handler", "staff"))
AT_WINDOW = frozenset(("handler", "staff"))
#: Answers a roster remembers.
_MOST_KEPT = 10_000

#: Why somebody is told: ``role`` of the window, ``listed`` in ``messages``, ``person`` named by id, on ``duty``, on ``shift``,
#: ``substitute``, ``b_post``, ``cover``, ``up`` (in place of a role of which nobody is left), ``all_the_same`` though away.
#: Why not: ``on_leave``, ``covered``, ``off_duty``, ``off_shift``, ``unknown`` to the centre file.
Code = Literal[
    "role", "listed", "person", "duty", "shift", "substitute", "b_post", "cover", "up", "all_the_same",
    "on_leave", "covered", "off_duty", "off_shift", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ground:
    """One step of a reason; words for it: :mod:`alerts.roster_words`.

    Args:
        values: ids of people, windows and events; moments as RFC 3339 in the centre's zone. JSON-ready.
    """

    code: Code
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, **self.values}


Grounds = tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a role at a moment.

    Args:
        people: ids, in order, each once.
        why: for each of them the steps that led there.
        why_not: who would hold it and does not now, and why.
        gap: why nobody does: no window that the centre knows, or the file names nobody.
    """

    role: str
    people: tuple[str, ...] = ()
    why: Mapping[str, Grounds] = field(default_factory=dict)
    why_not: Mapping[str, Grounds] = field(default_factory=dict)
    gap: Literal["no_window", "no_person"] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody of the role itself is there: those named are told in its place, or though away."""
        codes = {step.code for steps in self.why.values() for step in steps}
        return not self.people or bool(codes & {"up", "all_the_same"})

    def to_json(self) -> dict[str, Any]:
        """To be kept with a message, so that it can be explained later."""
        row: dict[str, Any] = {"role": self.role}
        for key, found in (("why", self.why), ("why_not", self.why_not)):
            if found:
                row[key] = {person: [step.to_json() for step in steps] for person, steps in found.items()}
        return row | ({"gap": self.gap} if self.gap else {})


class Roster:
    """The roster of a centre.

    Args:
        facts: leaves and covers, as :func:`store.roster.roster_events` loads them; without them everybody is there.
    """

    def __init__(self, centre: Centre, facts: Iterable[Event] = ()) -> None:
        self.centre = centre
        self._facts = tuple(facts)
        self._rules = centre.rules.staffing or StaffingSettings()
        self._covers: dict[str, list[Cover]] = {}
        # A storm asks the same again and again.
        self._found: dict[tuple[str, str | None, datetime], Holders] = {}

    def holders(self, role: str, window: str | None, now: datetime) -> Holders:
        """Who holds a role at a window (None: of no window), or acts for the person of that id, at a moment. Never raises.

        ``now`` may lie ahead of the facts: then as far as leave is granted already.
        """
        found = self._found.get((role, window, now))
        if found is None:
            if len(self._found) > _MOST_KEPT:
                self._found.clear()
            found = _Search(self, self.centre.window_by_id.get(window or ""), now).find(role)
            self._found[role, window, now] = found
        return found

    def roles_of(self, person: str, window: str | None, now: datetime) -> Mapping[Role, Grounds]:
        """What a person is to a finding at a window at this moment, and why: by the centre file (no grounds), or in whose place.

        Who stands in has full powers (domain reference 3b) and is a party, too. Messages that go up, for want of anybody,
        hand no powers on, and nobody becomes an inspector by standing in for one.
        """
        found: dict[Role, Grounds] = dict.fromkeys(roles_of(self.centre, window, person), ())
        for role in sorted(UNIT - found.keys()):
            why = self.holders(role, window, now).why.get(person, ())
            if why and not any(step.code in ("up", "all_the_same") for step in why):
                found[role] = why
        return found

    def windows_of(self, person: str, now: datetime) -> frozenset[str]:
        """Windows at which a person is handler, superior, leader or staff at this moment, or acts for one of them."""
        return frozenset(w.id for w in self.centre.windows if self.roles_of(person, w.id, now).keys() & UNIT)

    def empty_shifts(self, role: str, window: str | None, begin: datetime, end: datetime) -> list[Span]:
        """The spans of [begin, end) in which nobody of a role is there: no duty, no list, or all of them on leave."""
        leaves = chain.from_iterable(self._leaves.values())
        edges = {edge for leave in leaves for edge in (leave.start, leave.end)}
        for duty in self.centre.messages.duty:
            if duty.role == role:
                edges |= {
                    edge for span in spans_of(duty, self.centre.working_time, begin, end) for edge in span
                }
        found: list[Span] = []
        for start, until in pairwise(sorted({begin, end, *(e for e in edges if begin < e < end)})):
            if not self.holders(role, window, start).is_empty:
                continue
            joined = bool(found) and found[-1][1] == start
            found.append((found.pop()[0] if joined else start, until))
        return found

    def leave_of(self, person: str, now: datetime) -> list[Leave]:
        """The leaves a person is on, the last granted first. A short one without a substitute hands nothing on."""
        short = timedelta(minutes=self._rules.short_leave)
        away = (
            leave
            for leave in self._leaves.get(person, ())
            if leave.start <= now < leave.end
            and leave.granted <= now
            and (leave.substitute is not None or leave.end - leave.start > short)
        )
        return sorted(away, key=lambda leave: leave.granted, reverse=True)

    def covers_of(self, window: Window, now: datetime) -> list[Cover]:
        """The covers of a window in force, the newest first."""
        if window.id not in self._covers:
            calendar = self.centre.open_time(window.id)
            self._covers[window.id] = find_covers(window, self._facts, self.centre, calendar)
        inside = (each for each in self._covers[window.id] if each.start <= now < each.end)
        return sorted(inside, key=lambda each: each.start, reverse=True)

    def duties(self, role: str, now: datetime) -> Iterator[tuple[int, str]]:
        """Entries of ``messages.duty`` that hold at a moment: their number, from 1, and the person."""
        for number, duty in enumerate(self.centre.messages.duty, start=1):
            if duty.role == role and holds(duty, self.centre.working_time, now):
                yield number, duty.person

    @cached_property
    def _leaves(self) -> dict[str, list[Leave]]:
        found: dict[str, list[Leave]] = {}
        for leave in find_leaves(self._facts, self.centre.working_time, backdated=self._rules.backdated):
            found.setdefault(leave.staff, []).append(leave)
        return found


class _Search:
    """One question; holds what has been found so far."""

    def __init__(self, roster: Roster, window: Window | None, now: datetime) -> None:
        self._roster, self._centre, self._window, self._now = roster, roster.centre, window, now
        self._people: dict[str, Grounds] = {}
        self._why_not: dict[str, Grounds] = {}

    def find(self, role: str) -> Holders:
        asked, seen = role, set[str]()
        steps: Grounds = ()
        first: Sequence[tuple[str, Ground]] = ()
        while asked not in seen:
            seen.add(asked)
            named = self._named(asked)
            if asked == role and not named:
                no_window = asked in OF_WINDOW and self._window is None
                return Holders(role, gap="no_window" if no_window else "no_person")
            first = first or named
            self._ask(named, steps, asked in AT_WINDOW)
            if self._people or asked not in UP:
                break
            steps = (*steps, Ground("up", self._role(asked)))
            asked = UP[asked]
        if not self._people:
            self._people = {person: (ground, Ground("all_the_same")) for person, ground in first}
        why_not = {who: why for who, why in self._why_not.items() if who not in self._people}
        return Holders(role, tuple(self._people), self._people, why_not)

    # -- whom the centre file names -----------------------------------------------------------------------------------

    def _named(self, role: str) -> list[tuple[str, Ground]]:
        """Those on duty, each before the next; and after them those of the plain list."""
        duty = [
            (person, Ground("duty", {"role": role, "entry": number}))
            for number, person in self._roster.duties(role, self._now)
        ]
        return [*duty, *self._listed(role)]

    def _listed(self, role: str) -> list[tuple[str, Ground]]:
        if role in ("inspectors", "operators"):
            return [(who, Ground("listed", {"role": role})) for who in getattr(self._centre.messages, role)]
        if role not in ROLES:
            return [(role, Ground("person"))] if role in self._centre.people_ids else []
        if self._window is None:
            return []
        if role == "staff":
            return self._staff(self._window)
        holder = getattr(self._window, role)
        return [(holder, Ground("role", self._role(role)))] if holder else []

    def _staff(self, window: Window) -> list[tuple[str, Ground]]:
        """Whoever the window's roster names for these hours, else all its people."""
        calendar = self._centre.open_time(window.id)
        on = [
            person
            for shift in window.roster or ()
            if shift.holds(self._now, calendar)
            for person in shift.staff
        ]
        if not on:
            return [(person, Ground("role", self._role("staff"))) for person in window.staff]
        for person in window.staff:
            if person not in on:
                self._why_not[person] = (Ground("off_shift"),)
        return [(person, Ground("shift", {"window": window.id})) for person in dict.fromkeys(on)]

    def _role(self, role: str) -> dict[str, Any]:
        at_window = role in OF_WINDOW and self._window is not None
        return {"role": role} | ({"window": self._window.id} if at_window and self._window else {})

    # -- who acts for them --------------------------------------------------------------------------------------------

    def _ask(self, named: Sequence[tuple[str, Ground]], steps: Grounds, at_window: bool) -> None:
        on_duty: str | None = None
        for person, ground in named:
            if on_duty is not None:
                self._why_not.setdefault(person, (Ground("off_duty", {"by": on_duty}),))
            elif self._take(person, (*steps, ground), at_window, ()) and ground.code == "duty":
                on_duty = person

    def _take(self, person: str, steps: Grounds, at_window: bool, trail: tuple[str, ...]) -> bool:
        """Takes a person, or whoever acts for him; whether anybody does. ``trail``: for whom that one would act."""
        trail = (*trail, person)
        # Whoever covers is not covered again, by somebody who did so before.
        covered = any(step.code == "cover" for step in steps)
        covers = self._roster.covers_of(self._window, self._now) if at_window and self._window else ()
        for cover in () if covered else covers:
            by = self._by(cover, person)
            if by is None or by in trail or not self._is_known(by):
                continue
            took_over = {"since": self._moment(cover.start), "event": cover.event}
            if self._take(by, (*steps, Ground("cover", {"for": person, **took_over})), at_window, trail):
                self._why_not[person] = (Ground("covered", {"by": by, **took_over}),)
                return True
        leaves = self._roster.leave_of(person, self._now)
        if not leaves:
            self._people.setdefault(person, steps)
            return True
        for leave in leaves:
            by = leave.substitute
            if by is not None and by not in trail and self._is_known(by):
                step = Ground("substitute", {"for": person, **self._told(leave)})
                if self._take(by, (*steps, step), at_window, trail):
                    self._why_not[person] = (Ground("on_leave", {**self._told(leave), "by": by}),)
                    return True
        told = self._told(leaves[0])
        for by in self._partners(person) if at_window else ():
            step = Ground("b_post", {"for": person, **told})
            if by not in trail and self._take(by, (*steps, step), at_window, trail):
                self._why_not[person] = (Ground("on_leave", {**told, "by": by}),)
                return True
        self._why_not[person] = (Ground("on_leave", told),)
        return False

    def _by(self, cover: Cover, person: str) -> str | None:
        """Who carries a person's responsibility under a cover; None: it is of somebody else's post."""
        posts = (self._window.ab_posts if self._window else None) or ()
        if cover.staff is None:
            other = self._centre.window_by_id.get(cover.by_window or "")
            return other.handler if other is not None else None
        of_a_post = any(cover.staff in (post.a, post.b) for post in posts)
        if of_a_post and cover.staff not in self._partners(person):
            return None
        return cover.staff

    def _partners(self, person: str) -> Iterator[str]:
        """A-post and B-post of the window stand in for each other."""
        for post in (self._window.ab_posts if self._window else None) or ():
            if person in (post.a, post.b):
                yield post.b if person == post.a else post.a

    def _is_known(self, person: str) -> bool:
        if person in self._centre.people_ids:
            return True
        self._why_not[person] = (Ground("unknown"),)
        return False

    def _told(self, leave: Leave) -> dict[str, Any]:
        return {"from": self._moment(leave.start), "to": self._moment(leave.end), "event": leave.event}

    def _moment(self, at: datetime) -> str:
        return self._centre.working_time.local(at).isoformat(timespec="minutes")


__all__ = ["AT_WINDOW", "OF_WINDOW", "UP", "Ground", "Grounds", "Holders", "Roster"]
