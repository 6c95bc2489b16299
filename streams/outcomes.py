"""What a committed batch of judgements was, for the counters and the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from streams import metrics
from streams.judges import Answer, Judged

log = logging.getLogger(__name__)


def note_outcomes(outcomes: Iterable[Judged]) -> None:
    """Counts and logs every change of a finding, after its commit: codes and ids, no names."""
    for outcome in outcomes:
        if not isinstance(outcome, Answer):
            continue
        for change in outcome.changes:
            finding = change.finding
            if finding.shadow:
                continue
            metrics.FINDINGS.labels(finding.rule, finding.severity, change.kind).inc()
            log.info(
                "finding %s",
                change.kind,
                extra={
                    "finding_id": finding.finding_id,
                    "rule": finding.rule,
                    "severity": finding.severity,
                    "change": change.kind,
                    "centre": finding.centre,
                    "case": finding.case,
                    "window": finding.window,
                    "event_id": outcome.revoked_by if change.kind == "revoked" else None,
                },
            )
