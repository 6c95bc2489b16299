"""Writes what a court has found: findings, steps, messages and dead letters of a whole batch in a few statements.

If any of it fails, each answer is written alone, so that one bad row stops nobody.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.findings import Finding
from store import chain, judging
from store.connection import PASSING, Connection
from store.dead_letters import Refusal, resolve, write_dead_letters
from store.findings import Said, as_entries, write_said
from store.judging import Due, Kind
from store.reminders import mark_for_reminding
from store.sources import save_source
from store.subjects import save_subjects
from streams.judges import Answer, Failed, Judged

log = logging.getLogger(__name__)

#: Writes the messages of changes, in their order (connection, findings with what happened to them, now).
Plan = Callable[[Connection, Sequence[tuple[Finding, str]], datetime], Any]

#: How long a row that cannot be judged waits, on the system's clock.
PUSH_AHEAD = timedelta(hours=1)


def no_messages(_connection: Connection, _changes: Sequence[tuple[Finding, str]], _now: datetime) -> None:
    """A plan that tells nobody."""


class Clerk:
    """Writes for one centre, inside the transaction that holds the claimed rows.

    Args:
        plan: writes messages into the outbox; what refers to a finding finds it there.
        answers_for: severities of findings whose answers are waited for, so that somebody can be reminded.
    """

    def __init__(
        self, centre: str, plan: Plan = no_messages, answers_for: Collection[str] = frozenset()
    ) -> None:
        self._centre, self._plan, self._answers_for = centre, plan, answers_for

    def write(
        self, connection: Connection, kind: Kind, outcomes: Sequence[Judged], now: datetime
    ) -> list[Judged]:
        """Writes everything about claimed rows of one kind and returns what became of them: an answer that cannot be
        written is a failure.

        Raises:
            What passes by itself (see :data:`store.connection.PASSING`); the transaction is lost then.
        """
        written = list(self._write_news(connection, outcomes, now))
        self._save(connection, kind, [each for each in written if isinstance(each, Answer)], now)
        for outcome in written:
            if isinstance(outcome, Failed):
                self._set_aside(connection, outcome, now)
        said = [Said(each.due.subject, each.changes) for each in written if isinstance(each, Answer)]
        # Last of all rows: whoever else has something for the chain waits from here to the commit.
        chain.append(connection, self._centre, as_entries(said), now)
        if any(not change.finding.shadow for each in said for change in each.changes):
            connection.execute("select pg_notify('mingjing', 'finding')")
        # Not what wakes a rule loop: only screens hear it.
        connection.execute("select pg_notify('mingjing', 'judged')")
        return written

    def _write_news(
        self, connection: Connection, outcomes: Sequence[Judged], now: datetime
    ) -> Sequence[Judged]:
        news = [each for each in outcomes if isinstance(each, Answer) and each.has_news]
        if not news:
            return outcomes
        error = self._try(connection, news, now)
        if error is None:
            return outcomes
        if len(news) > 1:
            log.info("A batch of %d answers cannot be written (%s); trying one by one", len(news), error)
        written = []
        for outcome in outcomes:
            if isinstance(outcome, Answer) and outcome.has_news:
                error = self._try(connection, [outcome], now)
                written.append(outcome if error is None else Failed(outcome.due, error))
            else:
                written.append(outcome)
        return written

    def _try(self, connection: Connection, answers: Sequence[Answer], now: datetime) -> Exception | None:
        """All of it or, with the reason, nothing."""
        try:
            with connection.transaction():
                self._put(connection, answers, now)
        except PASSING:
            raise
        except Exception as error:
            return error
        return None

    def _put(self, connection: Connection, answers: Sequence[Answer], now: datetime) -> None:
        write_said(
            connection, [Said(each.due.subject, each.changes, each.revoked_by) for each in answers], now
        )
        changes = [
            (change.finding, change.kind)
            for each in answers
            for change in each.changes
            if not change.finding.shadow
        ]
        if changes:
            self._plan(connection, changes, now)
            mark_for_reminding(
                connection,
                [
                    finding.finding_id
                    for finding, change in changes
                    if change in ("opened", "reopened") and finding.severity in self._answers_for
                ],
            )
        write_dead_letters(connection, [letter for each in answers for letter in each.letters], now=now)
        resolved = [letter for each in answers for letter in each.resolved]
        if resolved:
            resolve(connection, resolved)
        judging.save_ineffective(
            connection,
            self._centre,
            {each.due.name: each.ineffective for each in answers if each.ineffective is not None},
        )

    def _save(self, connection: Connection, kind: Kind, answers: Sequence[Answer], now: datetime) -> None:
        """What the rows themselves become."""
        if kind == "case":
            judging.save_cases(
                connection, self._centre, [each.case for each in answers if each.case is not None], now
            )
            lost = [each.due.name for each in answers if each.case is None]
            judging.rest_cases(connection, self._centre, lost, now)
        elif kind == "window":
            judging.save_windows(
                connection,
                self._centre,
                [(each.due.name, each.look_at, _is_stale(each)) for each in answers],
                now,
            )
        elif kind == "subject":
            save_subjects(
                connection, self._centre, [each.subject for each in answers if each.subject is not None], now
            )
        else:
            for each in answers:
                silent = bool(each.status.get("silent"))
                save_source(connection, self._centre, each.due.name, now, each.look_at, silent=silent)
        mended = [_letter(self._centre, each.due, "").fingerprint for each in answers if each.due.failures]
        if mended:
            resolve(connection, mended)

    def _set_aside(self, connection: Connection, outcome: Failed, now: datetime) -> None:
        """One bad row stops nobody: it waits an hour, with the reason in the dead letters."""
        error = outcome.error
        about = {outcome.due.kind: outcome.due.name, "centre": self._centre, "code": "judge_failed"}
        log.error("%s cannot be judged: %s", outcome.due.subject, error, exc_info=error, extra=about)
        first = next(iter(str(error).strip().splitlines()), "")
        reason = f"cannot be judged ({type(error).__name__}: {first[:300]}); tried again in an hour and with its next event"
        write_dead_letters(connection, [_letter(self._centre, outcome.due, reason)], now=now)
        judging.push_ahead(connection, outcome.due, self._centre, now + PUSH_AHEAD)


def _is_stale(answer: Answer) -> bool:
    return answer.status.get("presence") == "unknown" and answer.status.get("reason") == "stale"


def _letter(centre: str, due: Due, reason: str) -> Refusal:
    # With the centre: two centres may have a case of the same number.
    raw = json.dumps({"centre": centre, "subject": due.subject}, ensure_ascii=False).encode()
    return Refusal("rules", raw, "judge_failed", reason, place=due.subject)
