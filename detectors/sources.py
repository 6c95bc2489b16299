"""``source.silent``: a camera or a feed from which nothing has come for too long inside office hours.

Without it "no absence seen" means nothing. For operators, so a notice; the minutes are settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from detectors.verdict import Verdict, overdue, settle
from domain.centre import Centre

RULE = "source.silent"
SourceKind = Literal["camera", "feed"]
#: Silence: newest sign of life before it, and the first after it (None = it goes on).
Gap = tuple[datetime, datetime | None]


def judge_source(
    source: str,
    kind: SourceKind,
    gaps: Sequence[Gap],
    centre: Centre,
    now: datetime,
    *,
    window: str | None = None,
    reason: str | None = None,
) -> Verdict:
    """Findings of one source's silences. Pure.

    Args:
        source: name of the camera or of the sending system.
        gaps: silences, oldest first; usually one that goes on from the newest sign of life.
        window: the window a camera looks at, if it is one only.
        reason: why, where known (``unreachable``, ``undecodable``, …).
    """
    now = now.astimezone(UTC)
    settings = centre.rules.sources
    minutes = settings.camera_silent if kind == "camera" else settings.feed_silent
    calendar = centre.working_time
    claims = []
    for last, heard in gaps:
        last = last.astimezone(UTC)
        # Only office time counts: a feed is silent at night, and that is no news.
        due = calendar.after_office_time(last, timedelta(minutes=minutes))
        if due is None:
            continue

        def explain(last: datetime = last) -> dict[str, Any]:
            row = {
                "source": source,
                "kind": kind,
                "last_seen": calendar.local(last).isoformat(),
                "minutes": minutes,
            }
            return row if reason is None else {**row, "reason": reason}

        claims += overdue(RULE, "notice", due, heard, provisional=False, explain=partial(explain))
    findings, ahead = settle(
        claims, now, centre=centre.centre.id, subject=f"source:{kind}:{source}", window_at=lambda _: window
    )
    silent = any(finding.state == "open" for finding in findings)
    status = {"silent": silent, "last_seen": gaps[-1][0] if gaps else None, "reason": reason}
    return Verdict(tuple(findings), min(ahead, default=None), status)
