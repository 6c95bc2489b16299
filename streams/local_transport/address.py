"""Addresses of the local log: ``local:///absolute/path/log.db``, with two optional parameters.

``keep_days``: how long consumed records stay (default 7). ``partitions``: of topics that do not exist yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from yarl import URL

from domain.errors import SettingsError

DEFAULT_KEEP_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """What a ``local:`` address says."""

    path: Path
    keep_days: float = DEFAULT_KEEP_DAYS
    partitions: int | None = None


def parse_address(url: str | URL) -> LocalAddress:
    """Reads ``local:///path/log.db?keep_days=7&partitions=4``.

    Raises:
        SettingsError: another scheme, a relative path, or a parameter that is unknown or no positive number.
    """
    address = URL(str(url))
    # Text needs its three slashes (see make_address); a parsed URL has lost them.
    absolute = (
        url.startswith("local:///")
        if isinstance(url, str)
        else address.scheme == "local" and not address.host
    )
    if not absolute or len(address.path) < 2 or address.path.endswith("/"):
        raise SettingsError(f"broker '{url}': expected local:///absolute/path/to/log.db")
    values: dict[str, float] = {}
    for name, text in address.query.items():
        if name not in ("keep_days", "partitions"):
            raise SettingsError(f"broker '{url}': unknown parameter '{name}' (known: keep_days, partitions)")
        try:
            values[name] = float(text) if name == "keep_days" else int(text)
        except ValueError:
            values[name] = 0
        if not values[name] > 0:
            raise SettingsError(f"broker '{url}': {name} must be a number above 0, not '{text}'")
    partitions = values.get("partitions")
    return LocalAddress(
        Path(address.path),
        values.get("keep_days", DEFAULT_KEEP_DAYS),
        None if partitions is None else int(partitions),
    )


def make_address(path: Path) -> str:
    """The ``local:`` address of a file (``;``, ``%``, ``?`` and ``#`` in the path are escaped)."""
    # Three slashes matter: Faust takes ``local:/path`` for the name of a Kafka host.
    return "local://" + quote(str(path.absolute()))
