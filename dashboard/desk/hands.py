"""What the desk is handed: the rooms behind it that a dashboard may not import, as plain functions and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from domain.centre import Centre
from store.connection import Connection
from store.finding_life import Tell, tell_nobody

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Cards ranked with each other (objects of docs/scores.md). ``title``: level or centre; empty where there is one table.

    ``as_of``: up to which moment; ``made_at``: when it was counted.
    """

    title: str
    places: Sequence[Row]
    as_of: datetime
    made_at: datetime


class Scores(Protocol):
    def __call__(
        self, connection: Connection, centre: Centre, kind: str, period: str, by: str, now: datetime
    ) -> Sequence[ScoreTable]:
        """Cards of a month, quarter or year.

        Raises:
            InputError: there is no such period.
        """


class MakePlan(Protocol):
    def __call__(
        self,
        connection: Connection,
        centre: Centre,
        first: date,
        last: date,
        *,
        quota: int,
        person: str,
        now: datetime,
    ) -> str:
        """Draws a plan of spot checks, keeps it and returns its id."""


@dataclass(frozen=True, slots=True)
class ToldRow:
    """One decision about a message, in words: to whom and by which roles (``chosen``), for what, by which way (the address
    masked), what ``became`` of it and its moments; ``state`` is the code."""

    number: int
    who: str
    chosen: str
    why: str
    template: str
    channel: str
    address: str
    state: str
    became: str
    life: str
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Who was told of a finding, in words.

    ``alarms``: why nothing leaves at this time; ``nobody``: why nobody was told, empty where somebody was; ``route``: who is to be
    told; ``coming``: moment, what, to whom; ``digests``: that somebody heard of it in the digest of the day.
    """

    alarms: Sequence[str]
    nobody: str
    route: str
    rows: Sequence[ToldRow]
    coming: Sequence[tuple[str, str, str]]
    digests: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel: whether it is on, else why and since when; what waits for it, and what became of its messages of a day."""

    name: str
    on: bool
    why: str
    since: str
    waiting: int
    sent: int
    delivered: int
    undelivered: int
    unknown: int
    dead: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A send that is to come, to one or several people; ``finding`` empty: of many; ``about``: what that is, in words."""

    at: str
    what: str
    who: str
    finding: str
    about: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that has not arrived, in words; ``went_on``: by which other channel; ``about``: what the finding is."""

    at: str
    who: str
    channel: str
    address: str
    template: str
    state: str
    became: str
    went_on: str
    finding: str
    about: str


@dataclass(frozen=True, slots=True)
class Overview:
    """How messages do.

    ``alarms``: why nothing leaves; ``troubles``: what is wrong, what to do, since when; ``counts``: state, reason in words, number
    (of a day, and of all that wait).
    """

    alarms: Sequence[str]
    troubles: Sequence[tuple[str, str, str]]
    channels: Sequence[ChannelRow]
    counts: Sequence[tuple[str, str, int]]
    waiting: Sequence[Waiting]
    failed: Sequence[Failed]


@dataclass(frozen=True, slots=True)
class SilenceAsked:
    """A silence as somebody asks for it: ``match`` by key, moments with their zone, ``days`` and ``hours`` in which it holds."""

    match: Mapping[str, tuple[str, ...]]
    reason: str
    starts_at: datetime
    ends_at: datetime
    days: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()


class Silences(Protocol):
    """Whose messages wait, and who said so."""

    def every(self, connection: Connection, centre: Centre, now: datetime) -> Sequence[Row]:
        """The newest first: ``silence`` (number), ``state`` (held, resting, coming, over), ``match``, ``author``, ``reason``,
        ``starts_at``, ``ends_at``, ``days``, ``hours``, ``ended_at``, ``ended_by``, ``held`` (messages it keeps)."""

    def begin(
        self,
        connection: Connection,
        centre: Centre,
        asked: SilenceAsked,
        *,
        author: str,
        now: datetime,
        replaces: int | None = None,
    ) -> int:
        """Begins one, in the place of another perhaps; returns its number.

        Raises:
            InputError: the field before the colon cannot be so.
            StepRefusedError: its author is a party.
        """

    def end(self, connection: Connection, centre: Centre, number: int, *, by: str, now: datetime) -> None:
        """Ends one before its time.

        Raises:
            InputError: there is none of this number, or it is over.
        """


@dataclass(frozen=True)
class Hands:
    """Everything that is handed in. What is missing leaves its part of the page out.

    Args:
        tell: who is told of a revoked or a manual finding, by centre.
        told: of a finding: who was told when, and what became of it: (connection, centre, finding, now, language).
        overview: how the messages of a centre do: (connection, centre, now, language).
        silences: see :class:`Silences`.
        scores: see :class:`Scores`.
        plan: see :class:`MakePlan`.
        quality: of a plan: ``seeing`` and ``findings``, each with precision and recall as objects.
        bundle: an inspector's bundle of a finding or, with True, of its case: (connection, centre, finding, whole_case, now, by).
    """

    tell: Callable[[Centre], Tell] = lambda _centre: tell_nobody
    told: Callable[[Connection, Centre, str, datetime, str], Told] | None = None
    overview: Callable[[Connection, Centre, datetime, str], Overview] | None = None
    silences: Silences | None = None
    scores: Scores | None = None
    plan: MakePlan | None = None
    quality: Callable[[Connection, Centre, str], Mapping[str, Row]] | None = None
    bundle: Callable[[Connection, Centre, str, bool, datetime, str], bytes] | None = None


__all__ = [
    "ChannelRow",
    "Failed",
    "Hands",
    "MakePlan",
    "Overview",
    "Row",
    "ScoreTable",
    "Scores",
    "SilenceAsked",
    "Silences",
    "Told",
    "ToldRow",
    "Waiting",
]
