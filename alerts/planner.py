"""Plans and writes the messages of a finding inside the transaction that writes the finding."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts import outbox
from alerts.links import AckLinks
from alerts.routing import OutboxRow, Plan, plan_messages, plan_reminder
from domain.centre import Centre
from domain.finding_life import Pending
from domain.findings import Finding
from store import Connection

log = logging.getLogger(__name__)

#: Changes whose messages depend on the messages before.
LOOKING_BACK = frozenset(("revoked", "reopened"))


@dataclass(frozen=True, slots=True)
class Planner:
    """What the rule loop calls for changes of findings; injected by the composition root.

    Args:
        channel: name of the hook that sends these messages.
        give_up_after: how long a message is worth sending, in real time.
        correction_hold: real time a correction waits. Found in the demo: on a machine that is too busy an absence was
            revoked and found again three times within a minute, and five phones heard of each.
    """

    centre: Centre
    links: AckLinks = field(repr=False)
    channel: str = "http"
    give_up_after: timedelta = outbox.GIVE_UP_AFTER
    correction_hold: timedelta = timedelta(seconds=15)

    def __call__(self, connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> int:
        """Writes the messages for changes, in their order, and returns how many entries were new. Raises psycopg.Error
        only."""
        rows: Plan = []
        written = 0
        for finding, change in changes:
            if change in LOOKING_BACK and rows:
                # What was planned before has to be there to be found.
                written += outbox.insert_rows(connection, rows, give_up_after=self.give_up_after)
                rows = []
            planned = self.plan(connection, finding, change, now)
            _note(finding, change, planned)
            rows += planned
        return written + outbox.insert_rows(connection, rows, give_up_after=self.give_up_after)

    def remind(self, connection: Connection, finding: Finding, late: Pending, now: datetime) -> int:
        """Writes the messages about a step of a finding that is late; returns how many entries were new."""
        rows = plan_reminder(
            finding,
            late,
            self.centre,
            now,
            self.links.digest,
            channel=self.channel,
            ack_lifetime=self.links.lifetime,
        )
        _note(finding, f"late:{late.step}", rows)
        return outbox.insert_rows(connection, rows, give_up_after=self.give_up_after)

    def plan(self, connection: Connection, finding: Finding, change: str, now: datetime) -> Plan:
        """The same without writing messages; a revocation withdraws those not sent yet."""
        earlier = []
        if change == "revoked":
            # Withdraw first: what is waiting now is not sent, so nobody needs to be told that it was wrong.
            # Whoever is being sent to at this moment holds its row and will have been told.
            outbox.withdraw_cards(connection, finding.finding_id)
            earlier = outbox.told_recipients(connection, finding.finding_id)
        elif change == "reopened":
            # Who has heard of its revocation must hear of this; who has not (or only of nothing: a closing sends no
            # message) knows it already.
            outbox.withdraw_corrections(connection, finding.finding_id)
            earlier = outbox.told_recipients(connection, finding.finding_id, waiting=True)
        return plan_messages(
            finding,
            change,
            self.centre,
            now,
            self.links.digest,
            earlier=earlier,
            channel=self.channel,
            ack_lifetime=self.links.lifetime,
            correction_hold=self.correction_hold,
        )


def _note(finding: Finding, change: str, planned: Plan) -> None:
    messages = sum(isinstance(row, OutboxRow) for row in planned)
    if not planned:
        return
    about = {
        "finding_id": finding.finding_id,
        "rule": finding.rule,
        "severity": finding.severity,
        "change": change,
        "centre": finding.centre,
        "case": finding.case,
        "window": finding.window,
    }
    log.info("%d messages planned, %d not meant to be sent", messages, len(planned) - messages, extra=about)
