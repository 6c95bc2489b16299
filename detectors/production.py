"""``rule.stopped``: a family of rules that found something nearly every day finds nothing any more, though its events go on.

Finding nothing is what supervision is for, so silence alone says nothing: a family is compared with its own past on working
days, and only a silence that its past makes next to impossible is said. Late rather than false: a family that finds
something once a week is never said to have stopped. Domain reference 8, row 5: a product that issues no card and tells nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import sqrt
from statistics import median
from typing import Any

from detectors.verdict import Claim, Verdict, cast_shadow, settle
from domain.centre import Centre
from domain.findings import Finding
from domain.rules.blind import BlindSettings
from domain.working_time import Calendar

STOPPED = "rule.stopped"
ARTICLES = "P2 (无工作时间表则不发牌); 中心设定"
#: 95 % (two-sided): how sure the past has to be of the share of days on which a family finds something.
_Z = 1.96
#: So many times its longest silence so far, and at least so many days.
_TIMES, _FEWEST = 2, 3
#: A day with less than this share of its usual events says nothing about the rules: the source may be at fault.
_BUSY = 0.5


@dataclass(frozen=True, slots=True)
class Producer:
    """``rules``: beginnings of the names of a family's rules. ``kinds``: beginnings of the kinds of events they rest on; empty:
    on what cameras see."""

    rules: tuple[str, ...]
    kinds: tuple[str, ...]


#: What the contract's eight rules find is told apart from what is found beside them by the family ``time``.
PRODUCERS: Mapping[str, Producer] = {
    "time_limit": Producer(
        ("time_limit.", "acceptance.", "stage.", "suspension.", "extension.late", "delivery."), ("case.",)
    ),
    "absence": Producer(("absence.",), ()),
    "time": Producer(
        (
            "parallel.", "lower_review.", "pre_acceptance.", "immediate.", "deemed_approval.", "licence.",
            "extension.too_", "extension.short_notice", "extension.unexplained",
        ),
        ("case.",),
    ),
    "procedure": Producer(("procedure.",), ("case.",)),
    "fees": Producer(("fees.",), ("fee.",)),
    "both_doors": Producer(("both_doors.",), ("case.", "queue.", "certificate.")),
    "truthfulness": Producer(("truthfulness.",), ("case.",)),
    "ratings": Producer(("rating.",), ("rating.",)),
    "complaints": Producer(("complaint.",), ("complaint.",)),
    "staffing": Producer(("staffing.",), ("leave.", "cover.")),
    "attendance": Producer(("attendance.",), ("attendance.",)),
    "intermediaries": Producer(("commission.",), ("commission.",)),
    "trading": Producer(("bid.",), ("bid.",)),
}  # fmt: skip


def watched_families(centre: Centre) -> list[str]:
    """Families of a centre that are on, and so can stop."""
    always = ["time_limit", *(["absence"] if centre.cameras else [])]
    beyond = [name for name in PRODUCERS if name not in ("time_limit", "absence")]
    return always + [name for name in beyond if getattr(centre.rules, name) is not None]


@dataclass(frozen=True, slots=True)
class Produced:
    """What a family had to judge on a local day (its ordinal), and how much it found."""

    day: int
    events: int
    findings: int


def produced_by(
    family: str,
    events: Mapping[tuple[int, str], int],
    findings: Mapping[tuple[int, str], int],
    looks: Mapping[int, int] | None = None,
) -> list[Produced]:
    """A family's days out of counts of everything.

    Args:
        events: (day, kind) → number. findings: (day, rule) → number. looks: day → looks of cameras that saw anything.
    """
    producer = PRODUCERS[family]
    seen: dict[int, int] = {}
    made: dict[int, int] = {}
    for (day, kind), number in events.items():
        if producer.kinds and kind.startswith(producer.kinds):
            seen[day] = seen.get(day, 0) + number
    if not producer.kinds:
        seen = dict(looks or {})
    for (day, rule), number in findings.items():
        if rule.startswith(producer.rules):
            made[day] = made.get(day, 0) + number
    return [Produced(day, seen.get(day, 0), made.get(day, 0)) for day in sorted(seen.keys() | made.keys())]


@dataclass(frozen=True, slots=True)
class _Silence:
    """A silence that was said: from and until which day (None = it goes on), and what its past was."""

    day: int
    until: int | None
    row: Mapping[str, Any]


def judge_family(
    family: str,
    produced: Iterable[Produced],
    centre: Centre,
    now: datetime,
    said: Sequence[Finding] = (),
    after: datetime | None = None,
) -> Verdict:
    """``rule.stopped``. Pure; goes by whole local days, so the answer changes at midnight.

    Args:
        produced: as far back as is known; in any order.
        said: what was said of the family before: it stands as it was said, though less of the past is known by now.
        after: a silence that was over by then, and of which nothing was said, is not spoken of any more.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    today = calendar.local_date(now)
    days = sorted((each for each in produced if each.day < today), key=lambda each: each.day)
    claims: list[Claim] = []
    before = [f for f in said if f.rule == STOPPED and (f.state != "revoked" or f.revoked_person is not None)]
    for old in sorted(before, key=lambda f: f.opened_at):
        first = calendar.local_date(old.opened_at)
        again = next((each.day for each in days if each.day >= first and each.findings), None)
        until = old.closed_at or (None if again is None else calendar.day_start(again))
        claims.append(_claim(old.opened_at.astimezone(UTC), until, dict(old.explain)))
    reached = max((f.closed_at or now for f in before), default=None)
    for silence in _silences(days, calendar, rules):
        opened = calendar.day_start(silence.day)
        until = None if silence.until is None else calendar.day_start(silence.until)
        if (reached is not None and opened <= reached) or (
            after is not None and until is not None and until <= after
        ):
            continue
        row = {"family": family, "chance": rules.rule_chance, **silence.row, "articles": ARTICLES}
        claims.append(_claim(opened, until, row))
    findings, _ = settle(claims, now, centre=centre.centre.id, subject=f"rules:{family}")
    status = {"stopped": any(f.state == "open" for f in findings)}
    verdict = Verdict(tuple(findings), calendar.day_start(today + 1), status)
    return cast_shadow(verdict) if rules.shadow else verdict


