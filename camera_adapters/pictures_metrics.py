"""What is known of kept pictures, read when it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from camera_adapters.pictures import Keeper


class PictureCollector:
    """Families out of a keeper's own counters."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def collect(self) -> Iterator[Metric]:
        counts = self._keeper.counts
        yield CounterMetricFamily(
            "mingjing_cameras_pictures_kept", "Pictures written to the loop", value=counts.kept
        )
        yield CounterMetricFamily(
            "mingjing_cameras_pictures_kept_bytes",
            "Bytes of pictures written to the loop",
            value=counts.kept_bytes,
        )
        for name, text, found in (
            ("given_up", "Pictures that could not be kept, by reason", counts.given_up),
            (
                "removed",
                "Pictures deleted from the loop, by reason: age, or disk for want of room",
                counts.removed,
            ),
        ):
            family = CounterMetricFamily(f"mingjing_cameras_pictures_{name}", text, labels=["reason"])
            for reason, count in sorted(found.items()):
                family.add_metric([reason], count)
            yield family
        yield GaugeMetricFamily(
            "mingjing_cameras_pictures_bytes", "Bytes of all pictures in the loop", value=self._keeper.size
        )
        oldest = GaugeMetricFamily(
            "mingjing_cameras_pictures_oldest_seconds", "Age of the oldest day in the loop"
        )
        if self._keeper.oldest is not None:
            oldest.add_metric([], self._keeper.age_of(self._keeper.oldest))
        yield oldest

    def describe(self) -> Iterator[Metric]:
        return iter(())
