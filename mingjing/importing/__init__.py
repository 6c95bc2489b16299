"""`mingjing import`: event logs of other systems as events of the contract, with a centre file that goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import InputError
from mingjing.importing.builder import Builder
from mingjing.importing.csv_rows import read_csv
from mingjing.importing.log_map import check_map
from mingjing.importing.permits import PERMITS_MAP
from mingjing.importing.rows import RejectedRow
from mingjing.importing.xes_rows import read_xes

FORMATS = ("permits", "xes", "csv")

#: What XES calls things by its standard extensions. The first event of a trace is the first trace of the case, its
#: receipt; no log says by itself when a case was accepted or decided, so the rest needs a map.
XES_MAP: dict[str, Any] = {
    "source": "xes",
    "columns": {
        "case": "case:concept:name",
        "activity": "concept:name",
        "time": "time:timestamp",
        "lifecycle": "lifecycle:transition",
        "staff": "org:resource",
        "window": "org:group",
        "id": "identity:id",
    },
    "start": {"at": "first_event", "gives": ["case.received"]},
    "centre": {"id": "xes", "name": "XES"},
}


class Imported(NamedTuple):
    """Events (contract JSON objects, in the order of rule 10), the centre file, what was rejected, and how many rows
    the map told us to pass over."""

    events: list[dict[str, Any]]
    centre: dict[str, Any]
    rejected: list[RejectedRow]
    skipped: int = 0


def import_log(
    path: Path, format: str, map: dict[str, Any] | None = None, *, map_name: str = "the map"
) -> Imported:
    """Reads one log.

    Args:
        path: the log; gzip is told by its content.
        format: ``permits``, ``xes`` or ``csv``.
        map: the map as a plain dict. For ``xes`` its keys replace those of the default map one by one (those of
            ``columns`` too); ``csv`` needs one; ``permits`` takes none.
        map_name: how errors call the map.

    Raises:
        InputError: the log or the map cannot be used; one sentence that names the place.
    """
    if format not in FORMATS:
        raise InputError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    if format == "csv" and map is None:
        raise InputError("--format csv needs --map: a table does not say what its columns mean")
    if format == "permits" and map is not None:
        raise InputError("--format permits has its own map; use --format csv for another one")
    log_map = check_map(_whole_map(format, map or {}), map_name)
    rows = read_xes(path) if format == "xes" else read_csv(path, log_map)
    builder = Builder(log_map)
    builder.take(rows)
    events = builder.events()
    if not events and not builder.rejected and not builder.skipped:
        raise InputError(f"{path}: holds no rows")
    rejected = sorted(builder.rejected, key=lambda row: row.line)
    return Imported(events, builder.centre(), rejected, builder.skipped)


def _whole_map(format: str, given: dict[str, Any]) -> dict[str, Any]:
    if format == "permits":
        return PERMITS_MAP
    if format == "csv":
        return {"source": "csv", "centre": {"id": "csv"}, **given}
    whole = {**XES_MAP, **given}
    if "start" not in given and _names_receipts(given.get("activities")):
        whole["start"] = None
    if isinstance(given.get("columns"), dict):
        whole["columns"] = {**XES_MAP["columns"], **given["columns"]}
    return whole


def _names_receipts(activities: object) -> bool:
    """Whether a map says itself which activity is the receipt, so that none need be made up."""
    meanings = activities.values() if isinstance(activities, dict) else ()
    return any(
        meaning == "case.received" or (isinstance(meaning, dict) and meaning.get("kind") == "case.received")
        for meaning in meanings
    )
