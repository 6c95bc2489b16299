"""A stream of events through the door that goes on for as long as something is to be broken."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

from tests.drills.system import System

BATCH = 50


class Pouring:
    """Pours lines in a thread; the last tenth is held back, a few at a time, until the ``with`` block ends.

    So the number of events does not depend on how long a process takes to come back, and something flows
    whenever one dies.

    Args:
        seconds: about how long the first nine tenths take.
    """

    def __init__(self, system: System, lines: Sequence[str], *, seconds: float) -> None:
        self._system, self._lines = system, lines
        self._release = threading.Event()
        self._head = len(lines) * 9 // 10
        self._pause = seconds / max(1, self._head // BATCH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pouring", daemon=True)
        #: How often a batch was sent again; known at the end.
        self.again = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._release.set()
        if kind is None:
            self._thread.join(600)
            assert not self._thread.is_alive(), "the door has not taken everything"
            if self._error is not None:
                raise self._error

    @property
    def flows(self) -> bool:
        """False if everything has been poured, or pouring has failed."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            head, tail = self._lines[: self._head], self._lines[self._head :]
            self.again += self._system.pour(head, lambda: self._release.wait(self._pause), BATCH)
            # A few at a time while something is being broken, then all at once.
            few = max(1, len(tail) // 200)
            while tail and not self._release.wait(0.2):
                self.again += self._system.pour(tail[:few])
                tail = tail[few:]
                if len(tail) < few * 3:
                    self._release.wait(120)
            self.again += self._system.pour(tail)
        except BaseException as error:
            self._error = error
