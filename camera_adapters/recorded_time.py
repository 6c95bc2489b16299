"""When a file was recorded, as its name or the file system tells."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path

_STAMP = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)"  # 20261122, 2026-11-22
    r"(?:[-_. tT]{0,3})"
    r"([0-2]\d)[-_.:：时]?([0-5]\d)[-_.:：分]?([0-5]\d)(?:[-_.秒]?(\d{3})(?!\d))?(?![0-9])"
)


def recorded_time(path: Path, zone: tzinfo) -> datetime:
    """The moment in a file's name (``ch01_20261122093000.jpg``, ``2026-11-22 09-30-00.mp4``), else its last change.

    Args:
        zone: of the times in names; cameras write local time.

    Raises:
        OSError: the file is not there.
    """
    for found in _STAMP.finditer(path.name):
        year, month, day, hour, minute, second, thousandths = map(int, found.groups(default="0"))
        try:
            told = datetime(year, month, day, hour, minute, second, thousandths * 1000, zone)
            return told.astimezone(UTC)
        except ValueError:
            continue
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def names_its_time(path: Path) -> bool:
    """Whether the name tells the time; the last change of a recording is its end."""
    return _STAMP.search(path.name) is not None
