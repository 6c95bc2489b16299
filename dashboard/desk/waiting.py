"""The growing wait after passwords that were none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Tries that cost nothing: for a name from one address, for a name, for an address (behind a proxy that of everybody); then
#: 1, 2, 4 … seconds, at most so many.
FREE_PAIR, FREE_NAME, FREE_ADDRESS = 3, 20, 200
MOST_PAIR, MOST_ALONE = 900.0, 60.0
#: Seconds without a try after which all is forgotten.
FORGOTTEN = 3600.0
MOST_KEPT = 10_000


@dataclass(slots=True)
class _Tries:
    number: int = 0
    last: float = 0.0


class Waiting:
    """How long a name, an address, and the two together have to wait.

    For the pair it grows far; alone it stays short, so that nobody locks an inspector out by trying his name.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._tries: dict[tuple[str, str], _Tries] = {}
        self._lock = threading.Lock()

    def seconds(self, name: str, address: str) -> float:
        """Seconds until the next try is looked at; 0: now."""
        with self._lock:
            now = self._now()
            longest = 0.0
            for key, free, most in _keys(name, address):
                tries = self._tries.get(key)
                if tries is not None and tries.number >= free:
                    pause = min(2.0 ** min(tries.number - free, 30), most)
                    longest = max(longest, tries.last + pause - now)
            return longest

    def failed(self, name: str, address: str) -> None:
        with self._lock:
            now = self._now()
            if len(self._tries) > MOST_KEPT:
                self._tries = {k: t for k, t in self._tries.items() if now - t.last < FORGOTTEN}
                for key in list(self._tries)[: max(0, len(self._tries) - MOST_KEPT)]:
                    del self._tries[key]
            for key, _, _ in _keys(name, address):
                tries = self._tries.setdefault(key, _Tries())
                if now - tries.last > FORGOTTEN:
                    tries.number = 0
                tries.number, tries.last = tries.number + 1, now

    def succeeded(self, name: str, address: str) -> None:
        """Forgets the name's tries; those of an address stay, or whoever has an account could try others for ever."""
        with self._lock:
            for key, _, _ in _keys(name, address):
                if key[0]:
                    self._tries.pop(key, None)


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], int, float], ...]:
    name = name[:64]
    return (
        ((name, address), FREE_PAIR, MOST_PAIR),
        ((name, ""), FREE_NAME, MOST_ALONE),
        (("", address), FREE_ADDRESS, MOST_ALONE),
    )


__all__ = ["Waiting"]
