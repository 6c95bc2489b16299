"""Cutting a request body into single events, so that each bad one gets its own reason and is kept as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from domain.errors import EventError

LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
#: Events in one request; more wait in the sender's file.
MAX_EVENTS = 10_000

# Numbers stay text here: only the ends of the elements matter, and a number of a million digits must not.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One event as it came. ``name`` is ``index`` (from 0) in JSON, ``line`` (from 1) in JSON lines."""

    name: Literal["index", "line"]
    number: int
    raw: bytes


def split_body(body: bytes, content_type: str = "") -> list[Piece]:
    """One JSON object, a list of them, or JSON lines; other content types are told apart by looking.

    Raises:
        EventError: the body as a whole cannot be cut: ``not_utf8``, ``bad_json``, ``too_deep``, ``too_many``.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in LINES_TYPES or (kind != "application/json" and _looks_like_lines(body)):
        lines = enumerate(body.split(b"\n"), 1)
        pieces = [Piece("line", number, line.removesuffix(b"\r")) for number, line in lines if line.strip()]
    elif body.lstrip()[:1] == b"[":
        pieces = [Piece("index", number, raw) for number, raw in enumerate(_elements(body))]
    else:
        pieces = [Piece("index", 0, body)]
    if len(pieces) > MAX_EVENTS:
        raise EventError("too_many", None, f"{len(pieces)} events in one request; at most {MAX_EVENTS}")
    return pieces


def _looks_like_lines(body: bytes) -> bool:
    lines = [line.strip() for line in body.strip().split(b"\n", 2)[:2]]
    return len(lines) > 1 and lines[0][:1] == b"{" == lines[1][:1]


def _elements(body: bytes) -> Iterator[bytes]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EventError("not_utf8", None, f"byte {error.start} is not UTF-8") from None
    at = _skip(text, text.index("[") + 1)
    if text[at : at + 1] == "]":
        at += 1
    else:
        while True:
            try:
                _, end = _DECODER.raw_decode(text, at)
            except json.JSONDecodeError as error:
                raise _bad(error.pos, error.msg) from None
            except RecursionError:
                raise EventError("too_deep", None, "nested too deeply") from None
            yield text[at:end].encode()
            at = _skip(text, end)
            sign = text[at : at + 1]
            at += 1
            if sign == "]":
                break
            if sign != ",":
                raise _bad(at - 1, "expected ',' or ']'")
            at = _skip(text, at)
    if _skip(text, at) != len(text):
        raise _bad(at, "something follows the list")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _bad(position: int, message: str) -> EventError:
    return EventError("bad_json", None, f"not JSON at character {position}: {message}")


def largest_field(value: bytes) -> str | None:
    """The name of the field that makes an event so large, with the one inside ``data`` where it is that."""
    row, path = json.loads(value), []
    while isinstance(row, dict) and row:
        name = max(row, key=lambda name: len(json.dumps(row[name])))
        path.append(name)
        row = row[name]
    return ".".join(path) or None
