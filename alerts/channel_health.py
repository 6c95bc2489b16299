"""How a channel fares in the hands of one sender, and what follows for a message that it did not take. Pure: no clock, no database.

Three kinds of trouble: one message is refused (not here); the channel fails passingly, for so long that its messages go on by their
next ones; its provider refuses everything, so often in a row that it is switched off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from alerts.hooks.base import UnclearSendError
from alerts.leases import Leased
from domain.errors import SendError


@dataclass(slots=True)
class ChannelHealth:
    """What one sender has seen of a channel. All times are real seconds.

    Args:
        patience: how long it may fail before messages go on by their next channels.
        refusals: so often in a row everything has to be refused for it to be switched off.
    """

    patience: float
    refusals: int
    handed: int = 0
    refused_in_row: int = 0
    failing_since: float | None = None
    failed_last: float = float("-inf")
    _refused: dict[int, int] = field(
        default_factory=dict
    )  # message → how many were handed over before its refusal

    def works(self, message_id: int) -> None:
        """It took a message."""
        self.handed += 1
        self.reset()
        self.forget(message_id)

    def fails(self, now: float) -> None:
        """A passing failure that is not one number's. Trouble of long ago says nothing of now."""
        if self.failing_since is None or now - self.failed_last > self.patience:
            self.failing_since = now
        self.failed_last = now

    def fails_for_long(self, now: float) -> bool:
        return self.failing_since is not None and now - self.failing_since >= self.patience

    def reset(self) -> None:
        """A new beginning: it works, or is off and will be tried anew."""
        self.refused_in_row, self.failing_since = 0, None

    def forget(self, message_id: int) -> None:
        self._refused.pop(message_id, None)

    def refuses(self, message_id: int) -> Literal["message", "channel", "off"]:
        """What a refusal of the whole channel, met by a message, amounts to.

        Where others got through since it last refused this one, it is the message, whatever the gateway says.
        """
        before, self._refused[message_id] = self._refused.get(message_id), self.handed
        if before is not None and before < self.handed:
            return "message"
        self.refused_in_row += 1
        return "off" if self.refused_in_row >= self.refusals else "channel"

    def is_late(self, message: Leased) -> bool:
        """Whether it has had a message for long enough, and there is another channel."""
        return message.has_next and message.tried_for >= self.patience

    def pause(
        self, message: Leased, error: SendError, own: float, now: float, *, can_query: bool, soon: float
    ) -> float | None:
        """Seconds to a message's next try after a passing failure; None: the next channel has it.

        Args:
            own: our pause for this try. soon: our shortest pause.
            can_query: what it may have is asked for once more, before it goes another way.
        """
        asked = max(error.retry_after or 0.0, error.wait or 0.0)
        if not message.has_next or message.obsolete:
            return max(own, asked)
        left = 0.0 if self.fails_for_long(now) else self.patience - message.tried_for
        if left > 0 and asked < left:
            return max(asked, min(own, left))
        unasked = isinstance(error, UnclearSendError) and not message.in_doubt
        if unasked and can_query and asked < self.patience:
            return max(asked, soon)
        return None
