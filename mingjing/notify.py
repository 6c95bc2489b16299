"""Telling systemd how the service does (sd_notify(3)): ready, alive, stopping. Without systemd nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Sends e.g. ``READY=1`` to the manager that started this process; False if there is none.

    A manager that cannot be reached is no reason to stop what it watches.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address)
        out.send("\n".join(lines).encode())
        return True
    return False


def still_alive() -> None:
    """For the manager's watchdog; to be called several times within ``WatchdogSec``."""
    notify("WATCHDOG=1")
