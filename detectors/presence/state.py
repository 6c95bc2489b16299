"""From single looks to the state of a post: present, absent or unknown, counted in seconds.

The rule follows the measured histories of counter-supervision projects: a window of time, not a number of pictures;
empty and missing looks are inputs like any other; absence needs a well-covered window, presence does not.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from math import ceil

from detectors.presence.look import Look
from domain.observations import PostState as StateName


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares of the valid looks in the window; all 0 … 1."""

    present: float = 0.6
    """At least this share saw somebody: present."""
    back: float = 0.5
    """The same, coming back from absent."""
    absent: float = 0.2
    """Less than this share saw somebody: absent, if the window is covered."""
    coverage: float = 0.8
    """Share of the expected looks that must have an answer before absence is said."""
    kept: float = 0.4
    """The same for an absence already said, as long as no look sees anybody."""

    def __post_init__(self) -> None:
        if not 0 < self.absent < self.back <= self.present <= 1 or not 0 < self.kept <= self.coverage <= 1:
            raise ValueError(
                "thresholds must rise: 0 < absent < back <= present <= 1 and 0 < kept <= coverage <= 1"
            )


@dataclass(frozen=True, slots=True)
class PostState:
    """What can be said about a post at ``t``; ``reason`` only when unknown. ``since`` is when this was first said,
    ``vouched`` the earliest look (≤ since) that already showed it. ``people``: how many at least, while present, where
    the looks count; ``waiting``: whether somebody stands at the public side, where that is looked at."""

    state: StateName
    reason: str | None
    score: float
    t: float
    since: float
    vouched: float
    people: int | None = None
    waiting: bool | None = None


class StateMachine:
    """The state of one post.

    Args:
        window: seconds of looks that count.
        period: seconds between looks that are expected.
        thresholds: see :class:`Thresholds`.
    """

    def __init__(self, window: float, period: float, thresholds: Thresholds | None = None) -> None:
        if not 0 < period <= window:
            raise ValueError(f"the window ({window} s) must hold at least one look (every {period} s)")
        self._window = window
        self._expected = max(1, int(window / period + 1e-6))
        self._limits = thresholds or Thresholds()
        self._looks: deque[tuple[float, Look]] = deque()
        self._known: StateName = "unknown"
        self._said: PostState | None = None
        self._began: float | None = None
        self._people: int | None = None
        self._waiting: bool | None = None

    def tick(self, t: float, look: Look) -> PostState:
        """Takes the look made at ``t`` (monotonic seconds; one without an answer for a picture that did not come)."""
        if self._looks and t < self._looks[-1][0]:
            # A clock that runs backwards proves that nothing older can be relied on.
            self._looks.clear()
            self._said = self._people = self._waiting = None
        if self._began is None:
            self._began = t
        self._looks.append((t, look))
        while self._looks[0][0] <= t - self._window + 1e-6:
            self._looks.popleft()
        name, reason = self._judge(look)
        if name != "unknown":
            self._known = name
        same = self._said is not None and (self._said.state, self._said.reason) == (name, reason)
        since = self._said.since if same and self._said else t
        vouched = self._said.vouched if same and self._said else self._first_proof(name)
        self._people = self._count() if name == "present" else None
        self._waiting = self._anybody_waiting()
        self._said = PostState(name, reason, look.score, t, since, vouched, self._people, self._waiting)
        return self._said

    def lapse(self, t: float, reason: str) -> PostState:
        """Takes a look that was not made, and relies on nothing that came before: it is too old to prove anything."""
        self._looks.clear()
        self._known, self._people, self._waiting = "unknown", None, None
        return self.tick(t, Look(None, 0.0, reason))

    def _judge(self, last: Look) -> tuple[StateName, str | None]:
        valid = [look.seen for _, look in self._looks if look.seen is not None]
        reasons = Counter(look.reason for _, look in self._looks if look.reason is not None)
        if len(valid) < len(self._looks) - len(valid):
            return "unknown", self._commonest(reasons, last)
        seen = sum(valid) / len(valid)
        if seen >= (self._limits.back if self._known == "absent" else self._limits.present):
            return "present", None
        # An absence that is proved goes on over a few looks that were never made (a busy machine): nobody was seen
        # in the others. Looks that were made and had no answer have been weighed above.
        needed = self._limits.kept if self._known == "absent" and seen == 0 else self._limits.coverage
        if seen < self._limits.absent and len(valid) >= needed * self._expected - 1e-6:
            return "absent", None
        if reasons:
            return "unknown", self._commonest(reasons, last)
        return "unknown", "restart" if self._known == "unknown" and not any(valid) else "few_looks"

    def _count(self) -> int | None:
        """As many as ``present`` of the looks saw; once counted they stay until as many did not."""
        counts = sorted((look.people for _, look in self._looks if look.people is not None), reverse=True)
        if not counts:
            return None
        # The number that at least this share of the looks reached.
        sure = counts[ceil(self._limits.present * len(counts)) - 1]
        lasting = counts[max(1, ceil((1 - self._limits.present) * len(counts))) - 1]
        return max(1, sure if self._people is None else min(max(self._people, sure), lasting))

    def _anybody_waiting(self) -> bool | None:
        """As sure as the post itself: between the two shares it stays what it was; half the looks must tell."""
        told = [look.waiting for _, look in self._looks if look.waiting is not None]
        if 2 * len(told) < len(self._looks) or not told:
            return None
        share = sum(told) / len(told)
        if share >= self._limits.present:
            return True
        return False if share < self._limits.absent else self._waiting

    def _first_proof(self, name: StateName) -> float:
        """The first look of the window that agrees, after the last one that contradicts."""
        agrees = {"present": (True,), "absent": (False,), "unknown": (None,)}[name]
        contradicts = {"present": (), "absent": (True,), "unknown": (True, False)}[name]
        first = self._looks[-1][0]
        for t, look in reversed(self._looks):
            if look.seen in contradicts:
                break
            if look.seen in agrees:
                first = t
        return first

    def _commonest(self, reasons: Counter[str], last: Look) -> str:
        if last.reason is not None:
            return last.reason
        return reasons.most_common(1)[0][0] if reasons else "few_looks"
