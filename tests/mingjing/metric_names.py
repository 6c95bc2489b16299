"""Every metric of the system, by what processes really show."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

import dashboard.metrics
import streams.metrics
from alerts.dead_man import DeadMan
from alerts.metrics import HookCollector, outbox_families
from camera_adapters.metrics import CameraCollector
from camera_adapters.pictures import Keeper
from camera_adapters.pictures_loop import PictureLoop
from camera_adapters.pictures_metrics import PictureCollector
from camera_adapters.runner import CameraRunner, cameras_of
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock
from mingjing.health import Pulse
from mingjing.metrics import ProcessCollector
from mingjing.watching import database_collector

ROOMS = (dashboard.metrics, streams.metrics, outbox_families)
_ENDINGS = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True)
class Shown:
    """``name`` as Prometheus knows it; the buckets of a histogram are one."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


def _shown(family: Metric, labels: tuple[str, ...] = ()) -> Shown:
    labels = tuple(getattr(family, "_labelnames", labels))
    if family.type == "info":
        labels = tuple(family.samples[0].labels)
    return Shown(family.name + _ENDINGS.get(family.type, ""), family.type, labels, family.documentation)


def all_metrics(dsn: str, folder: Path) -> dict[str, Shown]:
    """Asks everything that shows metrics once, the database included."""
    found: list[Shown] = []
    for collector in list(REGISTRY._collector_to_names):
        name = getattr(collector, "_name", "")
        if name.startswith("mingjing_"):
            found += [_shown(family, collector._labelnames) for family in collector.collect()]
    post = {"name": "p", "window": "A01", "polygon": [(0, 0), (1, 0), (1, 1)]}
    centre = Centre.model_validate(
        {
            "centre": {"id": "1"},
            "windows": [{"id": "A01"}],
            "cameras": [{"id": "c", "url": "sim://A01", "posts": [post]}],
        }
    )
    runner = CameraRunner(
        cameras_of(Centres.of(centre)), Clock(), lambda found: None, wait=threading.Event().wait
    )
    hook = SimpleNamespace(counts={"receipts": 1})
    keeper = Keeper(PictureLoop(folder / "pictures"), now=lambda: datetime(2026, 11, 23, tzinfo=UTC))
    for collector in (
        CameraCollector(runner),
        PictureCollector(keeper),
        HookCollector({"smsc": hook}),
        DeadMan(dsn, "http://watcher.example"),
        ProcessCollector("rules", Pulse("loop"), folder, bases=lambda: ["CN"]),
        database_collector(dsn),
    ):
        found += [_shown(family) for family in collector.collect()]
    return {each.name: each for each in found}
