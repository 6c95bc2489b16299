"""How far a worker has read: what its heartbeat says, and the rule loop asks before it judges."""

from __future__ import annotations

from typing import Any

import faust
from faust.types import TP

from streams import metrics


class Progress:
    """Looks at a running application's consumer; both kinds of log answer ``known_end`` and ``next_offset``.

    Args:
        topic: name in the log of the topic whose partitions are named in :meth:`detail`.
    """

    def __init__(self, app: faust.App, topic: str) -> None:
        self._app, self._topic = app, topic
        self._started: dict[TP, int] = {}
        self._shown: set[TP] = set()

    def detail(self) -> dict[str, Any]:
        """``lag``: records in the log that are not yet stored. ``reads``: the topic's partitions that this
        worker has and whose end it knows; ``of``: how many there are. A partition that no worker names may hold
        anything. ``rebalances``: how often partitions were handed out since the start."""
        consumer: Any = self._app.consumer
        assigned = consumer.assignment()
        self._started = {tp: offset for tp, offset in self._started.items() if tp in assigned}
        lag, reads = 0, []
        metrics.PARTITIONS.set(len(assigned))
        for tp in self._shown - set(assigned):
            metrics.LAG.remove(tp.topic, str(tp.partition))  # another worker has it and speaks of it
        self._shown &= set(assigned)
        for tp in assigned:
            end = consumer.known_end(tp)
            if end is None:
                continue
            behind = max(0, end - self._done(consumer, tp, end))
            lag += behind
            metrics.LAG.labels(tp.topic, str(tp.partition)).set(behind)
            self._shown.add(tp)
            if tp.topic == self._topic and not self._app.rebalancing:
                reads.append(tp.partition)
        return {
            "lag": lag,
            "reads": sorted(reads),
            "of": consumer.topic_partitions(self._topic),
            "rebalances": self._app.rebalancing_count,
        }

    def _done(self, consumer: Any, tp: TP, end: int) -> int:
        # Batches of a partition are acknowledged in their order, and committed once a second: the newest counts.
        acked = consumer._acked.get(tp)
        if acked:
            return int(max(acked)) + 1
        committed = consumer._committed_offset.get(tp)
        if committed is not None:
            return int(committed)
        # Nothing was ever committed here; what retention has dropped is no backlog.
        if tp not in self._started:
            position = consumer.next_offset(tp)
            self._started[tp] = end if position is None else position
        return self._started[tp]
