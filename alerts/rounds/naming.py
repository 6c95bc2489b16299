"""How a digest names its worst findings: each window with each rule once, however many cases it has of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.centre import Centre

#: Findings a digest names.
NAMED = 3


def first_of_each(
    rows: Iterable[Mapping[str, Any]], most: int = NAMED
) -> list[tuple[Mapping[str, Any], int]]:
    """The first few rows with different names, each with how many rows have its name; the rows stand in their order, the worst
    first."""
    counts: dict[tuple[Any, ...], int] = {}
    first: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        place = row["window_id"] or row["source"] or row["case_id"]
        key = (place, row["rule"], row["severity"])
        counts[key] = counts.get(key, 0) + 1
        first.setdefault(key, row)
    return [(row, counts[key]) for key, row in list(first.items())[:most]]


def named(row: Mapping[str, Any], centre: Centre, times: int = 1) -> dict[str, Any]:
    """How a digest names a finding: by its window, else by its source or case.

    Args:
        times: for how many findings the name stands.
    """
    window = centre.window_by_id.get(row["window_id"] or "")
    facts = {
        "rule": row["rule"],
        "severity": row["severity"],
        "window": row["window_id"],
        "window_name": window.name if window is not None else None,
        "case": row["case_id"],
        "source": row["source"],
        "times": times if times > 1 else None,
    }
    return {name: value for name, value in facts.items() if value}


__all__ = ["NAMED", "first_of_each", "named"]
