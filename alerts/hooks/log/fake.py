"""A log hook that remembers and, told so, fails: for tests of what stands before a hook."""

from __future__ import annotations

import threading
from collections import deque

from alerts.hooks.base import Handed
from alerts.messages import Outgoing
from domain.errors import SendError


class FakeHook:
    """Keeps what it was given in ``sent``; raises the errors in ``failures`` first, one a call."""

    def __init__(self, *failures: SendError) -> None:
        self.sent: list[Outgoing] = []
        self.failures = deque(failures)
        self.closed = False
        self._lock = threading.Lock()

    def send(self, message: Outgoing) -> Handed:
        with self._lock:
            if self.failures:
                raise self.failures.popleft()
            self.sent.append(message)
            return Handed(provider_id=f"fake-{len(self.sent)}")

    def close(self) -> None:
        self.closed = True
