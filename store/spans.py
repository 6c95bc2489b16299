"""What a post's observations add up to: spans of one answer. Pure; the same whatever order they arrived in.

A span holds only as long as somebody vouches for it. Where nothing was heard for longer than ``silent_after``, the time
between is *unknown* (``stale``): it is neither presence nor absence, also when the answer after it is the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.observations import Observation, PostState

#: Summaries come every 15 s: three may be lost before a post counts as unseen.
SILENT_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Span:
    """One answer of one post in ``[since, until)``; ``until`` None goes on, vouched for up to ``seen_at``.

    ``observation_id`` began it, ``observed_at`` is that observation's moment (``since`` may lie before). ``people`` and
    ``waiting`` are as in the observation; where only they changed, ``answer_since`` tells since when the answer stands.
    """

    since: datetime
    until: datetime | None
    state: PostState
    reason: str | None
    seen_at: datetime
    method: str | None
    observation_id: str
    observed_at: datetime
    people: int | None = None
    waiting: bool | None = None
    answer_since: datetime | None = None

    @property
    def answer(self) -> tuple[PostState, str | None]:
        return self.state, self.reason

    @property
    def begun(self) -> datetime:
        """Since when the answer stands."""
        return self.answer_since or self.since


def order(observation: Observation) -> tuple[datetime, str]:
    """By which a post's observations are taken."""
    return (observation.at, observation.observation_id)


def fold(
    last: Span | None, observations: Iterable[Observation], *, silent_after: timedelta = SILENT_AFTER
) -> list[Span]:
    """The spans that ``observations`` (in :func:`order`, none before ``last``) make of what was known.

    Returns:
        ``last`` as it is now (if there was one) and all later spans, in order; only the last is open.
    """
    spans = [] if last is None else [last]
    for observation in observations:
        start = min(observation.since or observation.at, observation.at)
        seen = max(observation.at, observation.until or observation.at)
        fresh = Span(
            start,
            None,
            observation.state,
            observation.reason if observation.state == "unknown" else None,
            seen,
            observation.method,
            observation.observation_id,
            observation.at,
            observation.people if observation.state == "present" else None,
            observation.waiting,
        )
        if not spans:
            spans.append(fresh)
            continue
        current = spans[-1]
        if start > current.seen_at + silent_after:
            spans[-1] = replace(current, until=current.seen_at)
            spans.append(
                replace(
                    fresh,
                    since=current.seen_at,
                    until=start,
                    state="unknown",
                    reason="stale",
                    seen_at=start,
                    method=None,
                    people=None,
                    waiting=None,
                )
            )
            spans.append(fresh)
        elif (current.answer, current.people, current.waiting) == (fresh.answer, fresh.people, fresh.waiting):
            spans[-1] = replace(current, seen_at=max(current.seen_at, seen))
        else:
            # Nobody can be two things at once: the newer word holds from where it is vouched for, and not before the
            # answer it replaces was itself observed.
            begin = max(start, current.observed_at, current.since)
            spans[-1] = replace(current, until=begin)
            going_on = current.begun if current.answer == fresh.answer else None
            spans.append(replace(fresh, since=begin, answer_since=going_on))
    return spans


@dataclass(frozen=True, slots=True)
class Combined:
    """One answer for a window with several posts."""

    presence: PostState
    reason: str | None
    since: datetime | None
    seen_at: datetime | None
    method: str | None


def combine(posts: Iterable[Span | None]) -> Combined:
    """Present if any post is; absent only if all are; otherwise unknown, with the reason of the newest unknown post.

    Args:
        posts: the open span of each post that belongs to the window; None for one that has never been heard of.
    """
    known = list(posts)
    spans = [span for span in known if span is not None]
    if not spans:
        return Combined("unknown", "no_frame", None, None, None)
    seen_at = max(span.seen_at for span in spans)
    present = [span for span in spans if span.state == "present"]
    if present:
        first = min(present, key=lambda span: span.begun)
        return Combined("present", None, first.begun, seen_at, first.method)
    newest = max(spans, key=lambda span: span.begun)
    if len(spans) == len(known) and all(span.state == "absent" for span in spans):
        return Combined("absent", None, newest.begun, seen_at, newest.method)
    unknown = [span for span in spans if span.state == "unknown"]
    if not unknown:
        return Combined("unknown", "no_frame", newest.begun, seen_at, newest.method)
    last = max(unknown, key=lambda span: span.begun)
    return Combined("unknown", last.reason, last.begun, seen_at, last.method)
