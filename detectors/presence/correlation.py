"""Seeing without a model: compare each post with pictures of it empty.

The measure is the normalised correlation of log-high-pass pictures. It sees that the view changed, not that a person is
there: an object that never moves is answered with "unknown", and so is everything before an empty picture is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from detectors.presence.empty_scene import STILL, ReturningScene, StillScene
from detectors.presence.look import Look
from detectors.presence.picture import Picture, Plane, Shift
from detectors.presence.posts import Post
from detectors.presence.references import Keeper, Limits, References, Why
from detectors.presence.region import LEAST_PIXELS, Cut, Frame, framer

SURE = 0.20
"""Share of the post from which no shape is asked for: no shadow's edge covers so much."""
HEAD, NO_HEAD = 0.03, 0.04
"""Share of the post in things as thick as a head: from HEAD on it may be somebody; above NO_HEAD it is not called empty."""
STIRS = 0.03
"""A post in which something moves is called empty only up to this share: clothes may look like the wall, but they move."""
MOTION_LEVELS, MOTION_SHARE, MOTION_NOISE = 4.0, 0.015, 5.0
"""Something moves where more than MOTION_SHARE of a post changes by that many grey levels and that many times its noise."""
MOTION_LAG = 0.4
OBJECT_SPAN, OBJECT_LOOKS, OBJECT_MOVES = 90.0, 20, 3
"""What has moved in fewer than 3 of at least 20 looks over 90 s is a thing, not a person."""
STILL_SPAN, STILL_LOOKS, ARRIVING = 10.0, 5, 2.0
"""What has not moved at all for so long may be a thing (a chair that was turned, a bag); ARRIVING seconds for putting it down."""
PASSING = 0.6
"""Seconds for which somebody who has just appeared may be only walking through; looks that are further apart do not ask."""
QUIET = 20.0
"""Seconds of absence without any motion before a reference may follow the view."""


