"""What a hook is: one way to hand a message over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeGuard, runtime_checkable

from alerts.messages import Outgoing
from domain.errors import SendError

#: What a provider says in the end: on the phone; given up; it does not know either (its own waiting time is over).
Fate = Literal["delivered", "undelivered", "unknown"]


@dataclass(frozen=True, slots=True)
class Handed:
    """The gateway has the message.

    Args:
        provider_id: its id there, for receipts and questions.
        fate: what became of it, where that is known already (a log line has arrived; of a short message one hears later).
        code: the gateway's own word for it, as it came.
    """

    provider_id: str | None = None
    fate: Fate | None = None
    code: str = ""

    @property
    def delivered(self) -> bool:
        return self.fate == "delivered"


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
    """A hook whose gateway can be asked what became of a message.

    One that may be set up without it says so by a property ``asks``. One whose "nothing" may be wrong, so that a second try may show
    the message twice, says so by a property ``certain``; without the properties it is asked and believed.
    """

    def query(self, message: Outgoing) -> Handed | None:
        """What the gateway has of this message; None if nothing. Raises SendError as ``send`` does.

        Most gateways know our own key; some only find a message by number and day, so the whole of it is given.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway says became of one message, long after it was handed over.

    Args:
        provider_id: the gateway's id of the message, as in :class:`Handed`; None where it only repeats our key.
        idempotency_key: our own key or its :func:`short_key`, where the gateway repeats it.
        at: when the gateway says it happened, None if it does not say.
        code: the gateway's own word (``DELIVRD``, ``UNDELIV``, ``SP:0114`` …), as it came.
        to: number, for gateways whose id stands for several numbers.
    """

    fate: Fate
    provider_id: str | None = None
    idempotency_key: str | None = None
    at: datetime | None = None
    code: str = ""
    to: str | None = None

    def __post_init__(self) -> None:
        if self.provider_id is None and self.idempotency_key is None:
            raise ValueError("a receipt that names no message is none")


def short_key(key: str) -> str:
    """Our key for gateways that take only a short plain one: 32 hexadecimal digits of its SHA-256.

    A receipt that repeats it is found by it as by the key itself.
    """
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reply:
    """A short message that somebody sent back: ``text`` as it came, ``to`` our own number or extension."""

    sender: str
    text: str
    at: datetime | None = None
    to: str = ""
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one request of a gateway brought, and the words it wants to hear when we have it (content type and body)."""

    receipts: Sequence[Receipt] = ()
    replies: Sequence[Reply] = ()
    content_type: str = "application/json"
    answer: bytes = b"{}"


def can_ask(hook: Hook) -> TypeGuard[CanQuery]:
    """Whether somebody answers for the gateway."""
    return isinstance(hook, CanQuery) and bool(getattr(hook, "asks", True))


def is_certain(hook: Hook) -> bool:
    """Whether a message in doubt is sent again only if no phone shows it yet."""
    return isinstance(hook, CanQuery) and bool(getattr(hook, "certain", True))


@runtime_checkable
class CanReceive(Protocol):
    """A hook whose gateway pushes receipts (and perhaps replies) to an address of ours.

    One that may be set up without them says so by a property ``receives``; without the property they are expected.
    """

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        """Reads one request; names of headers are lower case. Whoever cannot prove who they are is refused here.

        Raises:
            PermissionError: not signed, or wrongly.
            ValueError: signed, and not to be understood.
        """
        ...


@runtime_checkable
class CanPull(Protocol):
    """A hook whose gateway keeps receipts until they are fetched."""

    def pull(self) -> Pushed:
        """Fetches the next ones; empty when there are no more. Raises SendError as ``send`` does.

        What was fetched may be gone there: the caller writes it down before the next call.
        """
        ...
