"""Reading what others send: JSON and moments, checked, with a stable code for each refusal.

Nothing that passes here can hurt later: no NUL, no half surrogate pairs, no NaN, no bottomless nesting, no texts without end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.errors import EventError

MAX_LINE = 1_048_576
MAX_TEXT = 65_536
MAX_DEPTH = 20
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
#: Below this length no text inside can be too long for a code.
_SHORT = 4_096

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def decode_json(raw: bytes | str) -> Any:
    """Decodes JSON and refuses what would hurt later: not UTF-8, NaN, duplicate keys, NUL, lone surrogates, depth.

    Raises:
        EventError: ``not_utf8``, ``bad_json``, ``too_deep``, ``duplicate_key``, ``bad_number``, ``nul_byte``,
            ``bad_text``, ``too_large``.
    """
    if isinstance(raw, bytes):
        try:
            raw = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EventError("not_utf8", None, f"byte {error.start} is not UTF-8") from None
    else:
        _check_halves(raw, None)
    if "\x00" in raw:
        raise EventError("nul_byte", None, "the text holds a NUL byte")
    try:
        value = _DECODER.decode(raw)
    except json.JSONDecodeError as error:
        raise EventError("bad_json", None, f"not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise EventError("too_deep", None, f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:  # an integer with thousands of digits
        raise EventError("bad_number", None, "a number is too long") from None
    # Looking at every value costs as much as decoding; these three signs are cheap and miss nothing.
    if "\\u" in raw or len(raw) > _SHORT or raw.count("{") + raw.count("[") > MAX_DEPTH:
        check_tree(value)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise EventError("duplicate_key", clean(twice), "the key stands twice in one object")
    return made


def _constant(name: str) -> Any:
    raise EventError("bad_number", None, f"{name} is not a number JSON knows")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise EventError("bad_number", None, f"{clean(digits, 20)} is too large for a number")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite)


def clean(text: str, limit: int = 80) -> str:
    """Text from outside, fit for a message: no control characters, not too long."""
    shown = "".join(c if c.isprintable() else "�" for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[:limit] + "…"


def check_tree(value: Any, place: str | None = None, depth: int = 0) -> None:
    """Walks a decoded value.

    Raises:
        EventError: ``too_deep``, ``nul_byte``, ``bad_text`` (lone surrogate), ``too_large``, ``bad_number``, ``wrong_type``.
    """
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            raise EventError("too_deep", None, f"nested deeper than {MAX_DEPTH} levels")
        for key, inner in value.items():
            if not isinstance(key, str):
                raise EventError("wrong_type", place, "a key is not text")
            _check_text(key, place)
            shown = clean(key, 40)
            check_tree(inner, f"{place}.{shown}" if place else shown, depth + 1)
    elif isinstance(value, (list, tuple)):
        if depth >= MAX_DEPTH:
            raise EventError("too_deep", None, f"nested deeper than {MAX_DEPTH} levels")
        for inner in value:
            check_tree(inner, place, depth + 1)
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise EventError("bad_number", place, "not a finite number")


def _check_text(text: str, place: str | None) -> None:
    if len(text) > MAX_TEXT:
        raise EventError("too_large", place, f"a text is longer than {MAX_TEXT} characters")
    if "\x00" in text:
        raise EventError("nul_byte", place, "the text holds a NUL byte")
    _check_halves(text, place)


def _check_halves(text: str, place: str | None) -> None:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise EventError("bad_text", place, "the text holds half a surrogate pair") from None


def parse_moment(value: object, name: str) -> datetime:
    """RFC 3339 with an offset, from 2000 to 2099.

    Raises:
        EventError: ``wrong_type``, ``bad_time``, ``naive_time``, ``impossible_time``.
    """
    if not isinstance(value, str):
        raise EventError("wrong_type", name, "a moment is text like 2026-03-02T09:30:00+08:00")
    match = _RFC3339.fullmatch(value)
    try:
        moment = datetime.fromisoformat(value if match is None or match[2] != "z" else value[:-1] + "Z")
    except ValueError:
        moment = None
    if moment is None or match is None:
        if moment is not None and moment.tzinfo is None:
            raise EventError("naive_time", name, f"'{clean(value)}' has no offset from UTC")
        raise EventError("bad_time", name, f"'{clean(value)}' is not a moment like 2026-03-02T09:30:00+08:00")
    if moment.tzinfo is None:
        raise EventError("naive_time", name, f"'{clean(value)}' has no offset from UTC")
    if not EARLIEST <= moment < LATEST:
        raise EventError("impossible_time", name, f"'{clean(value)}' lies outside the years 2000 to 2099")
    return moment
