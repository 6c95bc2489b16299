"""Faust over one SQLite file. See :mod:`streams.local_transport.transport`."""

from .log import Entry, EventLog, Record, partition_for
from .transport import LocalAddress, Transport, make_address, parse_address

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
