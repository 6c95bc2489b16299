"""A finding's ``explain`` in words: its facts in the order in which a person counts, and the count day by day.

For the wall's panel, for ``mingjing why`` and for an inspector's bundle; needs no Dash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dashboard.words import Words
from domain import daily_count

_ONE = r"\d+(?:-\d+)?(?:\(\d+\))?"
_ARTICLES = re.compile(rf"\s*\barts?\. ({_ONE}(?:, {_ONE})*)")
#: Keys of ``explain`` that have a line or a column of their own, or that only machines need; the rest is listed as it is.
KNOWN = {
    "start", "limit", "stage", "deemed_accepted", "explicit_deadline", "announced_days", "extensions", "extension",
    "extension_days", "excluded", "used_up", "deadline", "deadline_at", "unpublished_years", "calendar", "articles",
    "counted_days", "first_day_out", "due_day", "stands", "started_by", "receipt", "decision", "event_id", "from", "ground",
    "notice_no", "window", "kind",
}  # fmt: skip


def explain_facts(explain: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """``explain`` as lines, in the order in which a person counts; what this page does not know stands at the end."""
    facts: list[tuple[str, str]] = []

    def add(key: str, value: str) -> None:
        if value:
            facts.append((key, value))

    add("detail_stage", _text(explain.get("stage"), words))
    if explain.get("deemed_accepted"):
        add("detail_deemed", words("deemed_yes"))
    add("detail_start", _text(explain.get("start"), words))
    limit = explain.get("limit")
    if isinstance(limit, Mapping):
        unit = f"unit_{limit.get('unit')}"
        add(
            "detail_limit",
            words("detail_limit_days", n=limit.get("days"), unit=words(unit) if words.has(unit) else ""),
        )
    add("detail_explicit", _text(explain.get("explicit_deadline"), words))
    add("detail_announced", _text(explain.get("announced_days"), words))
    lines = [
        words("extension_line", at=_text(entry.get("at"), words), n=entry.get("days"))
        for entry in _mappings(explain.get("extensions"))
    ]
    add("detail_extensions", "\n".join(lines))
    for entry in _mappings([explain.get("extension")]):
        add(
            "detail_late_extension",
            words("extension_line", at=_text(entry.get("at"), words), n=entry.get("days")),
        )
    add(
        "detail_excluded",
        "\n".join(_excluded_line(entry, words) for entry in _mappings(explain.get("excluded"))),
    )
    add("detail_used_up", _text(explain.get("used_up"), words))
    at = _text(explain.get("deadline"), words)
    moment = f"moment_{explain.get('deadline_at')}"
    add("detail_moment", words(moment, at=at) if at and words.has(moment) else at)
    add("detail_unpublished", _text(explain.get("unpublished_years"), words))
    add("detail_calendar", _text(explain.get("calendar"), words))
    add("detail_articles", articles_words(_text(explain.get("articles"), words), words))
    for key, value in explain.items():
        if key not in KNOWN:
            add(f"detail_{key}" if words.has(f"detail_{key}") else key, _text(value, words))
    return facts


def articles_words(text: str, words: Words) -> str:
    """Articles as the reader's language counts them; rules write ``art. 42, 43``."""
    if words.language != "zh":
        return text
    return _ARTICLES.sub(lambda match: words("articles", n=match[1].replace(", ", words("and"))), text)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _ground(code: object, words: Words) -> str:
    key = f"ground_{code}"
    return words(key) if words.has(key) else str(code or "")


def _excluded_line(entry: Mapping[str, Any], words: Words) -> str:
    last = _text(entry.get("to"), words) or words("excluded_open")
    line = words(
        "excluded_line",
        ground=_ground(entry.get("ground"), words),
        first=_text(entry.get("from"), words),
        last=last,
    )
    return f"{line} {entry['notice_no']}" if entry.get("notice_no") else line


def day_rows(explain: Mapping[str, Any], words: Words) -> list[tuple[str, str, str, str]]:
    """(date, number, remark, class) of every date from the first day to the due day, in the reader's words."""
    return [
        (
            f"{row.day.isoformat()} {words(f'weekday_{row.day.weekday()}')}",
            "–" if row.number is None else str(row.number),
            words("day_excluded", ground=_ground(row.ground, words))
            if row.remark == "excluded"
            else words(f"day_{row.remark}"),
            "rest" if row.remark == "first" else row.remark,
        )
        for row in daily_count.day_rows(explain)
    ]


def moment_words(at: datetime | None, words: Words) -> str:
    return "" if at is None else f"{at.astimezone(words.zone):%Y-%m-%d %H:%M}"


def _text(value: object, words: Words) -> str:
    """Moments in the centre's time, what has words in words, everything else as it is."""
    if isinstance(value, datetime):
        return moment_words(value, words)
    if isinstance(value, str):
        if len(value) > 10 and "T" in value:
            try:
                return moment_words(datetime.fromisoformat(value), words)
            except ValueError:
                return value
        return words(f"value_{value}") if words.has(f"value_{value}") else value
    if isinstance(value, bool):
        return words("value_true" if value else "value_false")
    if isinstance(value, Mapping):
        named = {
            words(f"detail_{key}") if words.has(f"detail_{key}") else key: part for key, part in value.items()
        }
        return ", ".join(f"{key} {_text(part, words)}" for key, part in named.items() if part is not None)
    if isinstance(value, Iterable):
        return ", ".join(_text(part, words) for part in value)
    return "" if value is None else str(value)


__all__ = ["KNOWN", "day_rows", "explain_facts", "moment_words"]
