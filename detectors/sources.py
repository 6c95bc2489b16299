"""``source.silent``: a camera, a feed or a whole site from which nothing has come for too long inside office hours.

Without it "no absence seen" means nothing. For operators, so a notice; the minutes are settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from detectors.verdict import Verdict, overdue, settle
from domain.centre import Centre
from domain.observations import SiteIncident

RULE = "source.silent"
SourceKind = Literal["camera", "feed", "site"]
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
    incidents: Sequence[SiteIncident] = (),
) -> Verdict:
    """Findings of one source's silences. Pure.

    Args:
        source: name of the camera or of the sending system.
        gaps: silences, oldest first; usually one that goes on from the newest sign of life.
        window: the window a camera looks at, if it is one only.
        reason: why, where known (``unreachable``, ``undecodable``, …).
        incidents: of the centre's sites. A site's own are its silences, whatever ``gaps`` says; a camera that failed in
            one is not spoken of while it goes on, and after it only from its end on.
    """
    now = now.astimezone(UTC)
    settings = centre.rules.sources
    minutes = settings.feed_silent if kind == "feed" else settings.camera_silent
    calendar = centre.working_time
    mine = [each for each in incidents if (each.site == source if kind == "site" else source in each.cameras)]
    more: dict[datetime, dict[str, Any]] = {}
    inhibitor: SiteIncident | None = None
    if kind == "site":
        gaps = [(each.began, each.ended) for each in mine]
        more = {
            each.began.astimezone(UTC): {
                "reason": each.reason, "failed": len(each.cameras), "cameras": each.watched, "failed_cameras": sorted(each.cameras),
            }
            for each in mine
        }  # fmt: skip
    elif kind == "camera":
        gaps, inhibitor = _apart_from(mine, gaps)
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
            row |= more.get(last, {})
            return row if reason is None else {**row, "reason": reason}

        claims += overdue(RULE, "notice", due, heard, provisional=False, explain=partial(explain))
    findings, ahead = settle(
        claims, now, centre=centre.centre.id, subject=f"source:{kind}:{source}", window_at=lambda _: window
    )
    silent = any(finding.state == "open" for finding in findings)
    status = {"silent": silent, "last_seen": gaps[-1][0] if gaps else None, "reason": reason}
    if inhibitor is not None:
        began = calendar.local(inhibitor.began).isoformat()
        status |= {"silent": True, "inhibited_by": f"source:site:{inhibitor.site}", "incident_since": began}
    return Verdict(tuple(findings), min(ahead, default=None), status)


def _apart_from(
    incidents: Sequence[SiteIncident], gaps: Sequence[Gap]
) -> tuple[list[Gap], SiteIncident | None]:
    """The camera's own silences, and the incident that explains the one that goes on.

    Only cameras that delivered until it began are part of an incident: one that was dead before is spoken of all along.
    """
    own: list[Gap] = []
    inhibitor: SiteIncident | None = None
    for last, heard in gaps:
        meant = [
            each
            for each in incidents
            if (heard is None or each.began < heard) and (each.ended is None or each.ended > last)
        ]
        goes_on = next((each for each in meant if each.ended is None), None)
        if goes_on is not None:
            inhibitor = goes_on
            continue
        since = max([last, *(each.ended for each in meant if each.ended is not None)])
        if heard is None or since < heard:
            own.append((since, heard))
    return own, inhibitor
