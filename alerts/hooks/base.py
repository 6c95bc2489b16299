"""What a hook is: one way to hand a message over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from alerts.messages import Outgoing
from domain.errors import SendError


@dataclass(frozen=True, slots=True)
class Handed:
    """The gateway has the message.

    Args:
        provider_id: its id there, for receipts and questions.
        delivered: True if it is known to have arrived (a log line has; a short message has not).
    """

    provider_id: str | None = None
    delivered: bool = False


class UnclearSendError(SendError):
    """Nobody knows whether the gateway took the message (time-out, cut connection, nonsense for an answer).

    Passing, like any failure that may go away; but before the next try a hook that can ask is asked.
    """


class Hook(Protocol):
    """A way to hand messages over. Called from several threads at once."""

    def send(self, message: Outgoing) -> Handed:
        """Hands one message over.

        Raises:
            SendError: permanent (trying again cannot help) or passing (with ``retry_after`` where the gateway named it).
            UnclearSendError: passing, and the gateway may have it.
        """
        ...

    def close(self) -> None:
        """Gives back connections; no send follows."""
        ...


@runtime_checkable
class CanQuery(Protocol):
    """A hook whose gateway can be asked what became of a message."""

    def query(self, idempotency_key: str) -> Handed | None:
        """What the gateway has under this key; None if nothing. Raises SendError as ``send`` does."""
        ...
