"""What Faust tells of itself: commits and rebalances, for the counters."""

from __future__ import annotations

from typing import Any

from faust.sensors import Sensor

from streams import metrics


class WorkerSensor(Sensor):
    """Counts; everything that happens once an event is left to the intake, which counts batches."""

    def on_commit_completed(self, consumer: Any, state: Any) -> None:
        metrics.COMMITS.inc()

    def on_rebalance_start(self, app: Any) -> dict[str, Any]:
        metrics.REBALANCES.inc()
        return {}
