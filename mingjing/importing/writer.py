"""Writes files so that they are either the new ones or the old ones, never half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from domain.errors import InputError


def write_lines(path: Path, objects: Iterable[dict[str, Any]]) -> int:
    """One JSON object a line; how many there were.

    Raises:
        InputError: the place cannot be written to.
    """
    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in objects]
    _write(path, "".join(lines))
    return len(lines)


def write_yaml(path: Path, value: dict[str, Any]) -> None:
    """One YAML document, keys in their order.

    Raises:
        InputError: the place cannot be written to.
    """
    _write(path, yaml.safe_dump(value, allow_unicode=True, sort_keys=False))


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # Bytes that were no text in the log (rejected rows) become JSON escapes, so that the file is UTF-8 all the same.
        beside.write_bytes(text.encode("utf-8", "backslashreplace"))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"{path}: {error.strerror}") from None
