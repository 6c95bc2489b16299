"""``camera.frozen``, ``camera.covered`` …: a camera that delivers pictures in which nobody can be seen or missed.

While it lasts its posts are unknown, which accuses nobody; but somebody has to go and look. For operators, so notices. The
seeing itself and its thresholds are in :mod:`detectors.presence.health`; here are the words that become findings, and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from detectors.verdict import Claim, overdue
from domain.centre import Centre
from domain.observations import PresenceSpan
from domain.rules.blind import BlindSettings

FAULTS: Final = {
    "frozen": "camera.frozen",
    "dark": "camera.dark",
    "flat": "camera.flat",
    "covered": "camera.covered",
    "blurred": "camera.blurred",
    "moved": "camera.moved",
    "light_change": "camera.light",
}
"""From the reason of a camera that is up to the rule that speaks of it."""
ARTICLE = "中心设定 (画面不可用期间岗位状态一律为未知); GB/T 28181 的离线时限"
BRIDGED = timedelta(seconds=30)
"""A fault that is gone for less than this has not been mended: a hand before the lens, a flickering lamp."""


def unfit_spans(camera: str, words: Iterable[tuple[datetime, str, str | None]]) -> list[PresenceSpan]:
    """The spans in which a camera that was up said its picture was unfit, one for each fault and stay of it.

    Args:
        words: (moment, state, reason) of its ``camera.state`` observations.
    """
    spans: list[PresenceSpan] = []
    newest: dict[str, int] = {}
    current: PresenceSpan | None = None

    def end(at: datetime) -> None:
        nonlocal current
        if current is None or current.reason is None:
            return
        before = newest.get(current.reason)
        last = spans[before] if before is not None else None
        if before is not None and last is not None and last.until and current.since - last.until <= BRIDGED:
            spans[before] = PresenceSpan(camera, "", "present", last.since, at, last.reason, at)
        else:
            newest[current.reason] = len(spans)
            spans.append(PresenceSpan(camera, "", "present", current.since, at, current.reason, at))
        current = None

    for at, state, reason in sorted(words, key=lambda word: (word[0], word[1], word[2] or "")):
        fault = reason if state == "present" and reason in FAULTS else None
        if current is not None and current.reason == fault:
            continue
        end(at)
        if fault is not None:
            current = PresenceSpan(camera, "", "present", at, None, fault, at)
    if current is not None and current.reason is not None:
        since, reason = current.since, current.reason
        end(since)
        index = newest[reason]
        spans[index] = replace(spans[index], until=None, seen_at=since)
    return sorted(spans, key=lambda span: span.since)


def unfit_claims(camera: str, spans: Sequence[PresenceSpan], centre: Centre, now: datetime) -> list[Claim]:
    """Claims of the faults that went on for ``camera_down`` minutes of office hours. Pure.

    Args:
        spans: as :func:`unfit_spans` gives them; others are passed over.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    windows = sorted({post.window for each in centre.cameras if each.id == camera for post in each.posts})
    claims: list[Claim] = []
    for span in spans:
        rule = FAULTS.get(span.reason or "")
        if span.state != "present" or rule is None or span.since > now:
            continue
        due = calendar.after_office_time(span.since.astimezone(UTC), timedelta(minutes=rules.camera_down))
        if due is None:
            continue
        row: dict[str, Any] = {
            "camera": camera,
            "windows": windows,
            "reason": span.reason,
            "since": calendar.local(span.since).isoformat(),
            "minutes": rules.camera_down,
            "articles": ARTICLE,
        }
        until = None if span.until is None or span.until > now else span.until.astimezone(UTC)
        claims += overdue(rule, "notice", due, until, provisional=False, explain=partial(dict, row))
    return claims
