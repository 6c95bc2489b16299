"""Sends what lies in the outbox: lease, commit, send, confirm.

A process that dies between sending and confirming leaves a lease that runs out; whoever takes the message then
asks the gateway first, where it can be asked, and sends again under the same idempotency key. Any number of
senders may run.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta

from alerts import channel_state, metrics, outbox, receipts
from alerts.channel_health import ChannelHealth
from alerts.hooks.base import Handed, Hook, UnclearSendError, can_ask, is_certain
from alerts.links import AckLinks, mask_tokens
from alerts.messages import Outgoing
from alerts.next_channel import CHANNEL_FAILING, CHANNEL_OFF, NextChannel, unserved
from alerts.outbox import Leased
from alerts.rounds.quiet import Allowed
from alerts.sender_settings import SenderSettings as SenderSettings
from alerts.writing import about, write
from domain.clock import Clock
from domain.errors import SendError
from store import Connection, connect
from store.connection import PASSING

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Channel:
    hook: Hook
    pool: ThreadPoolExecutor
    health: ChannelHealth
    running: dict[Future[Handed], Leased] = field(default_factory=dict)
    resume_at: float = 0.0  # a gateway that named a pause gets it for all its messages


class Sender:
    """Sends messages until told to stop.

    Args:
        dsn: the database.
        hooks: channel name (as in the outbox) → hook; they are closed by :meth:`close`.
        clock: the system's clock, for the stamps ``sent_at`` and ``delivered_at``.
        links: the same secret as where messages are planned.
        instance: name in the heartbeat; leases carry one that no other process has.
        monotonic: real seconds.
        turn: called at each turn of the loop.
        allowed: as of :class:`alerts.next_channel.NextChannel`.
    """

    def __init__(
        self,
        dsn: str,
        hooks: Mapping[str, Hook],
        clock: Clock,
        *,
        links: AckLinks,
        settings: SenderSettings | None = None,
        instance: str = "",
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        turn: Callable[[], None] = lambda: None,
        allowed: Allowed | None = None,
    ) -> None:
        self._dsn, self._clock, self._links, self._turn = dsn, clock, links, turn
        self.follow = NextChannel(links.digest, allowed=allowed)
        self.settings = settings or SenderSettings()
        self._instance, self._monotonic = instance, monotonic
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        workers = self.settings.workers
        self._channels = {
            name: _Channel(
                hook,
                ThreadPoolExecutor(workers, thread_name_prefix=f"send-{name}"),
                ChannelHealth(self.settings.channel_patience, self.settings.refusals),
            )
            for name, hook in hooks.items()
        }
        self._next_beat = float("-inf")
        self.tally = {"sent": 0, "later": 0, "dead": 0, "next": 0, "lost": 0}
        for name in hooks:
            for outcome in self.tally:
                # A series that begins with its first message hides that message from every increase().
                metrics.MESSAGES.labels(name, outcome)

    # -- one step, for tests and drills

    def step(self) -> int:
        """Leases what is due now (at most ``workers`` a channel), sends it, settles it; returns how many there were."""
        with connect(self._dsn, application="mingjing-sender", autocommit=True) as connection:
            count = self._fill(connection)
            while self._running():
                self._wait_running(self.settings.lease)
                self._settle(connection)
            self._beat(connection)
        return count

    # -- the loop

    def run(self, stop: threading.Event) -> None:
        """Sends until ``stop`` is set; then finishes what is being sent. Goes on when the database was away."""
        pause = 0.1
        while not stop.is_set():
            self._turn()
            try:
                with connect(self._dsn, application="mingjing-sender", autocommit=True) as connection:
                    connection.execute(f"listen {outbox.CHANNEL}")
                    pause = 0.1
                    self._serve(connection, stop)
            except PASSING as error:
                words = str(error).strip().split("\n")[0]
                log.warning("database away (%s); trying again in %.1f s", words, pause)
                stop.wait(pause)
                pause = min(pause * 2, 5.0)
        self._finish()

    def close(self) -> None:
        """Gives back threads and connections."""
        for channel in self._channels.values():
            channel.pool.shutdown(wait=True)
            channel.hook.close()

    def _serve(self, connection: Connection, stop: threading.Event) -> None:
        while not stop.is_set():
            self._turn()
            self._beat(connection)
            self._settle(connection)
            if self._fill(connection):
                continue
            if self._running():
                self._wait_running(min(0.1, self.settings.poll))
            else:
                # Our own confirmations do not notify, so every notification may mean work.
                for _ in connection.notifies(timeout=self.settings.poll, stop_after=1):
                    pass

    def _finish(self) -> None:
        """Waits for running sends and settles them; what cannot be settled is sent again when its lease has run out."""
        ends = self._monotonic() + self.settings.lease
        while self._running() and self._monotonic() < ends:
            if not self._wait_running(max(0.0, ends - self._monotonic())):
                break
            try:
                with connect(self._dsn, application="mingjing-sender", autocommit=True) as connection:
                    self._settle(connection)
            except PASSING:
                time.sleep(0.2)

    # -- parts of a round

    def _fill(self, connection: Connection) -> int:
        """Leases as many messages as there are free threads and starts sending them."""
        count = 0
        off = channel_state.off_channels(connection)
        for name in off:
            count += self._leave(connection, name, CHANNEL_OFF)
        for name, channel in self._channels.items():
            if name in off:
                channel.health.reset()
                continue
            if channel.health.fails_for_long(self._monotonic()):
                count += self._leave(connection, name, CHANNEL_FAILING)
            free = self.settings.workers - len(channel.running)
            if free <= 0 or self._monotonic() < channel.resume_at:
                continue
            taken = outbox.lease(
                connection,
                channel=name,
                limit=free,
                by=self._me,
                seconds=self.settings.lease,
                certain=is_certain(channel.hook),
            )
            for message in taken:
                channel.running[channel.pool.submit(self._deliver, channel.hook, message)] = message
            count += len(taken)
        return count

    def _deliver(self, hook: Hook, message: Leased) -> Handed:
        """In a thread of its channel; touches no database."""
        outgoing = self.outgoing(message)
        answered, known = _ask(hook, outgoing) if message.in_doubt else (False, None)
        if known is not None:
            return known
        if answered and self._channels[message.channel].health.is_late(message):
            if is_certain(hook):
                raise SendError("the gateway does not have it, and has had long enough")
            raise UnclearSendError("nothing is heard of it, and it has had long enough")
        if message.obsolete:
            # Ready again, and no longer in doubt: the next lease takes it out of the queue, or finds it true after all.
            raise SendError("the gateway does not say that it has it, and it is no longer true")
        with metrics.SECONDS.labels(message.channel).time():
            return hook.send(outgoing)

    def outgoing(self, message: Leased) -> Outgoing:
        """A message as its hook takes it.

        Raises:
            SendError: it cannot be written; trying again cannot help.
        """
        return write(message, self._links, self.settings.language)

    def _settle(self, connection: Connection) -> None:
        """Writes down what became of the sends that have ended. An outcome is forgotten only when it is written."""
        for channel in self._channels.values():
            for future in [future for future in channel.running if future.done()]:
                message = channel.running[future]
                held = self._write_outcome(connection, channel, message, future.exception(), future)
                del channel.running[future]
                if not held:
                    self._count("lost", message)
                    log.warning(
                        "message %s: lease lost, left to its holder",
                        message.message_id,
                        extra=about(message),
                    )

    def _write_outcome(
        self,
        connection: Connection,
        channel: _Channel,
        message: Leased,
        error: BaseException | None,
        future: Future[Handed],
    ) -> bool:
        if error is None:
            handed, now = future.result(), self._clock.now()
            channel.health.works(message.message_id)
            self._count("sent", message)
            log.info("message %s handed over", message.message_id, extra=about(message, outcome="sent"))
            asked = self.settings.patience if receipts.is_asked(channel.hook) else None
            return receipts.confirm(connection, message, handed, at=now, ask_after=asked, follow=self.follow)
        if not isinstance(error, SendError):
            # A defect in a hook is not the message's fault: it is tried again, and may have been sent.
            log.error(
                "message %s: hook failed (%s)",
                message.message_id,
                type(error).__name__,
                extra=about(message),
            )
            error = UnclearSendError(f"hook failed ({type(error).__name__})")
        words = mask_tokens(error.reason)
        # Where nobody can ask, an earlier doubt stays whatever this try says.
        mute = message.in_doubt and not message.obsolete and not can_ask(channel.hook)
        if isinstance(error, UnclearSendError) or mute:
            words = outbox.UNCLEAR + words
        if error.retry_after:
            channel.resume_at = max(channel.resume_at, self._monotonic() + error.retry_after)
        if error.permanent and error.scope == "channel":
            met = channel.health.refuses(message.message_id)
            if met != "message":
                return self._refuse_channel(connection, channel, message, words, off=met == "off")
        if error.permanent or message.attempts >= self.settings.max_tries:
            reason = "refused" if error.permanent else "tries_used_up"
            self._count("dead", message)
            extra = about(message, outcome="dead", code=reason)
            log.error("message %s to the dead: %s: %s", message.message_id, reason, words, extra=extra)
            channel.health.forget(message.message_id)
            held = outbox.bury(
                connection, message, reason=reason, error=words, at=self._clock.now(), follow=self.follow
            )
            outbox.notify(connection)
            return held
        moment = self._monotonic()
        if error.wait is None or isinstance(error, UnclearSendError):
            channel.health.fails(moment)
        pause = channel.health.pause(
            message,
            error,
            self._own_pause(message.attempts, doubtful=_only_receipts_tell(channel.hook, error)),
            moment,
            can_query=can_ask(channel.hook),
            soon=self.settings.waits[0],
        )
        if pause is None:
            self._count("next", message)
            extra = about(message, outcome="next", code=CHANNEL_FAILING)
            log.warning("message %s: goes on by its next channel: %s", message.message_id, words, extra=extra)
            return outbox.bury(
                connection,
                message,
                reason=CHANNEL_FAILING,
                error=words,
                at=self._clock.now(),
                state="unknown" if words.startswith(outbox.UNCLEAR) else "dead",
                follow=self.follow,
            )
        pause = self._spread(pause)
        self._count("later", message)
        log.warning(
            "message %s: try %d: %s; next in %.1f s",
            message.message_id,
            message.attempts,
            words,
            pause,
            extra=about(message, outcome="later"),
        )
        now = self._clock.now()
        with connection.transaction():
            held = outbox.try_later(
                connection, message, error=words, seconds=pause, at=now, follow=self.follow
            )
            again = now + timedelta(seconds=pause * self._clock.speed)
            if held and (until := self.follow.rest(connection, message.message_id, again)) is not None:
                log.info(
                    "message %s waits until %s: quiet hours", message.message_id, until, extra=about(message)
                )
        return held

    def _refuse_channel(
        self, connection: Connection, channel: _Channel, message: Leased, words: str, *, off: bool
    ) -> bool:
        """The provider refuses all of a channel: the message is kept; so often in a row, and the channel is off."""
        name, now = message.channel, self._clock.now()
        self._count("later", message)
        log.warning(
            "message %s: the channel is refused: %s",
            message.message_id,
            words,
            extra=about(message, outcome="later"),
        )
        pause = self._spread(self._own_pause(channel.health.refused_in_row))
        with connection.transaction():
            held = outbox.try_later(
                connection, message, error=words, seconds=pause, at=now, follow=self.follow
            )
            said = words.removeprefix(outbox.UNCLEAR)
            off = off and channel_state.switch_off(
                connection, name, reason=channel_state.REFUSED, error=said, at=now
            )
        if off:
            log.error(
                "channel %s is switched off: %s", name, words, extra={"channel": name, "outcome": "off"}
            )
        return held

    def _leave(self, connection: Connection, name: str, reason: str) -> int:
        """Sends on what waits for a channel that is off, or fails and fails."""
        waited = self.settings.channel_patience
        count = self.follow.leave(connection, name, self._clock.now(), reason=reason, waited=waited)
        if count:
            self.tally["next"] += count
            metrics.MESSAGES.labels(name, "next").inc(count)
            log.warning("%d messages of channel %s go on by their next ones: %s", count, name, reason)
        return count

    def _count(self, outcome: str, message: Leased) -> None:
        self.tally[outcome] += 1
        metrics.MESSAGES.labels(message.channel, outcome).inc()

    def _own_pause(self, attempts: int, *, doubtful: bool = False) -> float:
        waits = self.settings.waits
        return max(waits[min(attempts, len(waits)) - 1], self.settings.doubt if doubtful else 0.0)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + self.settings.jitter * self._rng.random())

    def _running(self) -> list[Future[Handed]]:
        return [future for channel in self._channels.values() for future in channel.running]

    def _wait_running(self, seconds: float) -> bool:
        """Whether a send has ended within ``seconds``."""
        return bool(wait(self._running(), timeout=seconds, return_when=FIRST_COMPLETED).done)

    def _beat(self, connection: Connection) -> None:
        now = self._monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + self.settings.heartbeat
        buried = outbox.bury_overdue(connection, self._clock.now(), follow=self.follow)
        if buried:
            self.tally["dead"] += buried
            log.error("%d messages to the dead: not sent within their time", buried)
            outbox.notify(connection)
        for name in unserved(connection, self._channels, self.settings.channel_patience):
            self._leave(connection, name, CHANNEL_FAILING)
        detail = self.tally | {"channels": sorted(self._channels), "running": len(self._running())}
        outbox.beat(connection, instance=self._instance, at=self._clock.now(), detail=detail)


def _only_receipts_tell(hook: Hook, error: SendError) -> bool:
    """Whether a gateway may have a message, and nothing but its receipt will say so."""
    return isinstance(error, UnclearSendError) and not is_certain(hook) and receipts.gives_receipts(hook)


def _ask(hook: Hook, message: Outgoing) -> tuple[bool, Handed | None]:
    """Whether the gateway answers questions, and what became of an earlier try; None if it has nothing under its key.

    Raises:
        UnclearSendError: it could not be asked just now. The doubt remains: sending unasked could send twice.
    """
    if not can_ask(hook):
        return False, None
    try:
        return True, hook.query(message)
    except SendError as error:
        if error.permanent:
            log.warning(
                "message %s: the gateway answers no questions: %s", message.idempotency_key, error.reason
            )
            return False, None
        raise UnclearSendError(
            f"cannot be asked: {error.reason}", retry_after=error.retry_after, wait=error.wait
        ) from None
