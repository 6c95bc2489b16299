"""What the camera runner knows of its cameras, read when it is asked. Codes of cameras only: no addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from camera_adapters.source import clock_offset_of

if TYPE_CHECKING:
    from camera_adapters.runner import CameraRunner


class CameraCollector:
    """Families out of a runner's own counters: the looks are not slowed down by counting twice."""

    def __init__(self, runner: CameraRunner, rivals: Callable[[], int] = lambda: 0) -> None:
        self._runner, self._rivals = runner, rivals

    def collect(self) -> Iterator[Metric]:
        def counter(name: str, text: str) -> CounterMetricFamily:
            return CounterMetricFamily(f"mingjing_cameras_{name}", text, labels=["camera"])

        expected = counter("looks_expected", "Looks at posts that were due")
        valid = counter("looks_valid", "Looks at posts that could say something")
        asked = counter("detector_asked", "Looks at which the person detector had to be asked")
        pictures = counter("pictures", "Pictures received")
        overwritten = counter("pictures_overwritten", "Pictures replaced by newer ones before a look")
        reopened = counter("reopened", "Times a source was opened again")
        overslept = counter("overslept", "Looks that came a whole period late or more")
        broken = counter("decode_errors", "Pictures or packets that could not be decoded")
        up = GaugeMetricFamily("mingjing_cameras_up", "1 while the camera delivers", labels=["camera"])
        down = GaugeMetricFamily(
            "mingjing_cameras_down",
            "1 for the reason why a camera does not deliver",
            labels=["camera", "reason"],
        )
        interval = GaugeMetricFamily(
            "mingjing_cameras_interval_seconds", "Measured seconds between two pictures", labels=["camera"]
        )
        age = GaugeMetricFamily(
            "mingjing_cameras_picture_age_seconds", "Age of the newest picture received", labels=["camera"]
        )
        slow = GaugeMetricFamily(
            "mingjing_cameras_too_slow",
            "1 while pictures come so seldom that posts are unknown between them",
            labels=["camera"],
        )
        inside = GaugeMetricFamily(
            "mingjing_cameras_in_incident",
            "1 while the camera is down with most of its site",
            labels=["camera"],
        )
        offset = GaugeMetricFamily(
            "mingjing_cameras_clock_offset_seconds",
            "Seconds by which the camera's own clock is ahead, where it says",
            labels=["camera"],
        )
        now = self._runner.monotonic()
        for each in self._runner.postings:
            label, link = [each.name], each.reader.link
            expected.add_metric(label, each.station.expected)
            valid.add_metric(label, each.station.valid)
            asked.add_metric(label, each.station.asked)
            pictures.add_metric(label, each.slot.received)
            overwritten.add_metric(label, each.slot.overwritten)
            reopened.add_metric(label, each.reader.reopened)
            overslept.add_metric(label, each.station.overslept)
            up.add_metric(label, float(link.up))
            if not link.up:
                down.add_metric([each.name, link.reason or "not_tried"], 1.0)
            if each.reader.interval is not None:
                interval.add_metric(label, each.reader.interval)
            broken.add_metric(label, each.reader.broken)
            inside.add_metric(label, float(self._runner.sites.concerns(each.site, each.camera.id)))
            slow.add_metric(label, float(each.reader.too_slow))
            if each.reader.newest is not None:
                age.add_metric(label, now - each.reader.newest)
            source = each.reader.source
            ahead = None if source is None else clock_offset_of(source)
            if ahead is not None:
                offset.add_metric(label, ahead)
        yield from (expected, valid, asked, pictures, overwritten, reopened, overslept, up, down, interval)
        yield from (broken, age, slow, inside, offset)
        yield from self._sites()
        yield GaugeMetricFamily(
            "mingjing_cameras_rivals",
            "Other processes that watch cameras of this one's share",
            value=self._rivals(),
        )
        yield GaugeMetricFamily(
            "mingjing_cameras_openings_waiting",
            "Cameras that wait for their turn to be opened",
            value=self._runner.gate.waiting,
        )
        yield CounterMetricFamily(
            "mingjing_cameras_observations_given_up",
            "Observations dropped because the log was away for too long",
            value=self._runner.outlet.given_up,
        )

    def _sites(self) -> Iterator[Metric]:
        incident = GaugeMetricFamily(
            "mingjing_cameras_site_incident",
            "1 while most cameras of a site are down together",
            labels=["site"],
        )
        failed = GaugeMetricFamily(
            "mingjing_cameras_site_failed",
            "Cameras that failed in the incident that goes on",
            labels=["site"],
        )
        total = CounterMetricFamily(
            "mingjing_cameras_incidents", "Incidents: most cameras of a site failed together", labels=["site"]
        )
        for key, guard in self._runner.sites.guards.items():
            label, now = ["/".join(dict.fromkeys(key))], guard.incident
            incident.add_metric(label, float(now is not None))
            failed.add_metric(label, 0.0 if now is None else len(now.failed) - now.back)
            total.add_metric(label, guard.incidents)
        yield from (incident, failed, total)

    def describe(self) -> Iterator[Metric]:
        return iter(())
