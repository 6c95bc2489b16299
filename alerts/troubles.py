"""What can be wrong with the system's own messages, and whether operators have to hear of it now. Pure.

All times are real seconds: gateways and processes are real, however fast a demo's clock runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal[
    "channel_off",  # a provider refuses everything
    "channel_failing",  # its messages went on by others, because it failed for too long
    "waiting",  # a message that should have left has not
    "given_up",  # messages died, and no other channel took them
    "not_arriving",  # too many of a day did not arrive
    "no_receipts",  # not one receipt of a day, where they were expected
    "unmatched",  # many receipts that belong to nothing of ours
    "silent",  # a process gives no sign of life
    "held_overdue",  # what was held back is not let go
]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong.

    Args:
        about: the channel or the role of the process; "" where it is the whole.
        values: what its words need (:mod:`alerts.trouble_words`); plain JSON.
    """

    kind: Kind
    about: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.about}" if self.about else self.kind

    @property
    def channel(self) -> str | None:
        """The channel that it had better not be told by."""
        return None if self.kind in ("silent", "held_overdue", "given_up") else self.about


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Args:
        off: channel → the provider's words, where it was switched off for refusing everything.
        moved: channel → messages that went on within an hour because it failed for too long.
        waiting: channel → seconds the oldest message has waited that should have left; without channels that are off.
        given_up: messages that died within an hour and that no other channel took.
        day: channel → state → messages handed over within a day.
        unmatched: channel → receipts within an hour that belong to nothing.
        silent: role → seconds since its last sign of life; a role that never gave one is left out.
        held_overdue: seconds by which the oldest held message is overdue. held: how many are.
    """

    off: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, float] = field(default_factory=dict)
    given_up: int = 0
    day: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unmatched: Mapping[str, int] = field(default_factory=dict)
    silent: Mapping[str, float] = field(default_factory=dict)
    held_overdue: float = 0.0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on it is trouble, and how long it has to last.

    Args:
        share: of a day's messages that did not arrive, where there are at least ``few``.
        lasts: seconds a trouble has to last before anybody hears of it; a channel that is off is told at once.
        quiet: seconds it has to be gone to be over: what flutters is one trouble.
        again: while it lasts it is said again.
    """

    waiting: float = 900.0
    given_up: int = 1
    share: float = 0.3
    few: int = 10
    unmatched: int = 100
    silent: float = 120.0
    held_overdue: float = 600.0
    lasts: float = 30.0
    quiet: float = 300.0
    again: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """A trouble that is there already. ``told_at`` None: too young to be told."""

    name: str
    since: datetime
    seen_at: datetime
    told_at: datetime | None = None
    times: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look leads to: ``tell`` (with how many messages there were before), ``clear`` (told before), ``forget`` (never told)."""

    tell: tuple[Trouble, ...] = ()
    clear: tuple[Known, ...] = ()
    forget: tuple[Known, ...] = ()


def troubles(facts: Facts, limits: Limits = Limits()) -> list[Trouble]:
    """Everything that is wrong, each once."""
    return list(_troubles(facts, limits))


def _troubles(facts: Facts, limits: Limits) -> Iterator[Trouble]:
    for channel, error in facts.off.items():
        yield Trouble("channel_off", channel, {"error": error})
    for channel, count in facts.moved.items():
        if count and channel not in facts.off:
            yield Trouble("channel_failing", channel, {"count": count})
    for channel, seconds in facts.waiting.items():
        if seconds > limits.waiting and channel not in facts.off:
            yield Trouble("waiting", channel, {"minutes": int(seconds // 60)})
    if facts.given_up >= limits.given_up:
        yield Trouble("given_up", "", {"count": facts.given_up})
    for channel, states in facts.day.items():
        arrived, lost = states.get("delivered", 0), states.get("undelivered", 0)
        unknown, total = states.get("unknown", 0), sum(states.values())
        if unknown >= limits.few and not arrived and not lost:
            yield Trouble("no_receipts", channel, {"count": unknown})
        elif lost + unknown >= limits.few and lost + unknown > limits.share * total:
            yield Trouble("not_arriving", channel, {"count": lost + unknown, "total": total})
    for channel, count in facts.unmatched.items():
        if count >= limits.unmatched:
            yield Trouble("unmatched", channel, {"count": count})
    for role, seconds in facts.silent.items():
        if seconds > limits.silent:
            yield Trouble("silent", role, {"minutes": int(seconds // 60)})
    if facts.held_overdue > limits.held_overdue:
        yield Trouble("held_overdue", "", {"count": facts.held})


def decide(
    found: Sequence[Trouble],
    known: Iterable[Known],
    now: datetime,
    limits: Limits = Limits(),
) -> Verdict:
    """Which of the troubles are told now, and which are over.

    Args:
        now: real time.
    """
    before, names = {each.name: each for each in known}, {each.name for each in found}
    tell = tuple(trouble for trouble in found if _is_due(trouble, before.get(trouble.name), now, limits))
    over = [
        each
        for each in before.values()
        if each.name not in names and now - each.seen_at >= timedelta(seconds=limits.quiet)
    ]
    return Verdict(
        tell, tuple(each for each in over if each.times), tuple(each for each in over if not each.times)
    )


def _is_due(trouble: Trouble, known: Known | None, now: datetime, limits: Limits) -> bool:
    if known is None:
        return trouble.kind == "channel_off"
    if known.told_at is None:
        return now - known.since >= timedelta(seconds=limits.lasts)
    return now - known.told_at >= limits.again


__all__ = ["Facts", "Kind", "Known", "Limits", "Trouble", "Verdict", "decide", "troubles"]
