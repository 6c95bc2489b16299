"""Two sets of findings, side by side, of a history of any length: in a temporary file (:mod:`mingjing.temporary_tables`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from detectors.comparison import Group, group_key
from domain.findings import Finding
from mingjing.temporary_tables import TemporaryTables

TOGETHER = 500

_TABLE = (
    "create table found (subject text, rule text, severity text, side integer, place integer, shadow integer, finding_id text, centre text,"
    " case_id text, window text, opened_at text, due_at text,"
    " primary key (subject, rule, severity, side, place)) without rowid"
)


class KeptFindings:
    """Of a finding what a comparison reads: whose it is, its rule and severity, opening and deadline.

    Raises (every method):
        StoreError: no room in the temporary folder, or it cannot be written.
    """

    def __init__(self) -> None:
        self._tables = TemporaryTables(_TABLE)
        self._waiting: list[tuple[object, ...]] = []
        self._place = 0

    def add(self, side: int, finding: Finding) -> None:
        """``side``: 0 or 1."""
        self._place += 1
        due = None if finding.due_at is None else finding.due_at.isoformat()
        self._waiting.append(
            (*group_key(finding), side, self._place, finding.shadow, finding.finding_id, finding.centre, finding.case, finding.window,
             finding.opened_at.isoformat(), due)
        )  # fmt: skip
        if len(self._waiting) >= TOGETHER:
            self._write()

    def count_cases(self) -> int:
        """With any finding on either side, issued or not."""
        self._write()
        (count,) = self._tables.run("select count(distinct case_id) from found").fetchone()
        return int(count)

    def groups(self) -> Iterator[Group]:
        """By subject, rule and severity, in order: the findings of both sides that are issued, each side in the order it came."""
        self._write()
        rows = self._tables.rows(
            "select subject, rule, severity, side, finding_id, centre, case_id, window, opened_at, due_at from found"
            " where not shadow order by subject, rule, severity, side, place"
        )
        for (subject, rule, severity), group in groupby(rows, key=itemgetter(0, 1, 2)):
            sides: tuple[list[Finding], list[Finding]] = [], []
            for *_, side, finding_id, centre, case, window, opened, due in group:
                due_at = None if due is None else datetime.fromisoformat(due)
                sides[side].append(
                    Finding(
                        finding_id, rule, severity, centre, datetime.fromisoformat(opened), case=case, window=window,
                        due_at=due_at,
                    )
                )  # fmt: skip
            yield (subject, rule, severity), sides

    def _write(self) -> None:
        self._tables.run_many(f"insert into found values ({', '.join('?' * 12)})", self._waiting)
        self._waiting.clear()


__all__ = ["KeptFindings"]
