"""What the wall counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CLIENTS = Gauge("mingjing_wall_clients", "Screens on the line")
PUSHES = Counter("mingjing_wall_pushes", "Messages sent to screens, signs of life included")
READ_SECONDS = Histogram(
    "mingjing_wall_snapshot_seconds",
    "Seconds to read what the wall shows",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
READ_ERRORS = Counter("mingjing_wall_read_errors", "Reads of the store that failed")
READ_AT = Gauge("mingjing_wall_data_read_timestamp_seconds", "Real moment at which the shown data were read")
