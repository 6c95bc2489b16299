"""Faust over one SQLite file. See :mod:`streams.local_transport.transport`.

Importing this does not import Faust: the doors, the camera runner and the simulator only write to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .address import LocalAddress, make_address, parse_address
from .log import Entry, EventLog, Record, partition_for

if TYPE_CHECKING:
    from .transport import Transport

__all__ = [
    "Entry",
    "EventLog",
    "LocalAddress",
    "Record",
    "Transport",
    "make_address",
    "parse_address",
    "partition_for",
]


def __getattr__(name: str) -> Any:
    if name == "Transport":
        from .transport import Transport

        return Transport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
