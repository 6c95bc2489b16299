"""The whole way from a picture to the state of every post, for one camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from detectors.presence.asking import Asking, run_alone
from detectors.presence.cadence import DetectorByCadence
from detectors.presence.correlation import EmptyPostCorrelation
from detectors.presence.empty_scene import STILL
from detectors.presence.health import CameraHealth, Health
from detectors.presence.look import Look
from detectors.presence.nets.net import PersonNet
from detectors.presence.person_detector import PersonDetector
from detectors.presence.picture import Picture
from detectors.presence.posts import Point, Post, PostMap
from detectors.presence.public_side import PublicSides
from detectors.presence.references import Keeper
from detectors.presence.state import PostState, StateMachine, Thresholds


class PostWatcher:
    """Watches the posts of one camera.

    With a net the net decides; without one, posts are compared with their empty pictures. A picture that is not fit to be
    judged gives no answer either way.

    Args:
        posts: what to look at.
        net: finds people; None for the method without weights.
        window: seconds of looks a state rests on.
        period: seconds between looks.
        nobody: whether by the calendar nobody can be there now; then what stands unmoved is learned as the empty post.
        keeper: where what was learned is kept over a restart.
        still: seconds without motion for that.
        longest, settled: seconds for which the net's answer is kept, see :class:`~detectors.presence.cadence.DetectorByCadence`.
        hidden: areas of which nothing may be kept (public sides, what is blacked out).
        returns: a recording: what comes back unmoved may be taken for the empty post.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        net: PersonNet | None,
        *,
        window: float,
        period: float,
        thresholds: Thresholds | None = None,
        nobody: Callable[[], bool] = lambda: False,
        keeper: Keeper | None = None,
        still: float = STILL,
        hidden: Sequence[Sequence[Point]] = (),
        returns: bool = False,
        longest: float = 1.0,
        settled: float = 0.0,
    ) -> None:
        self.posts = tuple(posts)
        self.health = Health(None)
        self.looks: Sequence[Look] = ()
        """The last looks, before they were weighed into a state."""
        self._nobody = nobody
        self._camera = CameraHealth(posts, hidden, keeper)
        self._correlation = EmptyPostCorrelation(posts, keeper, still, returns)
        self._public = PublicSides(self.posts, still)
        self._detector = (
            DetectorByCadence(
                self.posts,
                PersonDetector(PostMap(posts), net),
                self._correlation,
                longest=longest,
                settled=settled,
            )
            if net
            else None
        )
        self._states = [StateMachine(window, period, thresholds) for _ in posts]

    @property
    def asked(self) -> tuple[int, int]:
        """At how many looks the net was asked, and how many there were at which it could have been."""
        return (self._detector.asked, self._detector.looked) if self._detector else (0, 0)

    @property
    def method(self) -> str:
        return self._detector.name if self._detector else self._correlation.name

    def learn_empty(self, picture: Picture, index: int, by: str = "") -> None:
        """Takes the picture as one of post ``index`` with nobody there (the operator says so)."""
        self._correlation.learn_empty(picture, index, by=by)

    def learn_nobody_waiting(self, picture: Picture, index: int) -> None:
        """Takes the picture as one in which nobody waits before post ``index``."""
        self._public.learn_empty(picture, index)

    def keyframe(self, picture: Picture) -> None:
        """Takes a keyframe that is not looked at; helps to notice a frozen source."""
        self._camera.keyframe(picture)

    def look(self, picture: Picture) -> list[PostState]:
        """Looks at every post; the states come in the order of the posts."""
        return run_alone(self.looking(picture))

    def looking(self, picture: Picture) -> Asking[list[PostState]]:
        """As :meth:`look`, for many cameras to ask one net together."""
        self.health = self._camera.check(picture)
        if self.health.reason is not None:
            return self.miss(picture.t, self.health.reason)
        if self._detector:
            self.looks = yield from self._detector.looking(picture, self.health.shift, self._nobody())
        else:
            looks = self._correlation.look(picture, self.health.shift, self._nobody())
            waiting = self._public.look(picture, self.health.shift, self._nobody())
            self.looks = [replace(look, waiting=waits) for look, waits in zip(looks, waiting, strict=True)]
        return self._weigh(picture.t)

    def repeat(self, t: float) -> list[PostState]:
        """Notes that at ``t`` the last picture was still the newest: what was seen in it stands."""
        return self._weigh(t)

    def miss(self, t: float, reason: str) -> list[PostState]:
        """Notes that at ``t`` there was nothing to look at."""
        if self._detector:
            self._detector.forget()
        self.looks = [Look(None, 0.0, reason) for _ in self.posts]
        return self._weigh(t)

    def lapse(self, t: float, reason: str) -> list[PostState]:
        """Notes that at ``t`` there has been no picture for so long that nothing seen before counts any more."""
        self.miss(t, reason)
        return [state.lapse(t, reason) for state in self._states]

    def _weigh(self, t: float) -> list[PostState]:
        return [state.tick(t, look) for state, look in zip(self._states, self.looks, strict=True)]
