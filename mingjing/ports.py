"""Is a port free, and if not, whose is it? Asked before anything is started."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from domain.errors import SettingsError


def check_port(host: str, port: int, *, option: str) -> None:
    """
    Args:
        option: the way to choose another port, named in the error.

    Raises:
        SettingsError: the port is taken or may not be opened.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f"{host} is no address of this machine: {error}") from None
    family, kind, proto, _, address = found[0]
    with socket.socket(family, kind, proto) as probe:
        # As the servers do: a connection of yesterday in TIME_WAIT is no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError:
            raise SettingsError(f"port {port} may not be opened by this user: use {option}") from None
        except OSError as error:
            owner = port_owner(port)
            whose = f" by {owner}" if owner else ""
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
            raise SettingsError(f"port {port} {reason}{whose}: use {option}") from None


def port_owner(port: int, proc: Path = Path("/proc")) -> str | None:
    """``process 1234 (name)`` that listens there, as far as this user may see it."""
    inodes = set()
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                columns = line.split()
                # Column 1: local address, 3: state (0A = listening), 9: the socket's number.
                if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return None
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for link in (folder / "fd").iterdir():
                if os.readlink(link) in inodes:
                    name = (folder / "comm").read_text().strip()
                    return f"process {folder.name} ({name})"
    return None
