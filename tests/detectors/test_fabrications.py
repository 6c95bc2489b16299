"""Made-up cases in a real log: how many the rules of truthfulness find, and how often they accuse honest work.

Thresholds were chosen on seed 1; what is printed (``-s``) and asserted is of seeds they have not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.case_grade import grade
from detectors.cases import judge_case
from detectors.families import subjects_of
from domain.centre import Centre
from domain.events import Event, parse_event
from mingjing.importing import import_log
from tests.detectors.fabrications import KINDS, SEEN_BY, Made, cases_of, make, with_people

SEEDS = (2, 3, 4)
NOW = datetime(2013, 1, 1, tzinfo=UTC)
FAMILIES = ("truthfulness.", "both_doors.", "fees.")
#: (recall, precision) that must be reached. What is made so that it must be missed is in the recall.
FLOORS = {
    "stamped": (0.9, 0.9),
    "stranger": (0.75, 0.7),
    "evening": (0.85, 0.95),
    "last_day": (0.8, 0.75),
    "seen_closed": (0.95, 0.95),
    "backdated": (0.8, 0.7),
    "no_time": (0.95, 0.9),
}


@dataclass
class Seen:
    """Case → rules that point at it; and every finding once, by rule."""

    by_case: dict[str, set[str]] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)


def look(events: Iterable[dict[str, Any]], centre: Centre) -> Seen:
    """Judges every case and every other subject at the end of the log."""
    parsed = [parse_event(event) for event in events]
    seen, cases = Seen(), cases_of_events(parsed)
    for number, case in cases.items():
        for finding in judge_case(case, centre, NOW).findings:
            if finding.rule.startswith(FAMILIES):
                seen.by_case.setdefault(number, set()).add(finding.rule)
                seen.findings[finding.rule] += 1
    subjects: dict[tuple[str, str], list[Event]] = {}
    judges = {}
    for event in parsed:
        for family, name in subjects_of(event, centre):
            subjects.setdefault((family.subject, name), []).append(event)
            judges[family.subject] = family.judge
    for (subject, name), those in subjects.items():
        for finding in judges[subject](name, those, centre, NOW).findings:
            seen.findings[finding.rule] += 1
            for number in finding.explain.get("cases", ()):
                seen.by_case.setdefault(number, set()).add(finding.rule)
    return seen


def cases_of_events(events: Iterable[Event]) -> dict[str, list[Event]]:
    cases: dict[str, list[Event]] = {}
    for event in events:
        assert event.case is not None
        cases.setdefault(event.case, []).append(event)
    return cases


@pytest.fixture(scope="module")
def log(shared_data):
    path = shared_data / "permits" / "receipt.csv"
    if not path.exists():
        pytest.skip("the permit log is not here")
    return import_log(path, "permits")


@dataclass
class Tally:
    made: int = 0
    found: int = 0
    flagged: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.made

    @property
    def precision(self) -> float:
        return self.right / self.flagged if self.flagged else 1.0


def tally(made: Made, seen: Seen, totals: dict[str, Tally]) -> None:
    for kind, rules in SEEN_BY.items():
        of_kind = {number for number, each in made.kinds.items() if each == kind}
        flagged = {number for number, found in seen.by_case.items() if found & rules}
        total = totals.setdefault(kind, Tally())
        total.made += len(of_kind)
        total.found += len(of_kind & flagged)
        total.flagged += len(flagged)
        total.right += len(flagged & made.kinds.keys())
    any_sign = seen.by_case.keys()
    total = totals.setdefault("any sign", Tally())
    total.made += len(made.kinds)
    total.found += len(made.kinds.keys() & any_sign)
    total.flagged += len(any_sign)
    total.right += len(made.kinds.keys() & any_sign)


def test_precision_and_recall_on_seeds_not_seen(log):
    totals: dict[str, Tally] = {}
    grades: dict[str, Counter[str]] = {"honest": Counter(), "made up": Counter()}
    noise: Counter[str] = Counter()
    honest = 0
    for seed in SEEDS:
        made = make(log.events, log.centre, seed)
        seen = look(made.events, made.centre)
        tally(made, seen, totals)
        honest += len(made.honest)
        for number in {event["case"] for event in made.events}:
            who = "made up" if number in made.kinds else "honest"
            grades[who][grade(seen.by_case.get(number, ())).grade] += 1
            if who == "honest":
                noise.update(seen.by_case.get(number, ()))
    print(
        f"\nseeds {SEEDS}: {sum(t.made for k, t in totals.items() if k in KINDS)} made-up cases, {honest} honest"
    )
    for kind, total in totals.items():
        print(
            f"{kind:12} recall {total.recall:.2f} ({total.found}/{total.made})  "
            f"precision {total.precision:.2f} ({total.right}/{total.flagged})"
        )
    for who, counts in grades.items():
        share = {g: f"{counts[g] / sum(counts.values()):.1%}" for g in "ABCD"}
        print(f"grades of {who} cases: {share}")
    print(f"honest cases a rule points at: {dict(noise.most_common())}")
    for kind, (recall, precision) in FLOORS.items():
        assert totals[kind].recall >= recall, kind
        assert totals[kind].precision >= precision, kind


def test_a_clean_log_is_not_flooded(log):
    """The log as it is imported, everybody on the list: it has no timestamps but its own."""
    centre = with_people(log.centre, log.events, least=1)
    seen = look(log.events, centre)
    cases = cases_of(log.events)
    print(f"\nclean log, {len(cases)} cases: {dict(seen.findings.most_common())}")
    assert sum(seen.findings.values()) <= 0.02 * len(cases)


def test_the_same_seed_makes_the_same_log(log):
    assert make(log.events, log.centre, 7).events == make(log.events, log.centre, 7).events
