"""How a sender sends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How to send. All times are real seconds.

    Args:
        workers: sends at the same time, for each channel: a slow gateway holds up its own messages only.
        lease: must be longer than a hook's own time-out, or a slow send is taken for a dead one.
        waits: pauses after the first, second, … failure; the last one is repeated.
        jitter: share by which a pause may be longer, so that a thousand failed messages do not come back at once.
        max_tries: then the message is dead. Together with the waits, about a day.
        patience: how long a receipt may take before the gateway is asked; then the message's fate is unknown.
        rounds: pauses between two rounds of fetching receipts and asking for late ones.
        doubt: pause after a try that a gateway may have taken, where only a receipt can tell: the message that is on its phone already
            is not sent again before that has been said.
        channel_patience: how long a channel may fail before its messages go on by their next ones.
        refusals: so often in a row a channel has to be refused as a whole, with nothing handed over between, to be switched off.
    """

    workers: int = 4
    lease: float = 30.0
    waits: tuple[float, ...] = (1, 5, 15, 60, 300, 900, 1800)
    jitter: float = 0.2
    max_tries: int = 60
    poll: float = 1.0
    heartbeat: float = 5.0
    patience: float = 1800.0
    rounds: float = 30.0
    doubt: float = 60.0
    channel_patience: float = 900.0
    refusals: int = 3
    language: str = "zh-CN"
