"""Log lines of every process: text for people, or one JSON object a line (``MINGJING_LOG_FORMAT=json``).

What a line is about travels in ``extra=`` under the names of :data:`FIELDS`: codes and ids, never names of people. The
JSON form carries them as keys, the text form at the end of the line. Secrets are taken out of both, whoever wrote the line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

#: Names under which a log call may say what it is about; all of them together fit into one search.
FIELDS = (
    "event_id", "source", "kind", "centre", "case", "item", "window", "camera", "finding_id", "rule", "severity", "change",
    "message_id", "channel", "template", "outcome", "code", "field", "place", "topic", "partition", "offset", "role",
)  # fmt: skip
#: One line for each request or each connection says nothing about a case.
NOISY = ("httpx", "httpcore", "aiokafka", "websockets", "uvicorn.access", "faust.sensors")
#: Libraries that may have brought handlers of their own.
LIBRARIES = ("faust", "mode", "aiokafka", "uvicorn", "uvicorn.error", "uvicorn.access")
#: An exception of a hundred kilobytes helps nobody.
LONGEST = 20_000

_SECRETS = (
    # user:password@ in an address
    (re.compile(r"(?<=://)[^/\s@'\"]+@"), "***@"),
    (
        re.compile(r"(?i)\b(password|passwd|secret|token|api[-_]?key)(\s*[=:]\s*)(['\"]?)[^\s'\"&,;]+\3"),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+"), "Bearer ***"),
    # the token of an acknowledge link
    (re.compile(r"(/ack/)[\w.~-]{8,}"), r"\1***"),
)
#: PostgreSQL repeats the row that it refuses, with everything in it.
_ROW = re.compile(r"(?m)^(DETAIL|CONTEXT): .*$\n?")


def without_secrets(text: str) -> str:
    """The text without passwords, tokens, keys and rows of the database."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return _ROW.sub("", text).rstrip("\n")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the line is about, in the order of :data:`FIELDS`."""
    found = {name: getattr(record, name, None) for name in FIELDS}
    return {name: value for name, value in found.items() if value not in (None, "")}


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, real clock), level, process, instance, logger, message, fields, exception."""

    def __init__(self, process: str, instance: str = "") -> None:
        super().__init__()
        self._process, self._instance = process, instance

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        row: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "process": self._process,
            "instance": self._instance,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **{name: _plain(value) for name, value in fields_of(record).items()},
        }
        if record.exc_info:
            row["exception"] = without_secrets(self.formatException(record.exc_info))[-LONGEST:]
        return json.dumps(row, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """``time level logger: message [case=… finding_id=…]``, exceptions below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        # What the sentence says already is not said again.
        said = {name: value for name, value in fields_of(record).items() if str(value) not in record.message}
        return line + (
            " [" + " ".join(f"{name}={value}" for name, value in said.items()) + "]" if said else ""
        )

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    return without_secrets(str(value))


class _Counting(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes, and counts by level what was written."""

    def emit(self, record: logging.LogRecord) -> None:
        from mingjing.metrics import LOG_MESSAGES

        LOG_MESSAGES.labels(record.levelname.lower()).inc()
        super().emit(record)


def set_up_logs(
    process: str,
    *,
    level: str = "INFO",
    form: str = "text",
    instance: str = "",
    stream: TextIO | None = None,
    levels: Mapping[str, int] | None = None,
) -> None:
    """Every logger of the process, those of libraries included, writes through one handler.

    Args:
        form: ``text`` or ``json``.
        stream: default is standard error.
        levels: of single loggers, beside :data:`NOISY`.
    """
    handler = _Counting(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter(process, instance) if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for library in LIBRARIES:
        logger = logging.getLogger(library)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.disabled = True, False
    for name, number in {**dict.fromkeys(NOISY, logging.WARNING), **(levels or {})}.items():
        logging.getLogger(name).setLevel(number)
