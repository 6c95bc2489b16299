"""Setting the wall clock of a whole system, PostgreSQL included, without touching the machine's: a preloaded library."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shift.c")


@dataclass(frozen=True)
class ClockShift:
    """Give ``environ`` to the processes; ``set`` moves the clock of all of them at once."""

    library: Path
    file: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT_FILE": str(self.file)}

    def set(self, seconds: float) -> None:
        """So many whole seconds ahead of the machine's clock."""
        with self.file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
            shared[:] = struct.pack("=q", int(seconds))


def clock_shift(folder: Path) -> ClockShift | None:
    """Builds the library; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    made = ClockShift(folder / "shift.so", folder / "shift")
    made.file.write_bytes(bytes(8))
    # Read also by the user that the database runs as.
    made.file.chmod(0o644)
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", made.library, SOURCE, "-ldl"], check=True)
    return made