def _claim(opened: datetime, until: datetime | None, row: Mapping[str, Any]) -> Claim:
    return Claim(STOPPED, "notice", opened, opened, opened, until, until, explain=partial(dict, row))


def _silences(days: Sequence[Produced], calendar: Calendar, rules: BlindSettings) -> list[_Silence]:
    found: list[_Silence] = []
    usual: list[int] = []  # events of the days before the silence
    quiet: list[int] = []  # and of the silence
    spoke = longest = 0
    last = first = None
    opened: tuple[int, Mapping[str, Any]] | None = None
    for each in days:
        if each.findings:
            if opened is not None:
                found.append(_Silence(opened[0], each.day, opened[1]))
                opened = None
            # A silence that ends by itself is part of what is known of the family.
            longest = max(longest, len(quiet))
            usual += quiet
            quiet, last = [], each.day
            if calendar.is_working(each.day):
                usual.append(each.events)
                spoke += 1
                first = each.day if first is None else first
            continue
        # What came before the family first found anything is no past of its own: it may have been turned on then.
        if first is None or not each.events or not calendar.is_working(each.day):
            continue
        if each.events < _BUSY * median(usual):
            continue
        quiet.append(each.events)
        if opened is None and _is_stopped(spoke, len(usual), len(quiet), longest, rules):
            row = {
                "last_day_with_findings": _date(calendar, last),
                "days_silent": len(quiet),
                "days_before": len(usual),
                "days_with_findings": spoke,
                "longest_silence": longest,
                "events": sum(quiet),
            }
            opened = (each.day + 1, row)
    if opened is not None:
        found.append(_Silence(opened[0], None, opened[1]))
    return found


def _date(calendar: Calendar, day: int | None) -> str | None:
    return None if day is None else calendar.local(calendar.day_start(day)).date().isoformat()


def _is_stopped(spoke: int, days: int, silent: int, longest: int, rules: BlindSettings) -> bool:
    if days < rules.rule_days or silent < _FEWEST or silent <= _TIMES * longest:
        return False
    return (1 - lowest_share(spoke, days)) ** silent <= rules.rule_chance


def lowest_share(hits: int, tries: int) -> float:
    """The lower end of Wilson's interval for a share (Wilson 1927): what it may well be, seen so seldom."""
    if not tries:
        return 0.0
    share, square = hits / tries, _Z * _Z
    middle = share + square / (2 * tries)
    spread = _Z * sqrt(share * (1 - share) / tries + square / (4 * tries * tries))
    return max(0.0, (middle - spread) / (1 + square / tries))


__all__ = [
    "PRODUCERS", "STOPPED", "Produced", "Producer", "judge_family", "lowest_share", "produced_by", "watched_families",
]  # fmt: skip
