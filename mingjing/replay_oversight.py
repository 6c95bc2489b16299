"""What a replay knows of supervision itself: due dates in years nobody has published, and families that stopped finding.

Cameras and absences are no part of a file of events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detectors.blind import judge_calendar, needed_years
from detectors.production import PRODUCERS, judge_family, produced_by, watched_families
from domain.centre import Centre
from domain.centres import Centres
from domain.events import Event
from domain.findings import Finding


@dataclass(slots=True)
class _Counts:
    """Of one centre, by ordinal of the local day."""

    events: Counter[tuple[int, str]] = field(default_factory=Counter)
    findings: Counter[tuple[int, str]] = field(default_factory=Counter)
    needed: dict[int, datetime] = field(default_factory=dict)


class ReplayOversight:
    """Counts while a replay goes on, for the centres that turn the family ``blind`` on; for others it does nothing."""

    def __init__(self, centres: Centres) -> None:
        self._centres = centres
        self._counts = {code: _Counts() for code, each in centres.items() if each.rules.blind is not None}

    def note_event(self, code: str, event: Event) -> None:
        counts = self._counts.get(code)
        if counts is not None:
            counts.events[self._day(code, event.occurred_at), event.kind] += 1

    def begin(self) -> None:
        """Judging begins (again): findings are counted anew."""
        for counts in self._counts.values():
            counts.findings.clear()
            counts.needed.clear()

    def note_case(self, code: str, status: Mapping[str, Any]) -> None:
        """What is known of a case by its status."""
        counts = self._counts.get(code)
        if counts is None or not status.get("provisional"):
            return
        start, centre = status.get("started_at"), self._centres[code]
        due = max((d for d in (status.get("promised_due"), status.get("legal_due")) if d), default=None)
        if start is not None and due is not None:
            for year, since in needed_years([(start, due)], centre).items():
                counts.needed[year] = min(since, counts.needed.get(year, since))

    def note_findings(self, code: str, found: Iterable[Finding]) -> None:
        counts = self._counts.get(code)
        if counts is not None:
            for each in found:
                counts.findings[self._day(code, each.opened_at), each.rule] += 1

    def judge(self, now: datetime) -> Iterator[tuple[str, str, list[Finding]]]:
        """Centre, subject and findings about each centre's supervision, in order; subjects without any are left out."""
        for code, counts in self._counts.items():
            centre: Centre = self._centres[code]
            verdicts = {f"calendar:{centre.calendar.base}": judge_calendar(centre, now, counts.needed)}
            for name in watched_families(centre):
                if PRODUCERS[name].kinds:
                    produced = produced_by(name, counts.events, counts.findings)
                    verdicts[f"rules:{name}"] = judge_family(name, produced, centre, now)
            for subject, verdict in verdicts.items():
                if verdict.findings:
                    yield code, subject, list(verdict.findings)

    def _day(self, code: str, moment: datetime) -> int:
        return self._centres[code].working_time.local_date(moment)
