"""Starting our own processes so that none is left behind, with their output in rotated files."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mingjing.supervisor import Child

#: One log file of a process may grow to this; three older ones are kept.
LOG_BYTES, LOGS_KEPT = 5_000_000, 3
_PR_SET_PDEATHSIG = 1


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    return ctypes.CDLL(None, use_errno=True)


class Spawner:
    """Starts children with one environment; their output goes to ``logs/NAME.log``.

    Args:
        logs: folder, made if absent.
        environ: the whole environment of the children.
        keep_open: file descriptors the children inherit (the lock of the data folder: it is free only when
            the last of them is gone, even if the supervisor was killed).
    """

    def __init__(self, logs: Path, environ: Mapping[str, str], *, keep_open: tuple[int, ...] = ()) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.logs, self._environ, self._keep_open = logs, dict(environ), keep_open
        # Loaded before any fork: between fork and exec little may be done.
        self._libc = _libc()

    def __call__(self, child: Child) -> subprocess.Popen[bytes]:
        path = self.logs / f"{child.name}.log"
        rotate(path)
        with path.open("ab") as output:
            return subprocess.Popen(
                child.command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self._keep_open,
                # Ctrl-C in the terminal reaches the supervisor alone, which then stops the others in order.
                start_new_session=True,
                preexec_fn=self._die_with_parent,
            )

    def _die_with_parent(self) -> None:
        if self._libc is not None:
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    def rotate_all(self) -> None:
        for path in self.logs.glob("*.log"):
            rotate(path)


def rotate(path: Path, limit: int = LOG_BYTES, kept: int = LOGS_KEPT) -> bool:
    """Moves a full log aside by copying and emptying it: the process that writes it keeps its open file.

    What is written between the copy and the emptying is lost; these are logs, not evidence.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size < limit:
            return False
        for number in range(kept - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
        return True
    return False


def leave_with(
    parent: int,
    *,
    grace: float = 10.0,
    getppid: Callable[[], int] = os.getppid,
    sleep: Callable[[float], None] = time.sleep,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Ends this process when its parent is gone and the polite way out (SIGTERM) took longer than ``grace``."""
    while getppid() == parent:
        sleep(1.0)
    sleep(grace)
    leave(1)


def watch_parent() -> None:
    """Runs :func:`leave_with` beside the main thread, if a supervisor started this process."""
    parent = os.environ.get("MINGJING_SUPERVISOR")
    if not parent or int(parent) != os.getppid():
        return
    threading.Thread(target=leave_with, args=(int(parent),), name="parent-watch", daemon=True).start()