@dataclass(eq=False)
class _View:
    """What the method keeps about one post."""

    post: Post
    still: StillScene
    limits: Limits
    returning: ReturningScene | None = None
    references: References = field(default_factory=References)
    spans_used: int = 0
    occupied: bool = False
    occupied_looks: deque[tuple[float, bool]] = field(default_factory=deque)
    came_at: float | None = None
    moved_at: float = 0.0
    still_looks: int = 0
    looked_at: float | None = None
    quiet_since: float | None = None
    adapted_at: float = 0.0
    befores: deque[tuple[float, Plane]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.frame = framer(self.post)


class EmptyPostCorrelation:
    """Compares posts with their empty pictures.

    Empty pictures come from :meth:`learn_empty` (somebody who knows says so), from the spans that a post names as empty, from
    what is kept, and from looks at times when nobody can be there.

    Args:
        keeper: where references are kept; None keeps nothing.
        still: seconds without motion that make an empty picture while nobody can be there.
        returns: also learn from scenes that come back unmoved: for recordings, of which no calendar is known.
    """

    name = "correlation"

    def __init__(
        self,
        posts: Sequence[Post],
        keeper: Keeper | None = None,
        still: float = STILL,
        returns: bool = False,
    ) -> None:
        self._keeper = keeper
        self._views = []
        for post in posts:
            limits = keeper.limits(post.name) if keeper else None
            returning = ReturningScene() if returns and not post.empty else None
            view = _View(post, StillScene(still), limits or Limits(), returning)
            if keeper is not None:
                view.references.kept.extend(keeper.load(post.name))
            self._views.append(view)

    def learn_empty(
        self, picture: Picture, index: int, shift: Shift = (0.0, 0.0), why: Why = "operator", by: str = ""
    ) -> bool:
        """Takes the picture as one of post ``index`` with nobody there; False where it adds nothing to what is known."""
        view = self._views[index]
        return view.references.add(view.frame(picture).cut(picture, shift), why, by)

    def references(self, index: int) -> References:
        """What is known of post ``index`` with nobody there."""
        return self._views[index].references

    def look(self, picture: Picture, shift: Shift = (0.0, 0.0), nobody: bool = False) -> Sequence[Look]:
        """One look at every post. ``nobody``: by the calendar nobody can be there now."""
        return [self._look(index, view, picture, shift, nobody) for index, view in enumerate(self._views)]

    def _look(self, index: int, view: _View, picture: Picture, shift: Shift, nobody: bool) -> Look:
        frame: Frame = view.frame(picture)
        if frame.pixels < LEAST_PIXELS:
            return Look(None, 0.0, "too_small")
        cut = frame.cut(picture, shift)
        if view.spans_used < 3 and any(begin <= picture.t <= end for begin, end in view.post.empty):
            view.spans_used += view.references.add(cut, "span")
        moved = _moves(view, cut, picture.t)
        if view.still.step(cut, moved, nobody, picture.t):
            view.references.add(cut, "closed_hours")
        if view.returning is not None and not view.references.given and view.returning.step(cut, picture.t):
            view.references.add(cut, "returned")
        if self._keeper is not None and view.references.changed:
            self._keeper.save(view.post.name, view.references.taken())
        if not view.references:
            return Look(None, 0.0, "learning")
        best = view.references.best(cut, picture.t)
        if best is None:
            view.quiet_since = None
            return Look(None, 0.0, "low_score")
        limits, t = view.limits, picture.t
        if best.share >= max(SURE, limits.enter) or (best.share >= limits.enter and best.thick >= HEAD):
            view.quiet_since = None
            return self._occupied(view, best.share, moved, t)
        view.occupied, view.came_at, view.looked_at = False, None, t
        view.occupied_looks.clear()
        if best.share <= (STIRS if moved else limits.leave) and best.thick <= NO_HEAD:
            self._follow(view, cut, moved, t)
            return Look(False, best.share)
        # Much too much for an empty post, too little or too thin for a person: the edge of a shadow, a bag, a sleeve.
        view.quiet_since = None
        return Look(None, best.share, "low_score")

    def _occupied(self, view: _View, score: float, moved: bool, t: float) -> Look:
        if not view.occupied and view.looked_at is not None and t - view.looked_at <= PASSING:
            view.came_at = t
        view.occupied, view.looked_at = True, t
        looks = view.occupied_looks
        looks.append((t, moved))
        if view.came_at is not None and t - view.came_at < PASSING:
            return Look(None, score, "passing")
        view.still_looks += 1
        if moved or len(looks) == 1:
            view.moved_at, view.still_looks = t, 0
        still = t - view.moved_at >= STILL_SPAN and view.still_looks >= STILL_LOOKS
        if still and t - looks[0][0] >= STILL_SPAN + ARRIVING:
            return Look(None, score, "object")
        while len(looks) > OBJECT_LOOKS and looks[1][0] <= t - OBJECT_SPAN:
            looks.popleft()
        watched = len(looks) >= OBJECT_LOOKS and t - looks[0][0] >= OBJECT_SPAN
        if watched and sum(moves for _, moves in looks) < OBJECT_MOVES:
            return Look(None, score, "object")
        return Look(True, score)

    def _follow(self, view: _View, cut: Cut, moved: bool, t: float) -> None:
        """Lets the best reference follow the view, after so long a quiet absence that nobody is just arriving."""
        if moved or view.quiet_since is None or t < view.quiet_since:
            view.quiet_since, view.adapted_at = t, t
        elif t - view.quiet_since >= QUIET and t - view.adapted_at >= 1.0:
            view.references.adapt(cut, min(5.0, t - view.adapted_at))
            view.adapted_at = t


def _moves(view: _View, cut: Cut, t: float) -> bool:
    """Whether anything moves, compared with a look at least MOTION_LAG earlier."""
    befores = view.befores
    if befores and (t < befores[-1][0] or befores[-1][1].shape != cut.grey.shape):
        befores.clear()
    while len(befores) > 1 and befores[1][0] <= t - MOTION_LAG:
        befores.popleft()
    moved = False
    if befores and cut.frame.pixels:
        change = (cut.grey - befores[0][1])[cut.frame.inside]
        change = np.abs(change - np.median(change))
        noise = float(np.median(change)) / 0.6745
        moved = float((change > max(MOTION_LEVELS, MOTION_NOISE * noise)).mean()) > MOTION_SHARE
    befores.append((t, cut.grey))
    return moved
