"""What the drill of gateways ends with: every message beside what its gateway's phone shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.drills.gateway_plan import CHANNELS, Course

#: Where a message in doubt may come twice, since its gateway neither knows it again nor finds it; elsewhere never.
BLIND: Final = frozenset(("mas", "smpp"))
_LEFT: Final = frozenset(
    (state, reason) for state in ("dead", "unknown") for reason in ("channel_failing", "channel_off")
)
ENDS: Final = frozenset(("sent", "delivered", "undelivered", "unknown", "dead"))
COLUMNS: Final = (
    "messages", "by next", "tries", "once", "twice", "doubtful", "by query", "own fault", "delivered", "undelivered", "unknown", "sent",
    "dead", "faults",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A message as the database has it at the end. ``doubtful``: it says of itself that it may have come twice."""

    key: str
    state: str
    reason: str | None
    attempts: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the gateways say.

    Args:
        shown: key → how often a phone shows it; of a message in parts, ``key#part/total``.
        by_itself: the same for what came by the gateway's own fault, beside the other.
        misdeeds: channel → what it did, and how often.
    """

    shown: Mapping[str, int]
    by_itself: Mapping[str, int]
    misdeeds: Mapping[str, Mapping[str, int]]

    def times(self) -> dict[str, int]:
        """How often each message is shown: of one in parts its most frequent part, 0 while a part is missing."""
        parts: dict[str, list[tuple[str, int]]] = {}
        for name, count in self.shown.items():
            key, _, part = name.partition("#")
            parts.setdefault(key, []).append((part.partition("/")[2] or "1", count))
        return {
            key: max(count for _, count in found) if len(found) >= int(found[0][0]) else 0
            for key, found in parts.items()
        }


@dataclass(slots=True)
class Balance:
    """Counts by channel, and every disagreement."""

    counts: dict[str, Counter[str]]
    faults: list[str]
    provoked: Mapping[str, int]
    misdeeds: Mapping[str, Mapping[str, int]]
    notes: Sequence[str] = ()
    seconds: float = 0.0
    doubtful: Sequence[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = [*(name for name in CHANNELS if name in self.counts), "all"]
        whole: Counter[str] = sum(self.counts.values(), Counter())
        lines = [f"== Gateways that misbehave, senders killed ({self.seconds:.0f} s)"]
        lines.append(f"{'':13}" + "".join(f"{name:>9}" for name in names))
        for column in COLUMNS:
            values = [self.counts[name][column] for name in names[:-1]] + [whole[column]]
            lines.append(f"{column:13}" + "".join(f"{value:>9,}" for value in values))
        lines.append(
            "provoked     " + ", ".join(f"{count} × {what}" for what, count in self.provoked.items())
        )
        for channel in names[:-1]:
            deeds = self.misdeeds.get(channel, {})
            told = ", ".join(f"{what} {n}" for what, n in sorted(deeds.items()) if what != "requests" and n)
            lines.append(f"{channel:13}{deeds.get('requests', 0):,} requests: {told}")
        lines += [f"note         {note}" for note in self.notes]
        lines += self.faults[:20]
        lines.append("balanced" if not self.faults else f"DOES NOT BALANCE: {len(self.faults)} faults")
        return "\n".join(lines)

    def check(self) -> None:
        """Raises AssertionError unless it balances."""
        assert not self.faults, "\n".join(self.faults[:20])


def expected_states(course: Course) -> frozenset[str]:
    """What may have become of a message, by what its gateway says of it and what that gateway can be asked."""
    if course.refused:
        return frozenset(("dead",))
    said = "undelivered" if course.arrives is False else "delivered"
    unheard = course.arrives is None
    match course.channel:
        case "http":
            return frozenset(("sent" if unheard else said,))
        case "aliyun":
            return frozenset(("unknown" if unheard else said,))
        case "mas":
            return frozenset(("unknown" if unheard or course.word == "never" else said,))
    # A receipt in the memory of a sender that is killed is gone: the centre was told that we have it.
    if course.word == "recants":
        return frozenset(("unknown", "undelivered", said))
    return frozenset(("unknown",) if unheard or course.word == "never" else ("unknown", said))


def judge(
    courses: Sequence[Course], rows: Iterable[Row], ledger: Ledger, found: frozenset[str] = frozenset()
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Counts and faults.

    Args:
        found: keys of which a gateway, asked before a second try, said that it has them.
    """
    counts: dict[str, Counter[str]] = {course.channel: Counter() for course in courses}
    faults: list[str] = []
    by_key = {row.key: row for row in rows}
    shown, own = ledger.times(), {name.partition("#")[0] for name in ledger.by_itself}
    for course in courses:
        count, row, times = counts[course.channel], by_key.get(course.key), shown.get(course.key, 0)
        count["messages"] += 1
        if course.first is not None:
            count["by next"] += 1
            wrong = _wrong_first(course, by_key.get(course.first_key))
            faults += [f"{course.first} {course.first_key}: {each}" for each in wrong]
        if row is None:
            faults.append(f"{course.key}: lost from the outbox")
            continue
        count["tries"] += row.attempts
        count[row.state] += 1
        count["once"] += times == 1
        count["twice"] += times > 1
        count["doubtful"] += row.doubtful
        count["by query"] += course.key in found
        count["own fault"] += course.key in own
        wrong = list(_wrong(course, row, times))
        count["faults"] += bool(wrong)
        faults += [
            f"{course.channel} {course.key} ({course.word}, {', '.join(course.tries)}): {each}"
            for each in wrong
        ]
    return counts, faults


def _wrong_first(course: Course, row: Row | None) -> Iterable[str]:
    """What its first channel did not bring has ended there, and says why."""
    if row is None:
        yield "lost from the outbox"
    elif (row.state, row.reason) not in _LEFT:
        yield f"{row.state} ({row.reason}): it should have gone on by {course.channel}"


def _wrong(course: Course, row: Row, times: int) -> Iterable[str]:
    if row.state not in ENDS:
        yield f"not at an end: {row.state}"
    elif row.state not in (wanted := expected_states(course)):
        yield f"{row.state} ({row.reason}), not {' or '.join(sorted(wanted))}"
    if course.refused:
        if times:
            yield "shown, though refused"
        return
    if not times:
        yield f"lost: no phone shows it, though it is {row.state}"
    if times > 1 and course.channel not in BLIND:
        yield f"shown {times} times"
    if times > 1 and course.channel in BLIND and not row.doubtful:
        yield f"shown {times} times, and nothing says that it may have been"
