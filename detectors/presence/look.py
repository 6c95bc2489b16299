"""What one look at one post can answer, and what every way of seeing has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from detectors.presence.picture import Picture, Shift

REASONS: Final = (
    "no_frame",  # no picture came
    "stale",  # the newest picture is too old
    "refused",  # the camera does not let us in
    "unauthorised",  # … with this user and password
    "unreachable",  # no camera answers there
    "undecodable",  # what it sends is no picture
    "frozen",  # the source repeats one picture
    "dark",  # too little light to see anything
    "covered",  # something lies over the lens
    "flat",  # a picture without any structure, and never seen otherwise
    "blurred",  # out of focus
    "moved",  # the camera no longer shows the view the posts were drawn on
    "light_change",  # the light has just jumped
    "learning",  # no picture of the empty post is known yet
    "low_score",  # neither seen nor surely not seen
    "passing",  # somebody walks through and does not stay
    "object",  # something stands there that never moves
    "too_small",  # a person would fill too little of the post to be told from a change of the view
    "restart",  # too few looks since the start to say anything
    "few_looks",  # some of the looks saw somebody, some did not
    "late_detector",  # the person detector did not answer
)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one post.

    ``seen`` is True, False or None (no valid sample, then ``reason`` is one of REASONS). ``score`` is 0 … 1: the
    detector's confidence, or the share of the post that differs from its empty picture. ``people`` are those counted at
    the post, ``waiting`` whether somebody stands at its public side; None: this way of seeing does not tell.
    """

    seen: bool | None
    score: float = 0.0
    reason: str | None = None
    people: int | None = None
    waiting: bool | None = None

    def __post_init__(self) -> None:
        if (self.seen is None) != (self.reason is not None):
            raise ValueError("a look has a reason exactly when it has no answer")
        if self.reason is not None and self.reason not in REASONS:
            raise ValueError(f"unknown reason {self.reason!r}")


class Looker(Protocol):
    """A way of seeing: one picture in, one look per post out, in the order of the posts it was built for.

    ``shift`` is how far the camera has moved since the start.
    """

    name: str

    def look(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> Sequence[Look]: ...
