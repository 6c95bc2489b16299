"""What the camera runner knows of its cameras, read when it is asked. Codes of cameras only: no addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from camera_adapters.runner import CameraRunner


class CameraCollector:
    """Families out of a runner's own counters: the looks are not slowed down by counting twice."""

    def __init__(self, runner: CameraRunner) -> None:
        self._runner = runner

    def collect(self) -> Iterator[Metric]:
        def counter(name: str, text: str) -> CounterMetricFamily:
            return CounterMetricFamily(f"mingjing_cameras_{name}", text, labels=["camera"])

        expected = counter("looks_expected", "Looks at posts that were due")
        valid = counter("looks_valid", "Looks at posts that could say something")
        pictures = counter("pictures", "Pictures received")
        overwritten = counter("pictures_overwritten", "Pictures replaced by newer ones before a look")
        reopened = counter("reopened", "Times a source was opened again")
        overslept = counter("overslept", "Looks that came a whole period late or more")
        up = GaugeMetricFamily("mingjing_cameras_up", "1 while the camera delivers", labels=["camera"])
        down = GaugeMetricFamily(
            "mingjing_cameras_down",
            "1 for the reason why a camera does not deliver",
            labels=["camera", "reason"],
        )
        interval = GaugeMetricFamily(
            "mingjing_cameras_interval_seconds", "Measured seconds between two pictures", labels=["camera"]
        )
        for each in self._runner.postings:
            label, link = [each.name], each.reader.link
            expected.add_metric(label, each.station.expected)
            valid.add_metric(label, each.station.valid)
            pictures.add_metric(label, each.slot.received)
            overwritten.add_metric(label, each.slot.overwritten)
            reopened.add_metric(label, each.reader.reopened)
            overslept.add_metric(label, each.station.overslept)
            up.add_metric(label, float(link.up))
            if not link.up:
                down.add_metric([each.name, link.reason or "not_tried"], 1.0)
            if each.reader.interval is not None:
                interval.add_metric(label, each.reader.interval)
        yield from (expected, valid, pictures, overwritten, reopened, overslept, up, down, interval)
        yield CounterMetricFamily(
            "mingjing_cameras_observations_given_up",
            "Observations dropped because the log was away for too long",
            value=self._runner.outlet.given_up,
        )

    def describe(self) -> Iterator[Metric]:
        return iter(())
