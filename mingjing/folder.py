"""The data folder: one supervisor at a time, and names of what lies in it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from domain.errors import SettingsError


class FolderLock:
    """Held while a supervisor or any process it started uses the folder (the lock lives in the open file, which the
    children inherit; the system frees it with the last of them, however they ended).

    Args:
        wait: seconds given to the processes of a killed supervisor to leave.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wait: float = 15.0,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = folder / "supervisor.lock"
        self._wait, self._sleep, self._monotonic = wait, sleep, monotonic
        self._fd: int | None = None

    def __enter__(self) -> Self:
        """
        Raises:
            SettingsError: the folder cannot be written, or another supervisor uses it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SettingsError(
                f"the data folder {self.path.parent} cannot be used: {error.strerror}"
            ) from None
        give_up = self._monotonic() + self._wait
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = self._holder(fd)
                # A live supervisor will not leave; what a killed one started is on its way out.
                if (holder and _alive(holder)) or self._monotonic() >= give_up:
                    os.close(fd)
                    who = f"process {holder}" if holder else "another process"
                    raise SettingsError(
                        f"the data folder {self.path.parent} is in use by {who}; stop it or give another --data DIR"
                    ) from None
                self._sleep(0.2)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def fd(self) -> int:
        assert self._fd is not None
        return self._fd

    @staticmethod
    def _holder(fd: int) -> int | None:
        text = os.pread(fd, 32, 0)
        return int(text) if text.isdigit() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
