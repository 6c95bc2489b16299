"""Gateways on the fake clock: they take messages, misbehave as a script says, and push or keep receipts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from alerts.hooks.base import Handed, Pushed, Receipt, Reply, UnclearSendError
from alerts.messages import Outgoing
from domain.clock import Clock
from domain.errors import SendError
from tests.scenarios.steps import Answers, delivered
from tests.scenarios.timeline import Heard, Note


@dataclass
class FakeGateway:
    """One channel's gateway, and its hook.

    It knows its messages by our key: the same key again is the same message, yet a phone that is sent it twice rings twice.
    Pulled receipts are what :class:`alerts.receipt_rounds.ReceiptRounds` fetches.
    """

    name: str
    clock: Clock
    heard: list[Heard]
    notes: list[Note]
    answers: Answers = delivered
    to_some: dict[str, Answers] = field(default_factory=dict)
    tries: int = 0
    _has: dict[str, str] = field(default_factory=dict)
    _pending: list[tuple[datetime, Receipt]] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # -- what the script does

    def will(self, answers: Answers, to: str | None = None) -> None:
        if to is None:
            self.answers = answers
        else:
            self.to_some[to] = answers

    def reply(self, sender: str, text: str) -> None:
        self._replies.append(Reply(sender, text, self.clock.now()))

    @property
    def next_receipt(self) -> datetime | None:
        return min((at for at, _ in self._pending), default=None)

    # -- a hook

    def send(self, message: Outgoing) -> Handed:
        with self._lock:
            return self._send(message, self.to_some.get(message.to, self.answers))

    def _send(self, message: Outgoing, how: Answers) -> Handed:
        now = self.clock.now()
        self.tries += 1
        if how.kind in ("down", "busy", "refuses", "locked"):
            self.notes.append(Note(now, f"{self.name}: {how} to {message.to} ({message.template})"))
            retry = how.after if how.kind == "busy" else None
            permanent, locked = how.kind in ("refuses", "locked"), how.kind == "locked"
            scope: Literal["message", "channel"] = "channel" if locked else "message"
            raise SendError(str(how), permanent=permanent, retry_after=retry, scope=scope)
        self.heard.append(
            Heard(now, self.name, message.to, message.text, message.template, message.idempotency_key)
        )
        provider = self._has.setdefault(message.idempotency_key, f"{self.name}-{len(self._has) + 1}")
        self._say(how, provider, now)
        if how.kind == "cut":
            raise UnclearSendError("connection cut")
        return Handed(provider)

    def _say(self, how: Answers, provider: str, now: datetime) -> None:
        if how.kind == "mute":
            return
        fate = "undelivered" if how.kind == "undelivered" else "delivered"
        receipt = Receipt(fate, provider, at=now, code=fate.upper())
        copies = 2 if how.kind == "twice" else 1
        self._pending += [(now + timedelta(seconds=how.after), receipt)] * copies

    def pull(self) -> Pushed:
        """What is there to be fetched by now."""
        with self._lock:
            now = self.clock.now()
            ready = [receipt for at, receipt in self._pending if at <= now]
            self._pending = [(at, receipt) for at, receipt in self._pending if at > now]
            replies, self._replies = self._replies, []
            return Pushed(ready, replies)

    def close(self) -> None:
        """Nothing to give back."""


class AskableGateway(FakeGateway):
    """One that can be asked what it has."""

    def query(self, message: Outgoing) -> Handed | None:
        with self._lock:
            provider = self._has.get(message.idempotency_key)
        return None if provider is None else Handed(provider)


def open_gateways(
    channels: Mapping[str, bool], clock: Clock, heard: list[Heard], notes: list[Note]
) -> dict[str, FakeGateway]:
    """``channels``: name → whether it can be asked."""
    return {
        name: (AskableGateway if asked else FakeGateway)(name, clock, heard, notes)
        for name, asked in channels.items()
    }
