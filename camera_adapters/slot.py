"""Room for exactly one picture: the newest."""

from __future__ import annotations

import threading

from camera_adapters.source import Frame


class Slot:
    """Hands pictures from the thread that reads to the one that looks. Never blocks; what is overwritten is counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self.received = 0
        self.overwritten = 0

    def put(self, frame: Frame) -> None:
        with self._lock:
            self.received += 1
            if self._frame is not None:
                self.overwritten += 1
            self._frame = frame

    def take(self) -> Frame | None:
        """The newest picture not taken yet, or None."""
        with self._lock:
            frame, self._frame = self._frame, None
            return frame
