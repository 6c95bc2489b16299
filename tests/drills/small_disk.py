"""A disk that a test can fill: a tmpfs of its own, where we may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, megabytes: int = 320) -> Iterator[Path | None]:
    """Mounts it on ``folder``; None where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        # Lazily: whatever still holds it open does not hold up the tests.
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
