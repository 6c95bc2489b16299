"""Answers that do not come: whoever is responsible is reminded once, when the clock of a step runs out.

Each finding knows when to look at it next; nothing is searched for. That a step is late is no act in the life of the finding
(a click that was possible stays possible): it stands in the evidence chain, and whoever asks sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.centre import Centre
from domain.chain import Entry
from domain.finding_life import Pending, remind_whom, to_remind
from domain.findings import Finding
from store import chain
from store.connection import PASSING, Connection
from store.finding_life import FindingLife, finding_of, lives_of
from store.reading import finding as read_finding
from store.reminders import claim_reminders, save_reminder

log = logging.getLogger(__name__)

#: (connection, finding, step that is late, now): writes the messages inside the transaction.
Remind = Callable[[Connection, Finding, Pending, datetime], Any]
#: Findings looked at in one transaction.
BATCH = 50
#: How long one that cannot be looked at waits.
PUSH_AHEAD = timedelta(hours=1)
_TICK = timedelta(microseconds=1)
LATE = "answer.late"


def remind_nobody(_connection: Connection, _finding: Finding, _late: Pending, _now: datetime) -> None:
    """Writes no messages."""


@dataclass(slots=True)
class _Done:
    """What a batch has come to."""

    entries: list[Entry] = field(default_factory=list)
    reminded: int = 0


def remind_due(
    connection: Connection, centre: Centre, now: datetime, remind: Remind, limit: int = BATCH
) -> tuple[int, bool]:
    """Looks at findings whose moment has come, in one transaction.

    Returns:
        Of how many somebody was reminded, and whether more may be due.
    """
    with connection.transaction():
        claimed = claim_reminders(connection, centre.centre.id, now, limit)
        done = _Done()
        for finding, reminded in claimed:
            try:
                with connection.transaction():
                    _look(connection, centre, finding, reminded, now, remind, done)
            except PASSING:
                raise
            except Exception as error:
                log.error("finding %s cannot be looked at for reminding: %r", finding, error, exc_info=error)
                save_reminder(connection, finding, now + PUSH_AHEAD, reminded)
        # Last of all rows, as everywhere.
        chain.append(connection, centre.centre.id, done.entries, now)
    return done.reminded, len(claimed) == limit


def _look(
    connection: Connection,
    centre: Centre,
    finding: str,
    reminded: list[str],
    now: datetime,
    remind: Remind,
    done: _Done,
) -> None:
    life: FindingLife = lives_of(connection, centre, [read_finding(connection, finding)])[0]
    waits = to_remind(life.awaited, reminded, centre.findings)
    late = [each for each in waits if each.is_late(now)]
    ahead = [each.due_at + _TICK for each in waits if each.due_at is not None and not each.is_late(now)]
    entries = []
    if late:
        # Whoever did not even say that he has seen it, and now does not answer, is reminded of the answer only.
        last = late[-1]
        remind(connection, finding_of(life.finding), last, now)
        whom = remind_whom(last.step, centre.findings)
        due = None if last.due_at is None else last.due_at.isoformat()
        entries.append(
            Entry(LATE, life.finding.subject, {"step": last.step, "due_at": due, "to": whom}, finding)
        )
    save_reminder(connection, finding, min(ahead, default=None), [*reminded, *(each.step for each in late)])
    done.entries += entries
    done.reminded += bool(late)


__all__ = ["BATCH", "LATE", "Remind", "remind_due", "remind_nobody"]
