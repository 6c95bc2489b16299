"""Keeping pictures: of each look whatever may be kept, every few seconds of the open hours and at each change of a state.

The looking thread blackens and encodes (some milliseconds, every ten seconds); a thread of its own writes. A disk that is slow
or full costs pictures, counted, and never a look.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from camera_adapters.pictures_loop import Key, PictureLoop
from camera_adapters.pictures_mask import masks_of
from camera_adapters.source import Frame
from detectors.presence.look import Look
from detectors.presence.state import PostState
from domain.centre import Camera, Centre
from domain.pictures import PictureSettings

log = logging.getLogger(__name__)

#: Pictures that wait for the disk at most: some 20 MB.
WAITING = 1000
#: A gap that lasts is noted again so often: whoever asks for pictures of that time learns that this machine knew.
GAP_EVERY = timedelta(minutes=5)
#: Pictures are kept so long before the opening and after the end of the open hours.
AROUND = timedelta(minutes=5)
#: A picture of a view that is not the drawn one may show anybody anywhere: it is not kept.
NOT_THE_VIEW = frozenset({"moved"})
#: Share of the disk that the loop leaves free, whatever its limit.
SPARE = 0.05


@dataclass
class Counts:
    """What became of pictures, since the process began."""

    kept: int = 0
    kept_bytes: int = 0
    given_up: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Job:
    key: Key
    day: date
    at: datetime
    picture: bytes | None
    sure: bool
    facts: dict[str, Any]


class Keeper:
    """Writes the pictures of all cameras of a process and keeps the loop below its limit. One thread writes, any may delete.

    Args:
        limit: bytes that the loop may have; None = as many as leave :data:`SPARE` of the disk free.
        now: the house's clock.
        usage: total, used and free bytes of a folder's disk.
    """

    def __init__(
        self,
        loop: PictureLoop,
        *,
        now: Callable[[], datetime],
        limit: int | None = None,
        usage: Callable[[Path], Sequence[int]] = shutil.disk_usage,
    ) -> None:
        self.loop = loop
        self.counts = Counts()
        self.oldest: date | None = None
        self.spared: Collection[tuple[Key, date]] = ()
        """Days of cameras from which pictures are still wanted as evidence: room is not made of them."""
        self._now, self._limit, self._usage = now, limit, usage
        self._queue: queue.Queue[_Job] = queue.Queue(WAITING)
        self._sizes: dict[tuple[Key, date], int] | None = None
        self.size = 0
        """Bytes of all pictures in the loop; 0 before they have been counted."""
        self._failing = False
        self._lock = threading.RLock()

    def age_of(self, day: date) -> float:
        """Seconds since the begin of a day (UTC)."""
        return (self._now() - datetime.combine(day, time(), UTC)).total_seconds()

    def offer(self, job: _Job) -> None:
        """Takes a picture to be written; never waits."""
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            self._give_up("queue")

    def run(self, stop: threading.Event) -> None:
        """Writes until ``stop``, and then what still waits."""
        while not stop.is_set():
            if not self.step(0.5) and self._failing:
                stop.wait(1.0)  # a disk that is gone answers at once
        self.step()

    def step(self, wait: float = 0.0) -> int:
        """Writes what waits; returns how many pictures were kept."""
        try:
            if self._sizes is None:
                self._begin()
            job: _Job | None = self._queue.get(timeout=wait) if wait else self._queue.get_nowait()
        except queue.Empty:
            return 0
        except OSError as error:
            self._complain(error)
            return 0
        done = 0
        while job is not None:
            done += self._write(job)
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                job = None
        return done

    def _begin(self) -> None:
        self.loop.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.loop.finish()
        sizes = {}
        for key in self.loop.cameras():
            days = self.loop.days(key)
            for day in days:
                sizes[key, day] = self.loop.size(key, day, over=day != days[-1])
        self._sizes, self.size = sizes, sum(sizes.values())
        self.oldest = min((day for _, day in sizes), default=None)

    def _write(self, job: _Job) -> bool:
        with self._lock:
            return self._put(job)

    def _put(self, job: _Job) -> bool:
        assert self._sizes is not None
        try:
            if job.picture is None:
                self.loop.note_gap(job.key, job.day, job.at, **job.facts)
                return False
            if not self._has_room(len(job.picture)):
                self._give_up("disk")
                return False
            self.loop.keep(job.key, job.day, job.at, job.picture, sure=job.sure, **job.facts)
        except OSError as error:
            self._give_up("disk")
            self._complain(error)
            return False
        if self._failing:
            log.info("pictures are kept again")
        self._failing = False
        place = (job.key, job.day)
        self._sizes[place] = self._sizes.get(place, 0) + len(job.picture)
        self.size += len(job.picture)
        self.oldest = min(self.oldest or job.day, job.day)
        self.counts.kept += 1
        self.counts.kept_bytes += len(job.picture)
        return True

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            log.error("pictures cannot be kept: %s", error.strerror or error)
        self._failing = True

    def _give_up(self, why: str) -> None:
        self.counts.given_up[why] = self.counts.given_up.get(why, 0) + 1

    # -- making room -----------------------------------------------------------------------------------------------------

    def _has_room(self, more: int) -> bool:
        if not self._is_full(more):
            return True
        self._make_room(more)
        return not self._is_full(more)

    def _is_full(self, more: int) -> bool:
        if self._limit is not None and self.size + more > self._limit:
            return True
        total, _, free = self._usage(self.loop.folder)
        return free - more < SPARE * total

    def _make_room(self, more: int) -> None:
        """Oldest first, a day of a camera at a time; of the newest day an hour. What is still wanted as evidence stays."""
        assert self._sizes is not None
        spared = set(self.spared)
        newest = max((day for _, day in self._sizes), default=None)
        for place in sorted(self._sizes, key=lambda each: (each[1], each[0])):
            if not self._is_full(more):
                return
            if place in spared:
                continue
            if place[1] == newest:
                self._shorten(*place)
            else:
                self.remove(*place, "disk")

    def _shorten(self, key: Key, day: date) -> None:
        first = min((each.at for each in self.loop.read_day(key, day)), default=None)
        if first is not None:
            self.remove(key, day, "disk", until=first + timedelta(hours=1))

    def remove(self, key: Key, day: date, reason: str, *, until: datetime | None = None) -> int:
        """Deletes a day of a camera, or its beginning; returns how many pictures that were.

        Raises:
            OSError: the disk is gone, or so full that it cannot be written down what is deleted.
        """
        with self._lock:
            return self._remove(key, day, reason, until)

    def _remove(self, key: Key, day: date, reason: str, until: datetime | None) -> int:
        made = self.loop.delete(key, day, reason, self._now(), until=until)
        if self._sizes is not None:
            before = self._sizes.pop((key, day), 0)
            if until is not None and made is not None:
                self._sizes[key, day] = max(0, before - made.size)
            self.size += self._sizes.get((key, day), 0) - before
            self.oldest = min((each for _, each in self._sizes), default=None)
        if made is None:
            return 0
        self.counts.removed[reason] = self.counts.removed.get(reason, 0) + made.pictures
        if reason == "disk":
            log.warning("no room: %d pictures of camera %s of %s were deleted", made.pictures, key[1], day)
        return made.pictures


class Recorder:
    """What is told of each look of one camera; hands pictures to the keeper.

    Args:
        least: seconds of the house's clock between two pictures at least (a simulated clock may run fast).
        offset: seconds by which the camera's own clock is ahead of the host's; None = unknown.
    """

    def __init__(
        self,
        centre: Centre,
        camera: Camera,
        keeper: Keeper,
        *,
        now: Callable[[], datetime],
        least: float = 0.0,
        offset: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._centre, self._camera, self._keeper = centre, camera, keeper
        self._masks = masks_of(camera)
        self._now, self._offset = now, offset
        self._every = timedelta(seconds=max((camera.evidence or PictureSettings()).every, least))
        self._key = (centre.centre.id, camera.id)
        self._spans: dict[int, list[tuple[datetime, datetime]]] = {}
        self._taken: datetime | None = None
        self._said: dict[str, str] = {}
        self._gap: tuple[str, datetime] | None = None
        self._warned = False

    def __call__(self, frame: Frame | None, states: Sequence[PostState], looks: Sequence[Look]) -> None:
        try:
            self._look(frame, states, looks)
        except Exception:
            # Whatever a picture may do to an encoder, the look at it counts.
            if not self._warned:
                log.exception("camera %s: a picture could not be kept", self._camera.id)
            self._warned = True
            self._keeper.counts.given_up["error"] = self._keeper.counts.given_up.get("error", 0) + 1

    def _look(self, frame: Frame | None, states: Sequence[PostState], looks: Sequence[Look]) -> None:
        at = self._now() if frame is None else frame.taken_at
        if not self._masks or not self._is_open(at):
            return
        blind = _blind(looks)
        if frame is None or blind in NOT_THE_VIEW:
            if blind is not None:
                self._note_gap(blind, at)
            return
        said: dict[str, str] = {
            post.name: state.state for post, state in zip(self._camera.posts, states, strict=True)
        }
        # Of this very picture: the states are weighed over seconds and may be those of the moment before.
        seen = {post.name: _SEEN[look.seen] for post, look in zip(self._camera.posts, looks, strict=True)}
        due = self._taken is None or not timedelta(0) <= at - self._taken < self._every
        offset = self._offset()
        kept = hidden = False
        for mask in self._masks:
            changed = (
                said != self._said if mask.post is None else said[mask.post] != self._said.get(mask.post)
            )
            if not due and not changed:
                continue
            picture = mask.jpeg(frame.image)
            if picture is None:
                hidden = True
                continue
            facts = {
                "offset": None if offset is None else round(offset, 3),
                "post": mask.post,
                "states": seen if mask.post is None else {mask.post: seen[mask.post]},
                "why": "period" if due else "change",
            }
            kept = True
            self._keeper.offer(_Job(self._key, self._day(at), at, picture, changed, facts))
        if kept:
            self._gap = None
        elif hidden:
            self._note_gap("all_hidden", at)
        if due:
            self._taken = at
        self._said = said

    def _note_gap(self, reason: str, at: datetime) -> None:
        if self._gap is not None and self._gap[0] == reason and at - self._gap[1] < GAP_EVERY:
            return
        self._gap = (reason, at)
        self._keeper.offer(_Job(self._key, self._day(at), at, None, False, {"reason": reason}))

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._centre.zone).date()

    def _is_open(self, at: datetime) -> bool:
        """Whether any window of the camera is open, or was or will be within minutes."""
        day = self._day(at).toordinal()
        if day not in self._spans:
            calendars = {
                id(each): each
                for each in (self._centre.open_time(post.window) for post in self._camera.posts)
            }
            self._spans = {day: [span for each in calendars.values() for span in each.office_spans(day)]}
        return any(start - AROUND <= at < end + AROUND for start, end in self._spans[day])


_SEEN = {True: "present", False: "absent", None: "unknown"}


def _blind(looks: Sequence[Look]) -> str | None:
    """Why a look says nothing of any post; None where it says something, or for several reasons."""
    reasons = {look.reason if look.seen is None else None for look in looks}
    return reasons.pop() if len(reasons) == 1 else None


__all__ = ["Counts", "Keeper", "Recorder"]
