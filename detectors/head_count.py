"""``staffing.short``: fewer people at a post than it needs (``required`` of a post above one).

Only a post whose camera says how many people it sees is judged; "somebody is there" does not say how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from detectors.absent_runs import AbsentRun, find_runs, vouched_to
from detectors.intervals import Interval
from detectors.presence_timeline import window_timeline
from detectors.verdict import Claim
from domain.centre import Centre
from domain.observations import PostState, PresenceSpan

RULE = "staffing.short"
ARTICLE = "A14 (每岗至少两人); 岗位人数为中心设定"


def judge_head_count(
    window: str,
    spans: Sequence[PresenceSpan],
    opened: Sequence[Interval],
    horizon: datetime,
    fresh: timedelta,
    centre: Centre,
) -> tuple[list[Claim], list[datetime]]:
    """Notices after as many minutes as an absence takes, and the moments still to come."""
    claims: list[Claim] = []
    ahead: list[datetime] = []
    minutes = centre.rules.absence.notice
    for camera in centre.cameras:
        for post in camera.posts:
            if post.window != window or post.required < 2 or not opened:
                continue
            own = [
                replace(span, state=_enough(span, post.required))
                for span in spans
                if (span.camera, span.post) == (camera.id, post.name)
            ]
            line = window_timeline(own, frozenset({(camera.id, post.name)}), opened[0][0], horizon, fresh)
            upto = vouched_to(own, horizon)
            for run in (run for interval in opened for run in find_runs(line, interval, horizon, upto)):
                opens = run.since + timedelta(minutes=minutes)
                if run.vouched >= opens and (run.over is None or opens < run.over):
                    seen = _most_seen(spans, camera.id, post.name, run.since, opens)
                    explain = partial(_explain, run, minutes, post.name, post.required, seen, centre)
                    claims.append(
                        Claim(
                            RULE, "notice", opens, opens, opens, run.over, run.over, False,
                            f"{camera.id}/{post.name}", explain,
                        )
                    )  # fmt: skip
                elif run.goes_on and run.over is None:
                    ahead.append(max(opens, horizon + timedelta(seconds=15)))
    return claims, ahead


def _enough(span: PresenceSpan, required: int) -> PostState:
    """The span's answer to "are there enough?": present = yes, absent = no, unknown = nobody has counted."""
    if span.state != "present":
        return span.state
    if span.people is None:
        return "unknown"
    return "present" if span.people >= required else "absent"


def _most_seen(
    spans: Sequence[PresenceSpan], camera: str, post: str, since: datetime, until: datetime
) -> int:
    """The most people seen at a post at once between two moments."""
    return max(
        (
            span.people or 0
            for span in spans
            if (span.camera, span.post) == (camera, post)
            and span.since < until
            and (span.until is None or span.until > since)
        ),
        default=0,
    )


def _explain(
    run: AbsentRun, minutes: float, post: str, required: int, seen: int, centre: Centre
) -> dict[str, Any]:
    return {
        "post": post,
        "required": required,
        "seen": seen,
        "since": centre.working_time.local(run.since).isoformat(),
        "minutes": minutes,
        "articles": ARTICLE,
    }
