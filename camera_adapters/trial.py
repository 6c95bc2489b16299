"""Looking through a camera once: does it open, what does it send, how often, and what does its clock show."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from camera_adapters.source import Source, SourceError, clock_offset_of


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen. Seconds are of the machine's monotonic clock.

    ``first``: until the first picture. ``interval``, ``longest``: usual and longest time between two pictures, None below
    two and three pictures. ``size``: (width, height). ``failed``: the error that ended it early.
    """

    pictures: int
    first: float | None
    interval: float | None
    longest: float | None
    size: tuple[int, int] | None
    broken: int
    clock_offset: float | None
    failed: SourceError | None = None


def try_source(source: Source, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> Trial:
    """Takes pictures for so long, or until it fails or ends. The source is closed."""
    began = monotonic()
    times: list[float] = []
    size: tuple[int, int] | None = None
    failed: SourceError | None = None
    try:
        source.open()
        for frame in source.frames():
            times.append(monotonic())
            size = (frame.image.shape[1], frame.image.shape[0])
            if times[-1] - began >= seconds:
                break
    except SourceError as error:
        failed = error
    finally:
        broken, offset = int(getattr(source, "broken", 0)), clock_offset_of(source)
        source.close()
    # The first gap is shorter than the others where a stream is joined in the middle.
    gaps = sorted(b - a for a, b in pairwise(times[1:]))
    return Trial(
        pictures=len(times),
        first=times[0] - began if times else None,
        interval=gaps[len(gaps) // 2] if gaps else times[1] - times[0] if len(times) == 2 else None,
        longest=gaps[-1] if gaps else None,
        size=size,
        broken=broken,
        clock_offset=offset,
        failed=failed,
    )
