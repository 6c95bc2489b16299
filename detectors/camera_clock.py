"""``camera.clock``: a camera whose clock is wrong by more than the setting.

Nothing here is dated by a camera's clock, so it harms no judgement; but what is burned into the pictures, and the
recorder's own search by time, then contradict the evidence. For operators, so a notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from detectors.verdict import Claim, overdue
from domain.centre import Centre
from domain.findings import Finding
from domain.rules.blind import BlindSettings

CLOCK: Final = "camera.clock"
ARTICLE = "中心设定 (取证以主机时间为准, 摄像机校时由运维负责)"
RIGHT_AGAIN = 0.8
"""Below this share of the limit a clock counts as right again: one at the limit must not open and close all day."""


@dataclass(frozen=True, slots=True)
class ClockSpan:
    """A stretch in which a camera's clock was wrong; ``offset``: by how many seconds it was ahead when that was noticed."""

    since: datetime
    until: datetime | None
    offset: float


def clock_spans(words: Iterable[tuple[datetime, float | None]], limit: float) -> list[ClockSpan]:
    """The stretches in which the clock was wrong by ``limit`` seconds or more.

    Args:
        words: (moment, seconds ahead or None) of the camera's ``camera.state`` observations; that it is not known ends nothing.
    """
    spans: list[ClockSpan] = []
    begun: tuple[datetime, float] | None = None
    for at, offset in sorted((at, offset) for at, offset in words if offset is not None):
        if begun is None and abs(offset) >= limit:
            begun = at, offset
        elif begun is not None and abs(offset) < RIGHT_AGAIN * limit:
            spans.append(ClockSpan(begun[0], at, begun[1]))
            begun = None
    if begun is not None:
        spans.append(ClockSpan(begun[0], None, begun[1]))
    return spans


def said_before(stored: Iterable[Finding]) -> list[tuple[datetime, float | None]]:
    """What open findings say of the clock, for words that are kept no longer."""
    return [
        (datetime.fromisoformat(each.explain["since"]), float(each.explain["offset"]))
        for each in stored
        if each.rule == CLOCK and each.state == "open" and {"since", "offset"} <= each.explain.keys()
    ]


def clock_claims(camera: str, spans: Sequence[ClockSpan], centre: Centre, now: datetime) -> list[Claim]:
    """Claims of the clocks that were wrong for ``camera_down`` minutes of office hours. Pure."""
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    windows = sorted({post.window for each in centre.cameras if each.id == camera for post in each.posts})
    claims: list[Claim] = []
    for span in spans:
        due = calendar.after_office_time(span.since.astimezone(UTC), timedelta(minutes=rules.camera_down))
        if span.since > now or due is None:
            continue
        row: dict[str, Any] = {
            "camera": camera,
            "windows": windows,
            "since": calendar.local(span.since).isoformat(),
            "offset": round(span.offset, 1),
            "limit": rules.camera_clock,
            "articles": ARTICLE,
        }
        until = None if span.until is None or span.until > now else span.until.astimezone(UTC)
        claims += overdue(CLOCK, "notice", due, until, provisional=False, explain=partial(dict, row))
    return claims
