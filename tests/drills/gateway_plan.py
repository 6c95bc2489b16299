"""What goes wrong with each message of the drill of gateways, drawn from a seed: the same seed, the same misdeeds.

A misdeed belongs to a message and the number of its try, not to a moment: whoever sends it next meets the next one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from alerts.hooks.base import short_key

Misdeed = Literal[
    "good",
    "slow",  # taken at once, answered when nobody listens any more
    "stall",  # taken only when nobody listens any more
    "500",
    "500, taken",
    "429",
    "cut",
    "cut, taken",
    "garbage, taken",
    "twice",  # one request, two messages: the gateway's own fault
]
Word = Literal["prompt", "late", "twice", "before", "recants", "undelivered", "never", "silent"]
"""How the gateway speaks of a message it has: ``before`` its own answer; ``recants``: undelivered, then delivered; ``never`` by
itself, but when asked; ``silent``: not even then."""

#: Share of the messages, and what a gateway can do: http knows our key and can be asked; aliyun can be asked and tells of receipts;
#: mas tells of receipts by its own id and can do nothing else; smpp the same, and repeats a reference of ours.
CHANNELS: Final[Mapping[str, float]] = {"http": 0.4, "aliyun": 0.3, "mas": 0.15, "smpp": 0.15}
_MISDEEDS: Final[Mapping[Misdeed, int]] = {
    "slow": 4, "stall": 2, "500": 6, "500, taken": 4, "429": 1, "cut": 6, "cut, taken": 6, "garbage, taken": 3, "twice": 2,
}  # fmt: skip
_WORDS: Final[Mapping[Word, int]] = {
    "prompt": 60, "late": 8, "twice": 8, "before": 6, "recants": 4, "undelivered": 6, "never": 5, "silent": 3,
}  # fmt: skip
#: Channels that never bring a message: nobody listens; the provider refuses the account.
HOPELESS: Final = ("dead", "barred")
_WHEN_ASKED: Final[tuple[Misdeed, ...]] = ("500", "cut", "slow", "429")


@dataclass(frozen=True, slots=True)
class Course:
    """One message and what its gateway will do to it.

    Args:
        tries: one misdeed a request that hands it over; then the gateway behaves.
        asks: the same for questions about it.
        refused: its number is none; every try is refused for good.
        forgets: the gateway does not know again what it has taken, unless it is asked.
        word: how it speaks of it afterwards.
        first: a channel that is tried before, and does not bring it.
    """

    key: str
    channel: str
    number: str
    tries: tuple[Misdeed, ...] = ()
    asks: tuple[Misdeed, ...] = ()
    refused: bool = False
    forgets: bool = False
    word: Word = "prompt"
    first: str | None = None

    @property
    def first_key(self) -> str:
        """Of the message as it is written; ``key`` is that of its follower where the first channel does not bring it."""
        return self.key if self.first is None else self.key.removesuffix(f">{self.channel}")

    @property
    def short(self) -> str:
        return short_key(self.key)

    @property
    def arrives(self) -> bool | None:
        """What the gateway says in the end; None: it never does."""
        if self.word == "silent":
            return None
        return self.word != "undelivered"


def courses(seed: int, count: int, trouble: float = 0.3) -> list[Course]:
    """``count`` messages of all channels, mixed.

    Args:
        trouble: share of the messages with which something goes wrong before they are handed over.
    """
    rng = random.Random(seed)
    channels = rng.choices(list(CHANNELS), list(CHANNELS.values()), k=count)
    return [_course(rng, number, channel, trouble) for number, channel in enumerate(channels)]


def _course(rng: random.Random, number: int, channel: str, trouble: float) -> Course:
    def drawn(table: Mapping[Misdeed, int]) -> Misdeed:
        return rng.choices(list(table), list(table.values()))[0]

    troubled = rng.random() < trouble
    tries = tuple(drawn(_MISDEEDS) for _ in range(rng.choice((1, 1, 2, 3)))) if troubled else ()
    # Several messages to one number only where the gateway finds them by number: elsewhere the number is the message.
    owner = number // 40 * 8 + number % 8 if channel == "aliyun" else number
    prefix = {"aliyun": "137", "http": "139", "mas": "136", "smpp": "138"}[channel]
    first = rng.choice(HOPELESS) if channel == "http" and rng.random() < 0.2 else None
    return Course(
        key=f"drill:{number}:opened" + (f">{channel}" if first else ""),
        channel=channel,
        number=f"{prefix}{owner:08d}",
        tries=tries,
        asks=(rng.choice(_WHEN_ASKED),) if rng.random() < 0.2 else (),
        refused=rng.random() < 0.01,
        forgets=channel == "http" and rng.random() < 0.3,
        word=rng.choices(list(_WORDS), list(_WORDS.values()))[0],
        first=first,
    )
