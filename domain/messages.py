"""Who is told what, when and by which channel: ``messages:`` of the centre file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt, model_validator

from domain.findings import Severity
from domain.model import Code, Model, added
from domain.recurring import DayKind, HourSpan, Recurring
from domain.rule_names import NAMES
from domain.working_time import Calendar

#: Roles that a window, ``inspectors`` and ``operators`` fill; anything else that is told is the id of a person.
ROLES = ("handler", "superior", "leader", "staff", "inspectors", "operators")
#: Who gets cards, one by one, whatever comes.
CARD_ROLES = ("handler", "superior")
#: Findings of a person's own have rules of any name after it.
MANUAL = "manual."

Level = Literal["province", "prefecture", "county", "township", "village"]
#: A week: a longer wait is a slip of the finger.
Minutes = Annotated[float, Field(gt=0, le=10_080)]
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
#: Quiet hours without a gap end after it: nobody is kept waiting for ever.
_LONGEST_QUIET = timedelta(days=40)


def _once(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"'{value}' stands twice")
    return values


def parse_time(text: str) -> int:
    """``"17:30"`` → minutes from local midnight. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no time of day (like 17:30)")
    return int(match[1]) * 60 + int(match[2])


def _time(text: str) -> str:
    parse_time(text)
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known_rules(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        if not pattern.startswith(MANUAL) and not any(fnmatchcase(rule, pattern) for rule in NAMES):
            raise ValueError(f"there is no rule '{pattern}'")
    return patterns


Channels = Annotated[list[Code], Field(min_length=1), AfterValidator(_once)]
Roles = Annotated[list[Code], AfterValidator(_once)]
SomeRoles = Annotated[Roles, Field(min_length=1)]
#: Ids of rules with ``*``, ``?`` and ``[…]``.
RuleGlobs = Annotated[list[str], Field(min_length=1), AfterValidator(_known_rules)]
Time = Annotated[str, AfterValidator(_time)]
#: One day or a list of them.
Days = Annotated[tuple[DayKind, ...], BeforeValidator(_as_list)]
_Names = Annotated[list[str], Field(min_length=1)]


class Match(Model):
    """What a finding must be like; every key that is there must hold, an empty one is every finding.

    ``rule``, ``window``, ``department`` and ``item`` are names with ``*``; ``level`` is that of the centre's division code.
    """

    rule: RuleGlobs | None = added()
    severity: Annotated[list[Severity], Field(min_length=1)] | None = added()
    window: _Names | None = added()
    department: _Names | None = added()
    item: _Names | None = added()
    level: Annotated[list[Level], Field(min_length=1)] | None = added()


class EscalationStep(Model):
    """After so many minutes since the first message these are told as well."""

    after: Minutes
    to: SomeRoles
    channels: Channels | None = added()


class Route(Model):
    """Where messages go for the findings it matches; the first route that matches decides.

    ``hold_for``: minutes a finding must stay open before anybody is told. ``remind_every``: minutes, of office time where
    ``hours`` is working. ``until``: what ends reminders and escalation. ``id`` None: made of the lists by severity.
    """

    id: Code | None = None
    match: Match = Field(default_factory=Match)
    hours: Literal["always", "working"] = "always"
    hold_for: Minutes | None = added()
    to: Roles
    channels: Channels | None = added()
    remind_every: Minutes | None = added()
    most_reminders: Annotated[StrictInt, Field(ge=1, le=100)] = added(5)
    until: Literal["acknowledged", "answered"] = added("acknowledged")
    escalate: Annotated[list[EscalationStep], Field(max_length=20)] = added([])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for one, other in zip(self.escalate, self.escalate[1:], strict=False):
            if other.after <= one.after:
                raise ValueError(f"escalate: after {other.after:g} does not come later than {one.after:g}")
        return self

    @property
    def goes_on(self) -> bool:
        """Whether anything is to come after the first messages."""
        return self.remind_every is not None or bool(self.escalate)


class NamedRoute(Route):
    """A route as it stands in the file."""

    id: Code
    to: SomeRoles


class GroupSettings(Model):
    """Messages of different findings to one of these within ``wait`` minutes leave as one. Cards never do."""

    roles: SomeRoles = Field(default_factory=lambda: ["leader"])
    wait: Minutes = 1

    @model_validator(mode="after")
    def _no_cards(self) -> Self:
        for role in self.roles:
            if role in CARD_ROLES:
                raise ValueError(f"roles: cards to {' and '.join(CARD_ROLES)} are never grouped")
        return self


class DigestSettings(Model):
    """The day's findings in one message. ``also_empty``: also where nothing has happened, so that silence means no system."""

    at: Time
    days: Annotated[Days, Field(min_length=1)] = ("working",)
    to: SomeRoles = Field(default_factory=lambda: ["leader"])
    rules: RuleGlobs | None = added()
    also_empty: bool = added(False)


class FloodSettings(Model):
    """More messages than that to one person in so many minutes: the rest is gathered, and leaves every so many minutes."""

    more_than: Annotated[StrictInt, Field(ge=1, le=1000)] = 10
    within: Minutes = 10
    every: Minutes = 30


class QuietSettings(Model):
    """Hours in which nobody is disturbed; what comes meanwhile leaves when they end."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    hours: tuple[HourSpan, ...] = ()
    rest_days: bool = False
    spared: list[Severity] = Field(default=["red"], alias="except")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.hours and not self.rest_days:
            raise ValueError("hours: neither hours nor rest days are quiet (null turns quiet hours off)")
        return self

    def until(self, at: datetime, calendar: Calendar) -> datetime:
        """When the quiet time that holds ``at`` ends; ``at`` itself where it is not quiet.

        Nights and rest days that touch are one quiet time.
        """
        parts = [Recurring(hours=self.hours)] if self.hours else []
        parts += [Recurring(days=("rest",))] if self.rest_days else []
        end = at
        while end - at < _LONGEST_QUIET:
            longest = max(part.until(end, calendar) or at + _LONGEST_QUIET for part in parts)
            if longest == end:
                break
            end = longest
        return end


class Inhibition(Model):
    """While a finding like ``source`` is open, nobody is told of one like ``target`` that has the same of these."""

    source: Match
    target: Match
    equal: Annotated[list[Literal["case", "window", "item", "department"]], AfterValidator(_once)]


#: The worse of two findings about one thing speaks for both. A milder one that was told before is not taken back.
INHIBITIONS = (
    Inhibition(
        source=Match(rule=["time_limit.legal"]),
        target=Match(
            rule=["time_limit.promised", "time_limit.notice", "time_limit.warning", "stage.overdue"]
        ),
        equal=["case"],
    ),
    Inhibition(
        source=Match(rule=["time_limit.promised"]),
        target=Match(rule=["time_limit.notice", "time_limit.warning"]),
        equal=["case"],
    ),
    Inhibition(
        source=Match(rule=["absence.red"]),
        target=Match(rule=["absence.notice", "absence.yellow"]),
        equal=["window"],
    ),
    Inhibition(
        source=Match(rule=["absence.yellow"]), target=Match(rule=["absence.notice"]), equal=["window"]
    ),
)


class BudgetSettings(Model):
    """Messages a number takes in a local day; the last ``keep_for_red`` are for red cards."""

    per_day: Annotated[StrictInt, Field(ge=1, le=10_000)] = 40
    keep_for_red: Annotated[StrictInt, Field(ge=0)] = 10

    @model_validator(mode="after")
    def _left(self) -> Self:
        if self.keep_for_red >= self.per_day:
            raise ValueError(
                f"keep_for_red: {self.keep_for_red} of {self.per_day} leaves nothing for the rest"
            )
        return self


class Duty(Model):
    """Who holds a role at some hours; the first that fits the moment goes before the plain list."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    role: Code
    person: Code
    days: Days = added(())
    hours: tuple[HourSpan, ...] = added(())
    first: date | None = added(alias="from")
    last: date | None = added(alias="until")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.role not in ROLES:
            raise ValueError(f"role: there is no role '{self.role}' (known are {', '.join(ROLES)})")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError(f"until: {self.last} lies before {self.first}")
        return self

    @property
    def recurring(self) -> Recurring | None:
        """None: at any hour between ``first`` and ``last``."""
        return Recurring(days=self.days, hours=self.hours) if self.days or self.hours else None


class MessageSettings(Model):
    """Who is told: roles of the window (handler, superior, leader), inspectors and operators, or people by their id.

    ``notice``, ``yellow``, ``red``: who is told where no route matches. What is None or an empty list is not done.
    """

    notice: list[str] = Field(default_factory=lambda: ["handler"])
    yellow: list[str] = Field(default_factory=lambda: ["handler", "superior"])
    red: list[str] = Field(default_factory=lambda: ["handler", "superior", "leader", "inspectors"])
    inspectors: list[str] = Field(default_factory=list)
    max_age_hours: float = Field(default=24, gt=0)
    #: Who hears that the system itself is in trouble.
    operators: list[str] = added([])
    #: Names of channels, in the order in which they are tried; None: the first one there is.
    channels: Channels | None = added()
    routes: list[NamedRoute] = added([], max_length=200)
    group: GroupSettings | None = added(GroupSettings())
    digest: DigestSettings | None = added()
    flood: FloodSettings | None = added(FloodSettings())
    quiet: QuietSettings | None = added()
    inhibit: list[Inhibition] = added(list(INHIBITIONS), max_length=100)
    budget: BudgetSettings | None = added()
    #: How people are named in messages: in full, 张某, or by what they are.
    names: Literal["full", "surname", "role"] = added("full")
    duty: list[Duty] = added([], max_length=1000)

    def by_severity(self, severity: Severity) -> Route:
        """The route where none matches: the list of a severity."""
        return Route(id=None, to=list(dict.fromkeys(getattr(self, severity))))


#: Where something stands in the centre file, below ``messages``.
Place = tuple[str | int, ...]


def broken_references(
    messages: MessageSettings,
    people: Collection[str],
    windows: Collection[str],
    departments: Collection[str],
) -> Iterator[tuple[Place, str]]:
    """Names that are used but not defined, or used twice, each with its place and one sentence."""
    for key in ("inspectors", "operators"):
        for index, person in enumerate(getattr(messages, key)):
            if person not in people:
                yield (key, index), f"messages.{key}: there is no person '{person}'"
    for key in ("notice", "yellow", "red"):
        yield from _roles((key,), getattr(messages, key), people)
    ids: set[str] = set()
    for index, route in enumerate(messages.routes):
        place: Place = ("routes", index)
        if route.id in ids:
            yield (*place, "id"), f"messages.routes: '{route.id}' stands twice"
        ids.add(route.id)
        yield from _roles((*place, "to"), route.to, people)
        for number, step in enumerate(route.escalate):
            yield from _roles((*place, "escalate", number, "to"), step.to, people)
        yield from _matched((*place, "match"), route.match, windows, departments)
    for index, rule in enumerate(messages.inhibit):
        for key in ("source", "target"):
            yield from _matched(("inhibit", index, key), getattr(rule, key), windows, departments)
    for key, block in (("group", messages.group), ("digest", messages.digest)):
        if block is not None:
            roles: Sequence[str] = getattr(block, "roles" if key == "group" else "to")
            yield from _roles((key, "roles" if key == "group" else "to"), roles, people)
    for index, duty in enumerate(messages.duty):
        if duty.person not in people:
            yield ("duty", index, "person"), f"messages.duty: there is no person '{duty.person}'"


def _roles(place: Place, roles: Sequence[str], people: Collection[str]) -> Iterator[tuple[Place, str]]:
    for index, role in enumerate(roles):
        if role not in ROLES and role not in people:
            known = ", ".join(ROLES)
            yield (
                (*place, index),
                f"messages.{_dotted(place)}: there is no role or person '{role}' (roles are {known})",
            )


def _matched(
    place: Place, match: Match, windows: Collection[str], departments: Collection[str]
) -> Iterator[tuple[Place, str]]:
    known: Mapping[str, Collection[str]] = {"window": windows, "department": departments}
    for key, names in known.items():
        for index, pattern in enumerate(getattr(match, key) or ()):
            if not any(fnmatchcase(name, pattern) for name in names):
                yield (*place, key, index), f"messages.{_dotted(place)}: there is no {key} '{pattern}'"


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)
