"""One camera's looks on a fixed period, and what is published of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from camera_adapters.reader import Link
from camera_adapters.slot import Slot
from camera_adapters.source import Frame
from detectors.presence.asking import Asking, run_alone
from detectors.presence.look import Look
from detectors.presence.picture import Picture
from detectors.presence.state import PostState
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera, Post
from domain.clock import Clock
from domain.observations import Observation

OnLook = Callable[[Frame | None, Sequence[PostState], Sequence[Look]], object]
"""Told of each look: the picture if there is a new one, the states, and what the look itself saw, both post by post."""

SUMMARY_EVERY = 15.0
"""Seconds of the house's clock."""
TOGETHER = 0.02
"""Part of its period by which a look may come early."""
CLOCK_NEWS = 5.0
"""Seconds by which a camera's clock has to have moved to be spoken of again; HTTP and ONVIF tell whole seconds."""
#: Periods after which a look has come, on a busy machine too.
LATE = 1.25
_PASSING_REASONS = frozenset({"few_looks", "low_score", "passing", "restart"})
"""Ways of not being sure that take turns within seconds; changes among them are not worth a message."""


@dataclass(frozen=True, slots=True)
class Timebase:
    """The clock a camera's looks run on: the machine's monotonic one, or for a drawn camera the house's.

    ``house`` and ``real`` are the seconds of the house's clock and of the machine in one second of it.
    """

    now: Callable[[], float]
    house: float = 1.0
    real: float = 1.0


@dataclass
class _Counts:
    expected: int = 0
    valid: int = 0
    seen: int = 0


