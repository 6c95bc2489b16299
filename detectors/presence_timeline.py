"""One answer per window out of the spans of its posts: present, absent or unknown, over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from domain.observations import PostState, PresenceSpan

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """[since, until) with one answer of the whole window."""

    since: datetime
    until: datetime
    state: PostState
    reason: str | None = None


def window_timeline(
    spans: Iterable[PresenceSpan],
    posts: frozenset[Key],
    begin: datetime,
    end: datetime,
    fresh: timedelta,
) -> list[Stretch]:
    """The window's answer over [begin, end), without gaps.

    Present if anybody is at any post. Absent only if every post says so. Otherwise unknown, as is all time for which
    nobody vouches: before the first span, and after the newest observation of a span once that is older than ``fresh``.

    Args:
        posts: all posts that watch the window; empty takes those that have spans.
    """
    by_post: dict[Key, list[PresenceSpan]] = {key: [] for key in posts}
    for span in spans:
        key = (span.camera, span.post)
        if key in by_post or not posts:
            by_post.setdefault(key, []).append(span)
    lines = [_post_line(each, begin, end, fresh) for each in by_post.values()]
    if begin >= end:
        return []
    edges = sorted({begin, end, *(s.since for line in lines for s in line)})
    result: list[Stretch] = []
    at = [0] * len(lines)
    for since, until in pairwise(edges):
        answers = []
        for i, line in enumerate(lines):
            while line[at[i]].until <= since:
                at[i] += 1
            answers.append(line[at[i]])
        state, reason = _combine(answers)
        if result and (result[-1].state, result[-1].reason) == (state, reason):
            result[-1] = Stretch(result[-1].since, until, state, reason)
        else:
            result.append(Stretch(since, until, state, reason))
    return result


def _combine(answers: Sequence[Stretch]) -> tuple[PostState, str | None]:
    if not answers:
        return "unknown", "no_frame"
    if any(a.state == "present" for a in answers):
        return "present", None
    unknown = next((a for a in answers if a.state == "unknown"), None)
    return ("absent", None) if unknown is None else ("unknown", unknown.reason)


def _post_line(spans: list[PresenceSpan], begin: datetime, end: datetime, fresh: timedelta) -> list[Stretch]:
    """One post's answers over [begin, end), gaps filled with unknown."""
    line: list[Stretch] = []
    at = begin

    def add(until: datetime, state: PostState, reason: str | None) -> None:
        nonlocal at
        until = min(until, end)
        if until > at:
            line.append(Stretch(at, until, state, reason))
            at = until

    # Of two that begin at the same moment the one without length comes first, whatever order the store gives.
    ordered = sorted(spans, key=lambda s: (s.since, s.until is None, s.until or s.since))
    for i, span in enumerate(ordered):
        since = span.since.astimezone(UTC)
        add(since, "unknown", "no_frame")
        until = end if span.until is None else span.until.astimezone(UTC)
        if i + 1 < len(ordered):
            until = min(until, ordered[i + 1].since.astimezone(UTC))
        vouched = until
        if span.until is None and span.seen_at is not None and until - span.seen_at > fresh:
            vouched = span.seen_at.astimezone(UTC)
        add(vouched, span.state, span.reason or ("stale" if span.state == "unknown" else None))
        add(until, "unknown", "stale")
    add(end, "unknown", "no_frame")
    return line
