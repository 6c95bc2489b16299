"""Short ways to make and judge events of subjects that are no case, and what must hold for every family."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from detectors.family import Family
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.events import Event, parse_event
from tests.detectors.making import at, show

_numbers = count()


def said(kind: str, when: str | datetime, *, id: str | None = None, **fields: Any) -> Event:
    """An event; ``case``, ``window``, ``staff``, ``item`` go to the top, everything else into ``data``."""
    top = {name: fields.pop(name) for name in ("case", "window", "staff", "item") if name in fields}
    moment = at(when) if isinstance(when, str) else when
    return parse_event(
        {
            "event_id": id or f"s{next(_numbers)}",
            "kind": kind,
            "occurred_at": moment.isoformat(),
            "source": "test",
            "data": {name.rstrip("_"): value for name, value in fields.items()},
            **top,
        }
    )


def found(verdict: Verdict, rule: str | None = None) -> list[tuple[str, str, str | None]]:
    """(rule, opened, closed), of one rule (opened, closed) only as a triple with its severity."""
    return [
        (f.rule if rule is None else f.severity, show(f.opened_at) or "", show(f.closed_at))
        for f in verdict.findings
        if rule in (None, f.rule)
    ]


def grounds(verdict: Verdict) -> list[tuple[Any, ...]]:
    return [(f.finding_id, f.severity, f.opened_at, f.closed_at, dict(f.explain)) for f in verdict.findings]


def check_set_only(
    family: Family, name: str, events: Sequence[Event], centre: Centre, now: datetime, seed: int
) -> None:
    """Neither order nor duplicates of arrival change what is found."""
    expected = family.judge(name, events, centre, now)
    mixed = [*events, *events[::2]]
    random.Random(seed).shuffle(mixed)
    # Of two with one identity the first stands; these are equal.
    other = family.judge(name, mixed, centre, now)
    assert grounds(other) == grounds(expected)
    assert other.look_at == expected.look_at


def check_look_at(
    family: Family, name: str, events: Sequence[Event], centre: Centre, now: datetime, share: float
) -> None:
    """Judged at any moment before ``look_at`` the answer is the same."""
    verdict = family.judge(name, events, centre, now)
    assert verdict.look_at is None or verdict.look_at > now
    end = min(verdict.look_at or now + timedelta(days=90), now + timedelta(days=90))
    last = end - timedelta(microseconds=1)
    for moment in (now + (last - now) * share, last):
        assert grounds(family.judge(name, events, centre, moment)) == grounds(verdict)
