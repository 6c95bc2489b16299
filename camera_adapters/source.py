"""What every kind of camera offers: pictures with the time at which they were taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from detectors.presence.picture import Image, Picture
from domain.errors import MediaError

FailureReason = Literal["refused", "unauthorised", "unreachable", "undecodable", "no_frame"]


class SourceError(MediaError):
    """A source cannot deliver. The text names it without its credentials.

    Args:
        reason: why, in one word of the observations' vocabulary.
        text: one sentence.
    """

    def __init__(self, reason: FailureReason, text: str) -> None:
        self.reason: FailureReason = reason
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture: BGR, height × width × 3, uint8. ``t`` counts seconds of the source's own monotonic clock;
    ``taken_at`` is the moment of the house's clock, of a recording its recorded one if asked for. ``keyframe``: the
    stream coded it by itself."""

    image: Image
    t: float
    taken_at: datetime
    keyframe: bool = True

    def picture(self, t: float) -> Picture:
        """For a look at ``t``."""
        return Picture(self.image, t, self.keyframe)


class Source(Protocol):
    """A camera or something that stands for one.

    ``open`` and the iterator of ``frames`` raise SourceError and never block for more than about five seconds
    without a picture; after any error the source is closed and opened anew. ``close`` may be called at any time,
    from any thread, and twice.
    """

    def open(self) -> None: ...

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


@runtime_checkable
class Clocked(Protocol):
    """A source that knows what the camera's own clock shows."""

    def clock_offset(self) -> float | None:
        """Seconds by which it is ahead of the house's clock when last measured, None while unknown. Takes no time."""
        ...


def clock_offset_of(source: object) -> float | None:
    """A source's ``clock_offset``; None for one that has none."""
    return source.clock_offset() if isinstance(source, Clocked) else None
