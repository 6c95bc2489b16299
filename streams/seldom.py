"""Bounded news: while brokers are away aiokafka says so twenty times a second, for each of its tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: Seconds between two messages of one kind.
EVERY = 30.0
CLIENT_LOGGERS = (
    "aiokafka",
    "aiokafka.client",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.producer",
    "aiokafka.producer.sender",
)


class Seldom(logging.Filter):
    """Lets a message through once in a while, and says then how many of its kind were left out.

    Messages are of one kind if they come from one place in the code, whatever is put into them.
    """

    def __init__(self, every: float = EVERY, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every, self._monotonic = every, monotonic
        self._said: dict[tuple[str, int], float] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.pathname, record.lineno), self._monotonic()
        said = self._said.get(kind)
        if said is not None and now - said < self._every:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._said[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{record.getMessage()} (and {left_out} more of the kind since)"
            record.args = None
        return True


def quieten_clients() -> None:
    """For the rest of this process."""
    for name in CLIENT_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, Seldom) for each in logger.filters):
            logger.addFilter(Seldom())