class Station:
    """Looks at one camera's posts whenever it is due.

    Args:
        timebase: what the looks run on.
        link: how the camera stands now.
        period: seconds of the timebase between looks. fresh: age at which a picture says nothing any more.
        interval: the measured real seconds between pictures, None while unknown.
        in_incident: whether the camera is down with most others of its site.
        too_slow: whether its pictures come so seldom that posts are unknown between them.
        clock_offset: seconds the camera's own clock is ahead, None while unknown.
        on_look: told of each look; must not raise, and not keep the looks waiting.
    """

    def __init__(
        self,
        centre: str,
        camera: Camera,
        watcher: PostWatcher,
        slot: Slot,
        clock: Clock,
        *,
        timebase: Timebase,
        link: Callable[[], Link],
        period: float,
        fresh: float,
        interval: Callable[[], float | None] = lambda: None,
        in_incident: Callable[[], bool] = lambda: False,
        too_slow: Callable[[], bool] = lambda: False,
        clock_offset: Callable[[], float | None] = lambda: None,
        on_look: OnLook | None = None,
    ) -> None:
        self.camera = camera
        self.overslept = 0
        self.expected = self.valid = 0
        self._centre = centre
        self._watcher = watcher
        self._slot = slot
        self._clock = clock
        self._timebase = timebase
        self._link = link
        self._period = period
        self._fresh = fresh
        self._interval = interval
        self._in_incident, self._too_slow = in_incident, too_slow
        self._on_look = on_look
        self._frame: Frame | None = None
        self._due = timebase.now()
        self._newest: float | None = None
        self._said: list[PostState | None] = [None] * len(camera.posts)
        self._camera_said: tuple[bool, str | None] | None = None
        self._clock_offset = clock_offset
        self._offset_said: float | None = None
        self._counts = [_Counts() for _ in camera.posts]
        self._summed = clock.monotonic()

    def learn_empty(self, picture: Picture, index: int) -> None:
        """Takes the picture as one of post ``index`` with nobody there."""
        self._watcher.learn_empty(picture, index)

    @property
    def asked(self) -> int:
        """Looks at which the person detector was asked."""
        return self._watcher.asked[0]

    def wait(self) -> float:
        """Real seconds until the next look is due; 0 or less when it is."""
        return (self._due - self._timebase.now()) * self._timebase.real

    def step(self) -> list[Observation]:
        """Looks if a look is due; returns what is to be published."""
        return run_alone(self.stepping())

    def stepping(self) -> Asking[list[Observation]]:
        """As :meth:`step`, for many cameras to ask one net together."""
        t, at = self._timebase.now(), self._clock.now()
        found: list[Observation] = []
        house = self._clock.monotonic()
        if not 0 <= house - self._summed < SUMMARY_EVERY:
            # Before the look: a summary ends where the next begins, and that look belongs to the next.
            found += self._summaries(at, house)
        # Cameras that are due within moments of each other look together, and share a net's batch.
        early = TOGETHER * self._period
        if t >= self._due - early or t < self._due - 2 * self._period:
            found += yield from self._look(t, at)
            self._due += self._period
            if not t < self._due <= t + self._period + early:
                # Overslept (or the clock jumped): the looks that were missed stay missing, which makes the posts
                # unknown for as long as they count. Catching up on one and the same picture would prove nothing.
                self.overslept += self._due < t
                self._due = t + self._period
        return found

    def _look(self, t: float, at: datetime) -> Asking[list[Observation]]:
        self._frame = None
        states = yield from self._states(t)
        states = [_told(state, post) for state, post in zip(states, self.camera.posts, strict=True)]
        if self._on_look is not None:
            self._on_look(self._frame, states, self._watcher.looks)
        found = self._camera_change(at)
        for index, (state, look) in enumerate(zip(states, self._watcher.looks, strict=True)):
            counts = self._counts[index]
            counts.expected += 1
            counts.valid += look.seen is not None
            self.expected += 1
            self.valid += look.seen is not None
            counts.seen += look.seen is True
            said = self._said[index]
            if self._is_news(said, state):
                self._said[index] = state
                ago = max(0.0, t - state.vouched) * self._timebase.house
                # The answer may be old; how many there are is known from now on.
                since = at - timedelta(seconds=0.0 if said and _same_answer(said, state) else ago)
                found.append(self._observation("post.state", index, state, at, since))
        return found

    def _states(self, t: float) -> Asking[list[PostState]]:
        frame = self._slot.take()
        if frame is not None and t - frame.t <= self._fresh:
            self._newest, self._frame = frame.t, frame
            return (yield from self._watcher.looking(frame.picture(t)))
        link = self._link()
        age = t - self._newest if self._newest is not None else float("inf")
        # Posts are unknown when the picture is too old, not a look later, nor when that look is late.
        too_old = age > self._fresh - (LATE * self._period if self._period <= self._fresh / 4 else 0.0)
        if not link.up:
            reason = link.reason or "restart"
            return self._watcher.lapse(t, reason) if too_old else self._watcher.miss(t, reason)
        if too_old:
            return self._watcher.lapse(t, "stale" if self._newest is not None else "no_frame")
        # Between two pictures of a slow camera the last one stands, but not for longer than its usual pace explains.
        usual = max(self._period, (self._interval() or 0.0) / self._timebase.real)
        return self._watcher.repeat(t) if age <= 2 * usual else self._watcher.miss(t, "no_frame")

    def _is_news(self, said: PostState | None, now: PostState) -> bool:
        if said is None or said.state != now.state:
            return True
        if (said.people, said.waiting) != (now.people, now.waiting):
            return True
        return said.reason != now.reason and not {said.reason, now.reason} <= _PASSING_REASONS

    def _standing(self, link: Link) -> str | None:
        """What is wrong with the camera, in one word; what is wrong with its whole site is not its own fault."""
        if not link.up:
            return "incident" if link.reason is not None and self._in_incident() else link.reason
        return self._watcher.health.reason or ("too_slow" if self._too_slow() else None)

    def _camera_change(self, at: datetime) -> list[Observation]:
        link = self._link()
        now = (link.up, self._standing(link))
        offset, said = self._clock_offset(), self._offset_said
        news = offset is not None and (said is None or abs(offset - said) >= CLOCK_NEWS)
        if (now == self._camera_said and not news) or (not link.up and link.reason is None):
            return []
        self._camera_said = now
        # Between two openings it is not known: what was said last stands.
        self._offset_said = said = offset if offset is not None else said
        return [
            Observation(
                observation_id=self._id("camera", at),
                kind="camera.state",
                centre=self._centre,
                camera=self.camera.id,
                at=at,
                state="present" if link.up else "unknown",
                reason=now[1],
                clock_offset=None if said is None else round(said, 1),
            )
        ]

    def _summaries(self, at: datetime, house: float) -> list[Observation]:
        begin = max(self._summed, house - 4 * SUMMARY_EVERY) if house > self._summed else house
        since = datetime.fromtimestamp(begin, UTC)
        self._summed = house
        found = []
        for index, counts in enumerate(self._counts):
            state = self._said[index]
            if state is not None:
                found.append(self._observation("post.summary", index, state, at, since, counts))
            self._counts[index] = _Counts()
        return found

    def _observation(
        self,
        kind: str,
        index: int,
        state: PostState,
        at: datetime,
        since: datetime,
        counts: _Counts | None = None,
    ) -> Observation:
        post = self.camera.posts[index]
        return Observation(
            observation_id=self._id(f"{post.name}:{kind}", at),
            kind="post.summary" if kind == "post.summary" else "post.state",
            centre=self._centre,
            camera=self.camera.id,
            at=at,
            state=state.state,
            window=post.window,
            post=post.name,
            reason=state.reason,
            since=min(since, at),
            until=at if counts else None,
            score=round(state.score, 3),
            looks_expected=counts.expected if counts else 0,
            looks_valid=counts.valid if counts else 0,
            looks_seen=counts.seen if counts else 0,
            method=self._watcher.method,
            people=state.people,
            waiting=state.waiting,
        )

    def _id(self, what: str, at: datetime) -> str:
        return f"{self._centre}:{self.camera.id}:{what}:{at.timestamp():.6f}"


def _told(state: PostState, post: Post) -> PostState:
    """The state with what is worth telling: people up to as many as are needed, waiting only where nobody serves."""
    people = min(state.people, post.required) if state.people is not None else None
    return replace(state, people=people, waiting=state.waiting if state.state == "absent" else None)


def _same_answer(one: PostState, other: PostState) -> bool:
    return (one.state, one.reason) == (other.state, other.reason)
