"""A recording that stands for a camera: played at its own pace, over and over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from camera_adapters.media import Media
from camera_adapters.recorded_time import names_its_time, recorded_time
from camera_adapters.source import Frame, SourceError
from domain.clock import Clock

Wait = Callable[[float], object]


class RecordingSource:
    """Plays a file. A true value from ``wait`` (like that of ``Event.wait``) ends it.

    Args:
        loop: begin anew at the end; otherwise the frames end there.
        keyframes_only: decode keyframes only, as with a live stream.
        recorded: pictures carry the time at which they were recorded, by the file's name or its last change, which is
            taken for the recording's end.
        zone: of the times in names.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        wait: Wait = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        loop: bool = True,
        keyframes_only: bool = False,
        recorded: bool = False,
        zone: tzinfo = UTC,
    ) -> None:
        self._path = path
        self._clock = clock
        self._wait = wait
        self._monotonic = monotonic
        self._loop = loop
        self._keyframes_only = keyframes_only
        self._recorded = recorded
        self._zone = zone
        self._media: Media | None = None

    def open(self) -> None:
        self._media = Media(str(self._path), keyframes_only=self._keyframes_only, live=False)

    def frames(self) -> Iterator[Frame]:
        while True:
            if self._media is None:
                self.open()
            assert self._media is not None
            began = self._monotonic()
            recorded_at = self._begin() if self._recorded else None
            for picture in self._media.pictures():
                due = began + max(0.0, picture.t - self._media.start)
                behind = self._monotonic() - due
                if behind < 0 and self._wait(-behind):
                    return
                if behind > 1.0 and not picture.keyframe:
                    continue  # decoding is slower than the recording: show the newest, not all
                if recorded_at is None:
                    taken_at = self._clock.now()
                else:
                    taken_at = recorded_at + timedelta(seconds=max(0.0, picture.t - self._media.start))
                yield Frame(picture.image, self._monotonic(), taken_at, picture.keyframe)
                if self._media is None:
                    return
            self.close()
            if not self._loop:
                return

    def _begin(self) -> datetime:
        assert self._media is not None
        try:
            told = recorded_time(self._path, self._zone)
        except OSError as error:
            raise SourceError("unreachable", f"{self._path}: is there no more") from error
        return told if names_its_time(self._path) else told - timedelta(seconds=self._media.duration)

    def close(self) -> None:
        media, self._media = self._media, None
        if media is not None:
            media.close()
