"""One bound connection to a short message centre: a thread reads, whoever has something to say writes."""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.pdu import BadPduError, Body, Pdu, Units
from alerts.hooks.smpp.status import RINVCMDID, RINVCMDLEN, RX_P_APPN, words

log = logging.getLogger(__name__)

TICK: Final = 1.0
"""Real seconds the reader sleeps when nothing comes, before it looks at the clock."""
MOST_UNANSWERED: Final = 1000
"""Answers still waited for; a centre that never answers is not remembered for ever."""


class LinkLostError(Exception):
    """The connection ended before the answer. Its text is for a log."""


class NotWrittenError(Exception):
    """The unit cannot have arrived whole."""


class BindRefusedError(Exception):
    """The centre does not want us."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(words(status))


class Link:
    """A connection from its bind to its end. Safe for several threads.

    Args:
        on_message: takes a ``deliver_sm`` and says with which status it is answered. Called by the reader.
        enquire: seconds of ``monotonic`` between two questions whether the line lives.
        timeout: seconds for each answer, also to that question.
    """

    def __init__(
        self,
        line: socket.socket,
        on_message: Callable[[smpp.Message], int],
        *,
        enquire: float,
        timeout: float,
        monotonic: Callable[[], float],
        tick: float = TICK,
    ) -> None:
        self._line, self._on_message, self._enquire, self._timeout = line, on_message, enquire, timeout
        self._monotonic, self._tick = monotonic, tick
        self._encrypted = isinstance(line, ssl.SSLSocket)
        # An encrypted line may not be read and written at the same moment.
        self._io, self._lock = threading.Lock(), threading.Lock()
        self._waiting: dict[int, Future[Pdu]] = {}
        self._sequence, self._ended = 0, ""
        self._units = Units()
        self._selector = selectors.DefaultSelector()
        self._selector.register(line, selectors.EVENT_READ)
        self._enquired_at, self._enquiry = monotonic(), Future[Pdu]()
        self._enquiry.set_result(Pdu(smpp.ENQUIRE | smpp.ANSWER, 0))
        self._reader = threading.Thread(target=self._read, name="smpp-read", daemon=True)

    def bind(self, body: smpp.Bind) -> None:
        """Starts reading and binds.

        Raises:
            BindRefusedError: the centre does not want us. LinkLostError, NotWrittenError, TimeoutError, BadPduError: no answer.
        """
        self._reader.start()
        try:
            answer = self.ask(smpp.BIND, body).result(self._timeout)
            if answer.status or answer.command != smpp.BIND | smpp.ANSWER:
                raise BindRefusedError(answer.status)
        except BaseException:
            self.end("not bound")
            raise

    @property
    def ended(self) -> str:
        """Why it has ended; "" while it lives."""
        return self._ended

    @property
    def is_cut(self) -> bool:
        """Whether a unit has begun and not ended."""
        return self._units.has_begun

    def ask(self, command: int, body: Body | None = None) -> Future[Pdu]:
        """Writes a unit; the answer, whenever it comes.

        The future raises LinkLostError if the connection ends before, BadPduError if the answer cannot be read.

        Raises:
            NotWrittenError: the unit cannot have arrived whole. LinkLostError: it may have.
        """
        with self._lock:
            if self._ended:
                raise NotWrittenError(self._ended)
            self._sequence = self._sequence % 0x7FFFFFFF + 1
            sequence, answer = self._sequence, Future[Pdu]()
            self._waiting[sequence] = answer
            if len(self._waiting) > MOST_UNANSWERED:
                self._waiting.pop(next(iter(self._waiting))).set_exception(LinkLostError("no answer"))
        try:
            self._write(Pdu(command, sequence, body=body))
        except (OSError, BadPduError) as error:
            with self._lock:
                self._waiting.pop(sequence, None)
            if isinstance(error, BadPduError):
                raise
            self.end(f"cannot write ({type(error).__name__})")
            # A plain line that raises has not taken the last octets. What an encrypted one has taken nobody knows.
            lost = LinkLostError if self._encrypted else NotWrittenError
            raise lost(f"connection lost ({type(error).__name__})") from None
        return answer

    def end(self, reason: str) -> None:
        """Ends the connection; whoever waits for an answer hears it."""
        with self._lock:
            if self._ended:
                return
            self._ended = reason
            waiting, self._waiting = list(self._waiting.values()), {}
        with self._io, suppress(OSError):
            # Wakes the reader, which closes; a descriptor closed here could be somebody else's by its next look.
            self._line.shutdown(socket.SHUT_RDWR)
        if not self._reader.is_alive():
            self._close()
        for answer in waiting:
            answer.set_exception(LinkLostError(reason))

    def unbind(self, timeout: float = 0.5) -> None:
        """Says goodbye and ends."""
        with suppress(LinkLostError, NotWrittenError, TimeoutError, BadPduError):
            self.ask(smpp.UNBIND).result(timeout)
        self.end("closed")
        self._reader.join(timeout)

    # -- the reader

    def _read(self) -> None:
        try:
            while not self._ended:
                data = self._some()
                if data == b"":
                    self.end("the centre hung up")
                for unit in self._units.feed(data or b""):
                    self._take(unit)
                self._look_at_clock()
        except BadPduError as error:
            with suppress(OSError):
                self._write(Pdu(smpp.NACK, 0, RINVCMDLEN))
            self.end(f"not SMPP: {error}")
        except (OSError, NotWrittenError, LinkLostError) as error:
            self.end(f"connection lost ({type(error).__name__})")
        except Exception as error:
            # A reader that dies silently would leave everybody waiting.
            log.exception("smpp: reading failed")
            self.end(f"reading failed ({type(error).__name__})")
        finally:
            self._close()

    def _some(self) -> bytes | None:
        """What has come; None if nothing has within a tick, b"" at the end."""
        pending = isinstance(self._line, ssl.SSLSocket) and self._line.pending()
        if not pending and not self._selector.select(self._tick):
            return None
        with self._io:
            self._line.settimeout(0)
            try:
                return self._line.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None

    def _take(self, unit: bytes) -> None:
        try:
            pdu = smpp.decode(unit)
        except BadPduError as error:
            self._unreadable(error)
            return
        if pdu.is_answer:
            with self._lock:
                answer = self._waiting.pop(pdu.sequence, None)
            if answer is not None:
                answer.set_result(pdu)
        elif pdu.command == smpp.DELIVER and isinstance(pdu.body, smpp.Message):
            status = self._on_message(pdu.body)
            self._write(pdu.answer(status, smpp.MessageId()))
        elif pdu.command == smpp.ENQUIRE:
            self._write(pdu.answer())
        elif pdu.command == smpp.UNBIND:
            self._write(pdu.answer())
            self.end("the centre unbound us")
        else:
            self._write(Pdu(smpp.NACK, pdu.sequence, RINVCMDID))

    def _unreadable(self, error: BadPduError) -> None:
        """The place in the stream is known, so the connection goes on; the unit is refused for good."""
        log.warning("smpp: unit %#010x cannot be read: %s", error.command or 0, error)
        command = error.command or 0
        if command & smpp.ANSWER:
            with self._lock:
                answer = self._waiting.pop(error.sequence, None)
            if answer is not None:
                answer.set_exception(error)
        elif command == smpp.DELIVER:
            self._write(Pdu(smpp.DELIVER | smpp.ANSWER, error.sequence, RX_P_APPN, smpp.MessageId()))
        else:
            self._write(Pdu(smpp.NACK, error.sequence, RINVCMDID))

    def _look_at_clock(self) -> None:
        now = self._monotonic()
        if not self._enquiry.done() and now - self._enquired_at >= self._timeout:
            self.end("no answer to enquire_link")
        elif now - self._enquired_at >= self._enquire and not self._ended:
            self._enquired_at = now
            self._enquiry = self.ask(smpp.ENQUIRE)

    def _write(self, pdu: Pdu) -> None:
        octets = smpp.encode(pdu)
        with self._io:
            self._line.settimeout(self._timeout)
            self._line.sendall(octets)

    def _close(self) -> None:
        with self._io:
            self._selector.close()
            self._line.close()
