"""A folder of pictures that stands for a camera: one after the other, over and over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from pathlib import Path

import cv2
import numpy as np

from camera_adapters.jpeg import decode_jpeg
from camera_adapters.recorded_time import recorded_time
from camera_adapters.source import Frame, SourceError
from detectors.presence.picture import Image
from domain.clock import Clock

Wait = Callable[[float], object]
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
LARGEST_BYTES = 64 << 20


class FolderSource:
    """Shows the pictures of a folder in the order in which they were recorded (:mod:`camera_adapters.recorded_time`).

    The folder is read anew for each round: pictures may be added while it runs.

    Args:
        every: seconds between pictures.
        recorded: pictures carry their recorded time, not that of being shown.
        zone: of the times in names.
        loop: begin anew after the last; otherwise the frames end there.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        every: float = 2.0,
        recorded: bool = False,
        zone: tzinfo = UTC,
        wait: Wait = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        loop: bool = True,
    ) -> None:
        self._path, self._clock, self._every = path, clock, every
        self._recorded, self._zone, self._loop = recorded, zone, loop
        self._wait, self._monotonic = wait, monotonic
        self._open = False
        self.broken = 0
        """Pictures that could not be decoded so far."""

    def open(self) -> None:
        self._pictures()
        self._open = True

    def frames(self) -> Iterator[Frame]:
        if not self._open:
            self.open()
        while self._open:
            shown = False
            for path in self._pictures():
                try:
                    image, taken_at = _read(path), recorded_time(path, self._zone)
                except (SourceError, OSError):
                    self.broken += 1  # it may be on its way into the folder
                    continue
                shown = True
                yield Frame(image, self._monotonic(), taken_at if self._recorded else self._clock.now())
                if not self._open or self._wait(self._every):
                    return
            if not shown:
                raise SourceError("undecodable", f"{self._path}: not one picture in it could be decoded")
            if not self._loop:
                return

    def close(self) -> None:
        self._open = False

    def _pictures(self) -> list[Path]:
        try:
            found = [each for each in self._path.iterdir() if each.suffix.lower() in ENDINGS]
        except FileNotFoundError as error:
            raise SourceError("unreachable", f"{self._path}: there is no such folder") from error
        except OSError as error:
            raise SourceError("refused", f"{self._path}: may not be read") from error
        if not found:
            raise SourceError("no_frame", f"{self._path}: holds no pictures ({', '.join(ENDINGS)})")
        timed = []
        for each in found:
            try:
                timed.append((recorded_time(each, self._zone), each.name, each))
            except OSError:
                continue  # gone since it was listed
        return [each for _, _, each in sorted(timed)]


def _read(path: Path) -> Image:
    if path.stat().st_size > LARGEST_BYTES:
        raise SourceError("undecodable", f"{path}: is too large")
    body = path.read_bytes()
    if path.suffix.lower() in (".jpg", ".jpeg"):
        return decode_jpeg(body, str(path))
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR) if body else None
    if image is None:
        raise SourceError("undecodable", f"{path}: cannot be decoded")
    return np.asarray(image, dtype=np.uint8)
