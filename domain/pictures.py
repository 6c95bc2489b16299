"""Pictures as evidence: what a camera may keep, and which of the kept ones show a finding's beginning and end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from domain.model import Model

Role = Literal["before", "first", "sample", "opened", "last", "back"]
#: ``begin`` is asked for when a finding opens, ``end`` when it closes.
Part = Literal["begin", "end"]

#: Last seen and first back may lie so far from the moment; further away they prove nothing about it.
REACH = timedelta(minutes=10)
#: Pictures between the first and the last of a part.
SAMPLES = 3


class PictureSettings(Model):
    """What is kept of one camera's pictures.

    Args:
        keep: ``staff`` = the posts' staff sides with a margin, all else black; ``view`` = all but the posts' public sides
            and the camera's blackout areas; ``none`` = nothing.
        every: seconds of the open hours between two pictures; each change of a state is kept besides.
        margin: share of the picture's width that is kept around a staff side, and hidden around what is to be hidden.
        width: pixels; what is kept is made no wider.
    """

    keep: Literal["staff", "view", "none"] = "staff"
    every: float = Field(default=10, ge=1, le=3600)
    margin: float = Field(default=0.02, ge=0, le=0.2)
    width: int = Field(default=640, ge=64, le=3840)
    quality: int = Field(default=80, ge=30, le=100)


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture in a camera's loop.

    Args:
        at: when it was taken, on the host's clock. offset: seconds by which the camera's own clock was ahead of that,
            None = nobody knows.
        post: whose staff side it shows; None = the whole view.
        states: post → what the look at this very picture saw there: present, absent, unknown.
    """

    sha256: str
    at: datetime
    size: int
    states: Mapping[str, str] = field(default_factory=dict)
    offset: float | None = None
    post: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """From a moment on there are no pictures, up to the next one that is kept; ``reason`` in one word."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Want:
    """Pictures wanted for a finding of one post.

    Args:
        since: from when the seat was empty (or short of people), as far as it is vouched for.
        opened_at: when the finding opened.
        until: ``end``: up to when it is certain that it was still so. over: from when it is certain that it was over.
        ended_by: ``present``, or why nobody had to be there any more, or that nobody saw the end.
    """

    finding_id: str
    centre: str
    camera: str
    post: str
    part: Part
    since: datetime
    opened_at: datetime
    until: datetime | None = None
    over: datetime | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """``chosen`` in the order of time; ``missing``: roles without a picture, each with its reason."""

    chosen: tuple[tuple[Kept, Role], ...] = ()
    missing: tuple[tuple[Role, str], ...] = ()


def reach_of(want: Want) -> tuple[datetime, datetime]:
    """From when to when a loop has to be read for a want."""
    if want.part == "begin":
        return want.since - REACH, want.opened_at
    over = want.over or want.until or want.opened_at
    return want.since, over + (REACH if want.ended_by == "present" else timedelta(0))


def select(pictures: Sequence[Kept], gaps: Sequence[Gap], want: Want, samples: int = SAMPLES) -> Selection:
    """The pictures around a beginning or an end, and samples between. The same pictures give the same selection.

    Pictures of another post are left out. Pictures inside the absence that show somebody speak against the finding: they are taken
    besides the samples, as many of them.

    ``begin``: the last that shows somebody (``before``), the first of the empty seat, ``samples`` spread over the time up
    to the finding, the one at its opening. ``end``: samples from there to the end, the last of the empty seat, the
    first that shows somebody again (``back``; only where that is what ended it).

    Args:
        pictures: of the camera, any order. gaps: why there are none from some moment on.
    """
    line = sorted(
        (kept for kept in pictures if kept.post in (None, want.post)), key=lambda kept: (kept.at, kept.sha256)
    )
    found: list[tuple[Kept, Role]] = []
    missing: list[tuple[Role, str]] = []

    def take(role: Role, kept: Kept | None, at: datetime) -> None:
        if kept is None:
            missing.append((role, _why_none(gaps, at)))
        else:
            found.append((kept, role))

    def shows(kept: Kept) -> bool:
        return kept.states.get(want.post) == "present"

    def between(inner: Sequence[Kept]) -> list[Kept]:
        chosen = [*_spread(inner, samples), *_spread([kept for kept in inner if shows(kept)], samples)]
        return [kept for kept in inner if kept in chosen]

    if want.part == "begin":
        within = [kept for kept in line if want.since <= kept.at <= want.opened_at]
        ahead = [kept for kept in line if want.since - REACH <= kept.at < want.since]
        take("before", _nearest(reversed(ahead), shows), want.since)
        take("first", within[0] if within else None, want.since)
        found += [(kept, "sample") for kept in between(within[1:-1])]
        if len(within) != 1:
            take("opened", within[-1] if within else None, want.opened_at)
        return Selection(tuple(found), tuple(missing))
    until = want.until or want.over or want.opened_at
    over = want.over or until
    within = [kept for kept in line if want.opened_at < kept.at <= until and kept.at < over]
    found += [(kept, "sample") for kept in between(within[:-1])]
    # An end at once after the opening: the last picture of the empty seat may be the one at the opening itself.
    still = within or [kept for kept in line if want.since <= kept.at <= until and kept.at < over]
    take("last", _nearest(reversed(still), lambda kept: not shows(kept)), until)
    if want.ended_by == "present":
        after = [kept for kept in line if over <= kept.at <= over + REACH]
        take("back", _nearest(after, shows), over)
    return Selection(tuple(found), tuple(missing))


def _nearest(ordered: Iterable[Kept], fits: Callable[[Kept], bool]) -> Kept | None:
    """The first that fits; where none does, the first: another post of the window may have seen more."""
    line = list(ordered)
    return next(filter(fits, line), line[0] if line else None)


def _spread(inner: Sequence[Kept], count: int) -> list[Kept]:
    """``count`` of the pictures, or all if there are fewer, evenly spread."""
    count = min(count, len(inner))
    return [inner[int((number + 0.5) * len(inner) / count)] for number in range(count)]


def _why_none(gaps: Sequence[Gap], at: datetime) -> str:
    before = [gap for gap in gaps if gap.at <= at]
    return max(before, key=lambda gap: gap.at).reason if before else "no_loop"


__all__ = [
    "REACH", "SAMPLES", "Gap", "Kept", "Part", "PictureSettings", "Role", "Selection", "Want", "reach_of", "select",
]  # fmt: skip
