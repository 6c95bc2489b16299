"""Rows of a table with one heading line."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator
from pathlib import Path

from domain.errors import InputError
from mingjing.importing.log_map import LogMap
from mingjing.importing.rows import RejectedRow, Row, open_bytes


class _Remember:
    """Lines of a file, kept until the record they belong to is complete."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.number = 0
        self.record: list[str] = []

    def __iter__(self) -> _Remember:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self.record.append(line)
        return line

    def begin(self) -> int:
        """Forget the last record; the line at which the next one begins."""
        self.record = []
        return self.number + 1


def read_csv(path: Path, log_map: LogMap) -> Iterator[Row | RejectedRow]:
    """Row after row; a line that is no row of this table comes as a rejected one.

    Raises:
        InputError: no readable file, no heading, or a column that the map names is not there.
    """
    try:
        with open_bytes(path) as raw:
            # Bytes that are not of this encoding must cost one row, not the file: they come through as surrogates.
            text = io.TextIOWrapper(raw, encoding=log_map.encoding, errors="surrogateescape", newline="")
            yield from _read(path, text, log_map)
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeError as error:
        raise InputError(f"{path}: is not {log_map.encoding} text ({error})") from None


def _read(path: Path, text: io.TextIOWrapper, log_map: LogMap) -> Iterator[Row | RejectedRow]:
    lines = _Remember(text)
    records = csv.reader(lines, delimiter=log_map.delimiter, strict=True)
    try:
        heading = next(records, None)
    except csv.Error as error:
        raise InputError(f"{path}:1: the heading cannot be read: {error}") from None
    if not heading or not any(heading):
        raise InputError(f"{path}:1: no heading line")
    _check_heading(path, heading, log_map)
    while True:
        begin = lines.begin()
        try:
            record = next(records, None)
        except csv.Error as error:
            yield _rejected(begin, "not_csv", f"not readable as a row: {error}", lines.record)
            continue
        if record is None:
            return
        if not record:
            continue
        if len(record) != len(heading):
            reason = f"{len(record)} columns where the heading has {len(heading)}"
            yield _rejected(begin, "columns", reason, lines.record)
        elif any("\0" in value for value in record):
            yield _rejected(begin, "nul_byte", "holds a NUL byte", lines.record)
        elif any("\udc80" <= letter <= "\udcff" for value in record for letter in value):
            yield _rejected(begin, "encoding", f"is not {log_map.encoding} text", lines.record)
        else:
            yield Row(begin, dict(zip(heading, record, strict=True)))


def _rejected(line: int, code: str, reason: str, record: list[str]) -> RejectedRow:
    return RejectedRow(line, code, None, reason, "".join(record).rstrip("\r\n"))


def _check_heading(path: Path, heading: list[str], log_map: LogMap) -> None:
    twice = {name for name in heading if heading.count(name) > 1}
    for column, key in log_map.needed_columns().items():
        if column not in heading:
            near = difflib.get_close_matches(column, heading, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise InputError(f"{path}:1: no column '{column}', which the map needs for {key}{hint}")
        if column in twice:
            raise InputError(f"{path}:1: the column '{column}' stands there twice")
