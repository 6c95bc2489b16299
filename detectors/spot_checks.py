"""Spot checks (抽查): at which window and moment a person looks, drawn so that nobody chooses; and what the answers say of us.

Checking depends on who looks, and when (domain reference, section 8, row 15): the plan is a stratified random sample with a
quota for every window and hour, blind to names, and the same for the same seed. How many windows to sample no source says.

A moment is drawn by the smallest hash of seed, window and moment: anyone can check the draw by hand, in any language, and a
window that is added moves no other window's checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from detectors.confidence import clopper_pearson, wilson
from domain.centre import Centre

Answer = Literal["present", "absent", "unclear"]
ANSWERS: tuple[Answer, ...] = ("present", "absent", "unclear")


@dataclass(frozen=True, slots=True)
class Check:
    """One look to be taken: no name stands in it. ``population``: moments of its window and hour, ``drawn``: how many of them
    were drawn."""

    check_id: str
    window: str
    hour: int
    at: datetime
    population: int
    drawn: int


def plan_checks(
    centre: Centre,
    first: date,
    last: date,
    *,
    seed: str,
    quota: int = 1,
    every: int = 5,
    windows: Iterable[str] | None = None,
) -> list[Check]:
    """The checks of a span of dates, by moment and window; only inside open hours of working days. Pure.

    Args:
        first, last: local dates, both included.
        quota: checks for each window and hour of day over the whole span; all moments where there are fewer.
        every: minutes between the moments that may be drawn.
        windows: only these; None: every window of the centre file.
    """
    wanted = sorted(set(windows) if windows is not None else centre.window_ids)
    checks: list[Check] = []
    for window in wanted:
        strata: dict[int, list[datetime]] = {}
        calendar = centre.open_time(window)
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            for start, end in calendar.office_spans(ordinal):
                at = start
                while at < end:
                    strata.setdefault(calendar.local(at).hour, []).append(at)
                    at += timedelta(minutes=every)
        for hour, moments in sorted(strata.items()):
            drawn = sorted(moments, key=lambda at: (_lot(seed, centre.centre.id, window, at), at))[:quota]
            checks += [
                Check(
                    _lot(seed, centre.centre.id, window, at)[:16], window, hour, at, len(moments), len(drawn)
                )
                for at in drawn
            ]
    return sorted(checks, key=lambda check: (check.at, check.window))


def _lot(seed: str, centre: str, window: str, at: datetime) -> str:
    text = "\x1f".join((seed, centre, window, at.astimezone(UTC).isoformat()))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """A check with what a person said of it, and what we said of the same moment.

    ``absent``: the person's word; None = not answered, or unclear. ``ours``: whether we said absent; None = we were blind.
    """

    window: str
    hour: int
    population: int
    absent: bool | None
    ours: bool | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """``value`` weighs each answer by the moments it stands for, with Wilson's 95 % interval over the effective sample (Kish:
    (Σw)²/Σw²); ``good`` of ``sample`` are the bare numbers, ``exact`` their Clopper–Pearson interval. None = no figure."""

    good: int
    sample: int
    value: float | None
    interval: tuple[float, float] | None
    exact: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How good we are. ``usable``: checks with an answer of a moment we saw; ``blind``: answered, but we saw nothing;
    ``covered``: share of the planned moments (over all strata) that a usable check stands for."""

    planned: int
    usable: int
    unanswered: int
    blind: int
    covered: float | None
    precision: Estimate
    recall: Estimate


def assess(checks: Sequence[Seen]) -> Quality:
    """Precision (of what we called absent, how much was) and recall (of what was absent, how much we called so).

    Unclear answers and moments at which we were blind are in neither; they are counted. A stratum without a usable check
    is not spoken of: ``covered`` says how much is.
    """
    usable = [check for check in checks if check.absent is not None and check.ours is not None]
    number: dict[tuple[str, int], int] = {}
    for check in usable:
        number[check.window, check.hour] = number.get((check.window, check.hour), 0) + 1
    sizes = {(check.window, check.hour): check.population for check in checks}
    whole = sum(sizes.values())

    def share(among: list[Seen], good: list[bool]) -> Estimate:
        weights = [check.population / number[check.window, check.hour] for check in among]
        total, count = sum(weights), sum(good)
        if not among:
            return Estimate(0, 0, None, None, None)
        value = sum(weight for weight, right in zip(weights, good, strict=True) if right) / total
        effective = total * total / sum(weight * weight for weight in weights)
        return Estimate(
            count, len(among), value, wilson(value, effective), clopper_pearson(count, len(among))
        )

    said = [check for check in usable if check.ours]
    empty = [check for check in usable if check.absent]
    return Quality(
        planned=len(checks),
        usable=len(usable),
        unanswered=sum(check.absent is None for check in checks),
        blind=sum(check.absent is not None and check.ours is None for check in checks),
        covered=sum(sizes[stratum] for stratum in number) / whole if whole else None,
        precision=share(said, [bool(check.absent) for check in said]),
        recall=share(empty, [bool(check.ours) for check in empty]),
    )


__all__ = ["ANSWERS", "Answer", "Check", "Estimate", "Quality", "Seen", "assess", "plan_checks"]
