"""Pictures of a post with nobody there: up to six of one post, the one most alike counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from detectors.presence.health import ViewKeeper
from detectors.presence.picture import Plane
from detectors.presence.region import Cut, Difference, Frame

MOST = 6
SAME = 0.03
"""Share of the post that differs from a known reference; up to it a further picture adds nothing."""
ADAPT = 0.02
"""Part of the difference that the best reference takes over in a second of quiet absence."""

Why = Literal["operator", "span", "closed_hours", "detector", "returned"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A reference as it is kept: ``grey`` (height × width of the polygon's bounds, 0 outside it), who learned it and why.

    ``at``: the moment as RFC 3339, empty until it is written down.
    """

    grey: Plane
    why: Why
    by: str = ""
    at: str = ""

    @property
    def locked(self) -> bool:
        """What somebody has vouched for is neither changed nor given up for what was learned."""
        return self.why not in ("closed_hours", "detector", "returned")


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of a post that decide: from ``enter`` on it is occupied, up to ``leave`` it is empty, between them unknown."""

    enter: float = 0.15
    leave: float = 0.10

    def __post_init__(self) -> None:
        if not 0.0 < self.leave < self.enter < 1.0:
            raise ValueError(f"expected 0 < leave < enter < 1, not {self.leave} and {self.enter}")


class Keeper(ViewKeeper, Protocol):
    """Where what is known of one camera is kept over a restart."""

    def load(self, post: str) -> Sequence[Kept]: ...

    def save(self, post: str, references: Sequence[Kept]) -> None: ...

    def limits(self, post: str) -> Limits | None:
        """What calibration chose, None where nobody has calibrated."""
        ...


@dataclass(eq=False)
class _Reference:
    kept: Kept
    grey: Plane
    relief: Plane
    best_at: float


@dataclass(eq=False)
class References:
    """The references of one post, for pictures of one size at a time."""

    kept: list[Kept] = field(default_factory=list)
    changed: bool = False
    """Something was learned since the last :meth:`taken`."""

    def __post_init__(self) -> None:
        self._frame: Frame | None = None
        self._made: list[_Reference] = []

    def __bool__(self) -> bool:
        return bool(self.kept)

    @property
    def given(self) -> int:
        return sum(each.locked for each in self.kept)

    def add(self, cut: Cut, why: Why, by: str = "") -> bool:
        """Takes the cut as one with nobody there; False if it would add nothing or there is no room.

        The first one that somebody vouches for sends away what was only learned.
        """
        new = Kept(cut.grey.copy(), why, by)
        if new.locked and not self.given:
            self.kept.clear()
            self._made.clear()
        known = self.best(cut)
        if known is not None and known.share <= SAME:
            return False
        if len(self.kept) >= MOST and not self._make_room():
            return False
        self.kept.append(new)
        self._make(cut.frame)
        self.changed = True
        return True

    def best(self, cut: Cut, t: float | None = None) -> Difference | None:
        """The difference from the reference most alike, None where nothing can be compared."""
        self._make(cut.frame)
        found = [(difference, each) for each in self._made if (difference := cut.differs(each.relief))]
        if not found:
            return None
        difference, each = min(found, key=lambda row: row[0].share)
        if t is not None:
            each.best_at = t
        return difference

    def adapt(self, cut: Cut, seconds: float) -> None:
        """Brings the reference most alike nearer to a cut that surely shows nobody; a locked one stays as it is."""
        self._make(cut.frame)
        if not self._made:
            return
        each = max(self._made, key=lambda row: row.best_at)
        if each.kept.locked:
            return
        inside = cut.usable
        light = float(each.grey[inside].mean() + 1.0) / float(cut.grey[inside].mean() + 1.0)
        part = min(1.0, ADAPT * seconds)
        grey = np.where(inside, each.grey + part * (cut.grey * light - each.grey), each.grey)
        each.grey = np.clip(grey, 0, 255).astype(np.float32)
        each.relief = cut.frame.relief(each.grey)
        self.kept[self._made.index(each)] = each.kept = replace(each.kept, grey=each.grey)

    def taken(self) -> list[Kept]:
        """All of them, to be kept."""
        self.changed = False
        return list(self.kept)

    def _make(self, frame: Frame) -> None:
        """Brings every kept picture to the frame's size, once."""
        if self._frame is not frame:
            self._frame = frame
            self._made.clear()
        for each in self.kept[len(self._made) :]:
            grey = frame.kept(each.grey)
            self._made.append(_Reference(each, grey, frame.relief(grey), float("-inf")))

    def _make_room(self) -> bool:
        free = [each for each in self._made if not each.kept.locked]
        if not free:
            return False
        index = self._made.index(min(free, key=lambda each: each.best_at))
        del self._made[index], self.kept[index]
        return True
