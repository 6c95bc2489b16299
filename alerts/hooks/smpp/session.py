"""Keeps one link to a centre: makes it when it is needed, waits longer after each failure, holds to its window."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from alerts.hooks.base import UnclearSendError
from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.link import TICK, BindRefusedError, Link, LinkLostError, NotWrittenError
from alerts.hooks.smpp.pdu import BadPduError, Pdu
from alerts.hooks.smpp.status import OF_THE_CHANNEL
from domain.errors import SendError

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds after a failed try to connect; doubled each time."""
REFUSED_PAUSE: Final = 60.0
"""After a refused bind: nothing is mended by asking soon, and centres lock accounts."""


class Session:
    """The way to one centre. Safe for several threads.

    Args:
        connect: makes a connection, or raises OSError.
        on_message: as :class:`Link` takes it.
        window: units that may be without answer at once.
    """

    def __init__(
        self,
        connect: Callable[[], socket.socket],
        bind: smpp.Bind,
        on_message: Callable[[smpp.Message], int],
        *,
        window: int,
        enquire: float,
        timeout: float,
        monotonic: Callable[[], float],
        tick: float = TICK,
    ) -> None:
        self._connect, self._bind, self._on_message = connect, bind, on_message
        self._enquire, self._timeout, self._monotonic, self._tick = enquire, timeout, monotonic, tick
        self._window = threading.BoundedSemaphore(window)
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._closed = False
        self._pause, self._resume_at = 0.0, float("-inf")

    def submit(self, message: smpp.Message, late: Callable[[Future[Pdu]], None]) -> Pdu:
        """Sends one unit and waits for its answer.

        Args:
            late: given the answer, or its failure, when it comes after all, too late for us.

        Raises:
            SendError: it was not written. UnclearSendError: written, and no answer.
        """
        if not self._window.acquire(timeout=self._timeout):
            raise SendError("the centre leaves too many messages without answer")
        try:
            link = self.ensure()
            answer = link.ask(smpp.SUBMIT, message)
            try:
                return answer.result(self._timeout)
            except TimeoutError:
                answer.add_done_callback(late)
                if link.is_cut:
                    link.end("stopped in the middle of a unit")
                raise UnclearSendError("no answer from the centre") from None
        except NotWrittenError as error:
            raise SendError(str(error)) from None
        except LinkLostError as error:
            raise UnclearSendError(f"connection ended before the answer: {error}") from None
        except BadPduError as error:
            # Our own unit is checked before; this is their answer.
            raise UnclearSendError(f"the answer cannot be read: {error}") from None
        finally:
            self._window.release()

    def ensure(self) -> Link:
        """The bound link, made anew if there is none.

        Raises:
            SendError: there is none; with the seconds for which nobody tries.
        """
        with self._lock:
            if self._closed:
                raise SendError("closed")
            if self._link is not None and not self._link.ended:
                return self._link
            if self._link is not None:
                log.warning("smpp: connection ended: %s", self._link.ended)
                self._link = None
            left = self._resume_at - self._monotonic()
            if left > 0:
                raise SendError("the centre is not reached", retry_after=left)
            try:
                self._link = self._made()
            except BindRefusedError as error:
                self._failed(REFUSED_PAUSE)
                for_good = error.status in OF_THE_CHANNEL
                raise SendError(
                    f"bind refused: {error}",
                    retry_after=self._pause,
                    permanent=for_good,
                    scope="channel" if for_good else "message",
                ) from None
            except (OSError, LinkLostError, NotWrittenError, TimeoutError, BadPduError) as error:
                self._failed(min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE))
                raise SendError(
                    f"the centre is not reached ({type(error).__name__})", retry_after=self._pause
                ) from None
            self._pause = 0.0
            return self._link

    def drop(self, reason: str) -> None:
        """Ends the link; the next send makes another."""
        with self._lock:
            if self._link is not None:
                self._link.end(reason)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            link, self._link = self._link, None
        if link is not None:
            link.unbind()

    def _made(self) -> Link:
        link = Link(
            self._connect(),
            self._on_message,
            enquire=self._enquire,
            timeout=self._timeout,
            monotonic=self._monotonic,
            tick=self._tick,
        )
        link.bind(self._bind)
        return link

    def _failed(self, pause: float) -> None:
        self._pause, self._resume_at = pause, self._monotonic() + pause


def dial(host: str, port: int, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    """A connection, IPv4 or IPv6; with ``tls`` the name on the certificate is checked."""
    line = socket.create_connection((host, port), timeout=timeout)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line if tls is None else tls.wrap_socket(line, server_hostname=host)
    except BaseException:
        line.close()
        raise
