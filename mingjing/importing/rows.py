"""One row of a log, whatever file it comes from: texts by column, and the place it stood at."""

from __future__ import annotations

import dataclasses
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

GZIP_MAGIC = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row of a table or one event of an XES log; attributes of its case carry the prefix ``case:``."""

    line: int
    values: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that gives no event: its 1-based line, a stable code, the column at fault, one sentence, what stood there."""

    line: int
    code: str
    field: str | None
    reason: str
    raw: Any = dataclasses.field(repr=False, default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "line": self.line,
            "code": self.code,
            "field": self.field,
            "reason": self.reason,
            "raw": self.raw,
        }


class RowError(Exception):
    """Inside this package: why one row is rejected."""

    def __init__(self, code: str, field: str | None, reason: str) -> None:
        self.code, self.field, self.reason = code, field, reason
        super().__init__(reason)


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked if it is gzip (told by its first bytes, not by its name)."""
    stream = path.open("rb")
    magic = stream.read(len(GZIP_MAGIC))
    stream.seek(0)
    if magic == GZIP_MAGIC:
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))  # type: ignore[arg-type]
    return stream
