"""For gateways that can only be asked for receipts: a message without one may be there all the same, for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from alerts.hooks.base import UnclearSendError

MOST = 10_000
"""Keys remembered; of older ones the waiting begins anew, which is late and never twice."""


class Doubt:
    """Remembers since when each message has been in doubt, by real seconds since this process first asked.

    A process that starts anew waits anew: rather late than twice.
    """

    def __init__(self, patience: float, monotonic: Callable[[], float]) -> None:
        self._patience, self._monotonic = patience, monotonic
        self._since: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def absent(self, key: str) -> None:
        """The gateway has no receipt of this message. Returns when it has had long enough to have one.

        Raises:
            UnclearSendError: it may still come; with the seconds to wait.
        """
        with self._lock:
            now = self._monotonic()
            left = self._since.setdefault(key, now) + self._patience - now
            if left <= 0:
                del self._since[key]
                return
            while len(self._since) > MOST:
                self._since.popitem(last=False)
        raise UnclearSendError("no receipt yet: it may be on its way", wait=left)
