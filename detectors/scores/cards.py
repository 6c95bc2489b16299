"""One card a subject and period: figures, score, peers. The same functions over a file and over the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal, TypeVar

from detectors.scores.facts import APART, CaseFact, FindingFact, Looks, RatingFact
from detectors.scores.periods import Period
from detectors.scores.points import Line, Score, at_issue, score_month
from detectors.scores.rates import (
    Rate,
    Spread,
    completion,
    finished_in,
    kept,
    same_day,
    satisfaction,
    spread,
    staffed,
    used_shares,
)
from domain.centre import Centre
from domain.findings import SEVERITIES
from domain.rules.scores import ScoreSettings

By = Literal["centre", "department", "window", "person", "item"]
#: Of what is known of nobody: cases without a window have no department.
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Book:
    """All that is known of a centre. ``looks``: (kind of subject, its id) → looks at its seats in the period."""

    centre: Centre
    cases: Sequence[CaseFact] = ()
    findings: Sequence[FindingFact] = ()
    ratings: Sequence[RatingFact] = ()
    looks: Mapping[tuple[str, str], Looks] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """A subject in a period.

    ``counts`` and ``rates``: by the names of docs/scores.md. ``used``: share of the limit used up, ``peers``: the same of the
    others who handle the same items. ``months``: month → score of a quarter or year, whose own score is their mean.
    """

    by: By
    key: str
    name: str
    centre: str
    period: str
    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    used: Spread
    peers: Spread
    score: Score
    months: Mapping[str, float | None] = field(default_factory=dict)
    grade: str | None = None


def settings_of(centre: Centre) -> ScoreSettings:
    """Those of the centre file, or the defaults."""
    return centre.rules.scores or ScoreSettings()


def make_cards(
    book: Book, period: Period, by: By, abroad: Mapping[str, Sequence[float]] | None = None
) -> list[Card]:
    """A card for each subject that the period says anything of, by its id; what belongs to nobody has the id ``""``.

    Args:
        abroad: item → shares of the limit used in the other centres: the peers of a centre and of an item.
    """
    owner = _Owner(book, by)
    cases, findings = _groups(book.cases, owner), _groups(book.findings, owner)
    ratings = _groups(book.ratings, owner)
    keys = {key for key, group in cases.items() if at_issue(group, period)}
    keys |= {key for key, group in findings.items() if any(period.holds(f.opened_at) for f in group)}
    keys |= {key for key, group in ratings.items() if any(period.holds(r.at) for r in group)}
    keys |= {key for kind, key in book.looks if kind == by}
    shares = {key: shares_by_item(group, period) for key, group in cases.items()}
    peers = _Peers(shares, abroad or {}, among=by not in ("centre", "item"))
    return [
        _card(
            book,
            by,
            key,
            period,
            cases.get(key, []),
            findings.get(key, []),
            ratings.get(key, []),
            peers.of(key),
        )
        for key in sorted(keys)
    ]


def shares_by_item(cases: Iterable[CaseFact], period: Period) -> dict[str, list[float]]:
    """Shares of the limit used up by what was finished in the period, by item."""
    groups: dict[str, list[CaseFact]] = {}
    for case in cases:
        groups.setdefault(case.item or NOBODY, []).append(case)
    return {item: found for item, group in groups.items() if (found := used_shares(group, period))}


class _Owner:
    """Whose a case, finding or rating is."""

    def __init__(self, book: Book, by: By) -> None:
        self._centre, self._by = book.centre, by
        self._case = {case.case: case for case in book.cases}

    def __call__(self, fact: CaseFact | FindingFact | RatingFact) -> str:
        """Its own word counts; what it leaves out, its case says."""
        if self._by == "centre":
            return self._centre.centre.id
        case = self._case.get(fact.case or "")
        if self._by == "item":
            return fact.item or (case.item if case else None) or NOBODY
        if self._by == "person":
            return fact.staff or (case.staff if case else None) or NOBODY
        window = fact.window or (case.window if case else None) or NOBODY
        if self._by == "window":
            return window
        found = self._centre.window_by_id.get(window)
        return (found.department if found else None) or NOBODY


_Fact = TypeVar("_Fact", CaseFact, FindingFact, RatingFact)


def _groups(facts: Iterable[_Fact], owner: _Owner) -> dict[str, list[_Fact]]:
    groups: dict[str, list[_Fact]] = {}
    for fact in facts:
        groups.setdefault(owner(fact), []).append(fact)
    return groups


class _Peers:
    """The shares of those who handle the same items: of the other subjects, or of the other centres."""

    def __init__(
        self,
        shares: Mapping[str, Mapping[str, Sequence[float]]],
        abroad: Mapping[str, Sequence[float]],
        among: bool,
    ) -> None:
        self._shares, self._pool = shares, {item: {NOBODY: list(found)} for item, found in abroad.items()}
        if among:
            self._pool = {}
            for key, items in shares.items():
                for item, found in items.items():
                    self._pool.setdefault(item, {})[key] = list(found)
        self._among = among

    def of(self, key: str) -> Spread:
        items = self._shares.get(key, {})
        return spread(
            value
            for item in items
            for other, found in self._pool.get(item, {}).items()
            if not self._among or other != key
            for value in found
        )


def _card(
    book: Book,
    by: By,
    key: str,
    period: Period,
    cases: Sequence[CaseFact],
    findings: Sequence[FindingFact],
    ratings: Sequence[RatingFact],
    peers: Spread,
) -> Card:
    settings = settings_of(book.centre)
    scores = {
        month.name: score_month(cases, findings, month, book.centre, settings) for month in period.months
    }
    score = _mean(list(scores.values()), len(at_issue(cases, period)))
    return Card(
        by=by,
        key=key,
        name=_name(book.centre, by, key),
        centre=book.centre.centre.id,
        period=period.name,
        counts=_counts(cases, findings, ratings, period),
        rates={
            "completion": completion(cases, period),
            "promised": kept(cases, period, "promised_due"),
            "legal": kept(cases, period, "legal_due"),
            "same_day": same_day(cases, period),
            "satisfaction": satisfaction(ratings, cases, period, settings.satisfied_to),
            "staffed": staffed(book.looks.get((by, key))),
        },
        used=spread(used_shares(cases, period)),
        peers=peers,
        score=score,
        months={name: found.value for name, found in scores.items()} if period.parts else {},
        grade=_grade(score.value, settings),
    )


def _mean(scores: Sequence[Score], cases: int) -> Score:
    """R4, A26: quarter and year are the mean of their months. A month without a figure is none of them."""
    if len(scores) == 1:
        return scores[0]
    known = [score for score in scores if score.value is not None]
    lines: dict[str, Line] = {}
    for line in (line for score in scores for line in score.lines):
        before = lines.get(line.what)
        lines[line.what] = line if before is None else _plus(before, line)
    if not known:
        return Score(None, cases, tuple(lines.values()))
    value, spared = (
        round(fmean(number for number in numbers if number is not None), 2)
        for numbers in ([s.value for s in known], [s.if_revoked for s in known])
    )
    return Score(value, cases, tuple(lines.values()), spared)


def _plus(one: Line, other: Line) -> Line:
    return Line(
        one.what,
        one.points + other.points,
        one.count + other.count,
        one.findings + other.findings,
        one.pending + other.pending,
        one.part,
    )


def _counts(
    cases: Sequence[CaseFact], findings: Iterable[FindingFact], ratings: Iterable[RatingFact], period: Period
) -> dict[str, int]:
    asked = at_issue(cases, period)
    accepted = [case for case in cases if period.holds(case.started_at)]
    counts = {
        "accepted": len(accepted),
        "finished": len(finished_in(cases, period)),
        "running": sum(case.outcome is None for case in accepted),
    }
    for outcome in APART:
        counts[outcome] = sum(case.outcome == outcome and period.holds(case.stopped_at) for case in cases)
    fates = [case.fate(case.promised_due) for case in cases]
    counts["late"] = sum(fate is not None and not fate[1] and period.holds(fate[0]) for fate in fates)
    counts["late_entered"] = sum(bool(case.late_entered) for case in asked)
    counts["provisional"] = sum(case.provisional for case in asked)
    inside = [finding for finding in findings if period.holds(finding.opened_at)]
    for severity in SEVERITIES:
        counts[severity] = sum(f.severity == severity and not f.revoked for f in inside)
        counts[f"revoked_{severity}"] = sum(f.severity == severity and f.revoked for f in inside)
    counts["appealed"] = sum(f.appealed and not f.revoked for f in inside)
    given = [rating for rating in ratings if period.holds(rating.at)]
    counts["ratings"] = sum(not rating.default for rating in given)
    counts["default_ratings"] = sum(rating.default for rating in given)
    return counts


def _name(centre: Centre, by: By, key: str) -> str:
    if by == "centre":
        return centre.centre.name
    if by == "department":
        return next((each.name for each in centre.departments if each.id == key), "")
    if by == "person":
        return next((each.name for each in centre.people if each.id == key), "")
    named = centre.window_by_id.get(key) if by == "window" else centre.item_by_code.get(key)
    return named.name if named is not None else ""


def _grade(value: float | None, settings: ScoreSettings) -> str | None:
    if value is None:
        return None
    if value >= settings.grades.passed:
        return "pass"
    return "basic" if value >= settings.grades.basic else "fail"


__all__ = ["NOBODY", "Book", "By", "Card", "make_cards", "settings_of", "shares_by_item"]
