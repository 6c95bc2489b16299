"""What a sender does beside sending: fetches receipts where they wait to be fetched, and asks for those that are late.

A thread of its own with a connection of its own: a gateway that answers slowly here holds up no message.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from alerts import receipts, replies
from alerts.hooks.base import CanPull, CanQuery, Handed, Hook, Pushed
from alerts.leases import Follow
from alerts.links import mask_tokens
from alerts.messages import Outgoing
from alerts.outbox import Leased
from domain.clock import Clock
from domain.errors import SendError
from store import Connection, connect
from store.connection import PASSING

log = logging.getLogger(__name__)

#: First half of the advisory lock by which one sender at a time fetches a channel's receipts.
LOCK = 0x6D6A7270 + 1
#: Fetches of a channel in one round; a gateway that never says "no more" is left until the next.
MOST = 1000


class ReceiptRounds:
    """Rounds over all channels.

    Args:
        hooks: channel → hook; called beside the sender's threads.
        outgoing: a message as its hook takes it (:meth:`alerts.sender.Sender.outgoing`).
        every: real seconds between rounds.
        follow: sends a message that has not arrived on by its next channel.
    """

    def __init__(
        self,
        dsn: str,
        hooks: Mapping[str, Hook],
        clock: Clock,
        outgoing: Callable[[Leased], Outgoing],
        *,
        every: float = 30.0,
        follow: Follow | None = None,
    ) -> None:
        self._follow = follow
        self._dsn, self._hooks, self._clock, self._outgoing, self._every = dsn, hooks, clock, outgoing, every
        self._in_hand: list[tuple[str, Pushed]] = []
        self._failing: set[str] = set()

    def start(self, stop: threading.Event) -> threading.Thread:
        """Runs in a thread until ``stop``."""
        thread = threading.Thread(target=self.run, args=(stop,), name="receipts", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Rounds until ``stop``; what was fetched while the database went away is written down in the next."""
        while not stop.is_set():
            try:
                with connect(self._dsn, application="mingjing-receipts", autocommit=True) as connection:
                    while not stop.is_set():
                        self.round(connection, stop)
                        stop.wait(self._every)
            except PASSING as error:
                log.warning("receipts wait: database away (%s)", type(error).__name__)
                stop.wait(min(5.0, self._every))

    def round(self, connection: Connection, stop: threading.Event | None = None) -> None:
        """Fetches all there is, then asks for what is late."""
        self._write(connection)
        for channel, hook in self._hooks.items():
            if isinstance(hook, CanPull):
                self._fetch(connection, channel, hook, stop or threading.Event())
        asked = [name for name, hook in self._hooks.items() if receipts.is_asked(hook)]
        for message in receipts.overdue(connection, asked):
            if stop is not None and stop.is_set():
                return  # somebody asks in some minutes
            self._ask(connection, message)

    def _fetch(self, connection: Connection, channel: str, hook: CanPull, stop: threading.Event) -> None:
        lock = (LOCK, channel)
        if connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", lock).fetchone() != (True,):
            return
        try:
            for _ in range(MOST):
                with _guarded():
                    pushed = hook.pull()
                if not pushed.receipts and not pushed.replies:
                    break
                # Perhaps nowhere else any more: not forgotten until it is written.
                self._in_hand.append((channel, pushed))
                self._write(connection)
                if stop.is_set():
                    break
            self._works(channel)
        except SendError as error:
            self._fails(channel, error.reason)
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s, hashtext(%s))", lock)

    def _write(self, connection: Connection) -> None:
        while self._in_hand:
            take_pushed(connection, *self._in_hand[0], self._clock, follow=self._follow)
            del self._in_hand[0]

    def _ask(self, connection: Connection, message: Leased) -> None:
        hook, answer = self._hooks[message.channel], None
        if isinstance(hook, CanQuery):
            try:
                with _guarded():
                    answer = hook.query(self._outgoing(message))
            except SendError as error:
                if not error.permanent and not receipts.given_up(connection, message):
                    log.info("message %s: cannot be asked for now: %s", message.message_id, error.reason)
                    return
        self._settle(connection, message, answer, expected=receipts.gives_receipts(hook))

    def _settle(
        self, connection: Connection, message: Leased, answer: Handed | None, *, expected: bool
    ) -> None:
        receipts.settle_unheard(
            connection, message, answer, self._clock.now(), expected=expected, follow=self._follow
        )
        if expected and (answer is None or answer.fate is None):
            log.warning(
                "message %s: no receipt; whether it has arrived is unknown",
                message.message_id,
                extra={"message_id": message.message_id, "channel": message.channel, "outcome": "unknown"},
            )

    def _fails(self, channel: str, reason: str) -> None:
        if channel not in self._failing:
            self._failing.add(channel)
            log.warning("channel %s: receipts cannot be fetched: %s", channel, mask_tokens(reason))

    def _works(self, channel: str) -> None:
        if channel in self._failing:
            self._failing.remove(channel)
            log.info("channel %s: receipts are fetched again", channel)


@contextmanager
def _guarded() -> Iterator[None]:
    """A defect in a hook is a failure that may pass, not the end of all rounds."""
    try:
        yield
    except SendError:
        raise
    except Exception as error:
        raise SendError(f"hook failed ({type(error).__name__})") from error


def take_pushed(
    connection: Connection, channel: str, pushed: Pushed, clock: Clock, *, follow: Follow | None = None
) -> None:
    """Writes down what one push or one fetch brought."""
    receipts.take(connection, channel, pushed.receipts, clock.now(), follow=follow)
    replies.take_replies(connection, channel, pushed.replies, clock.now())
