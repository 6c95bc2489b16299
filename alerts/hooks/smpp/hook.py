"""Hands messages to a short message centre over SMPP 3.4 and collects the receipts and replies it sends."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from alerts.hooks.asking import printable, read_secret
from alerts.hooks.base import Handed, Pushed, Receipt, Reply, UnclearSendError
from alerts.hooks.doubt import Doubt
from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp import text
from alerts.hooks.smpp.config import Config
from alerts.hooks.smpp.link import TICK
from alerts.hooks.smpp.parcels import Heard, Parcels, reference
from alerts.hooks.smpp.pdu import BadPduError, Message, MessageId, Pdu
from alerts.hooks.smpp.session import Session, dial
from alerts.hooks.smpp.status import (
    ALL_WAIT,
    OF_THE_CHANNEL,
    ONE_WAITS,
    RINVBNDSTS,
    RX_P_APPN,
    RX_T_APPN,
    words,
)
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError

log = logging.getLogger(__name__)

FETCH: Final = 500
"""Receipts and replies of one fetch."""


class SmppHook:
    """One account, one connection. Safe for several threads.

    SMPP 3.4 has no idempotency key and finds no message but by its own id. Of a message in doubt, a late answer or a receipt that
    repeats our reference says that the centre has it; without either it waits ``patience`` seconds and is sent again, only those
    parts that are not known to be there.

    Args:
        monotonic: seconds, for the line's life, pauses and patience.
        connect: makes a connection, for tests. tick: real seconds between looks at the clock.
    """

    #: No receipt in time says little of whether the message is there.
    certain = False

    def __init__(
        self,
        config: Config,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        connect: Callable[[], socket.socket] | None = None,
        tick: float = TICK,
    ) -> None:
        self._config, self._monotonic = config, monotonic
        bind = smpp.Bind(config.system_id, _password(config), config.system_type)
        try:
            smpp.encode(Pdu(smpp.BIND, 1, body=bind))
        except BadPduError as error:
            raise SettingsError(str(error)) from None
        tls = _context(config)
        self._session = Session(
            connect or (lambda: dial(config.host, config.port, config.timeout, tls)),
            bind,
            self._on_message,
            window=config.window,
            enquire=config.enquire,
            timeout=config.timeout,
            monotonic=monotonic,
            tick=tick,
        )
        self._parcels, self._doubt = Parcels(), Doubt(config.patience, monotonic)
        self._lock = threading.Lock()
        self._inbox: deque[tuple[float, Heard | Reply]] = deque()
        self._sending: dict[object, float] = {}
        self.counts = {"receipts": 0, "replies": 0, "refused": 0, "unreadable": 0}

    def send(self, message: Outgoing) -> Handed:
        units, key = self._units(message), message.idempotency_key
        self._parcels.begin(key, units[0].to, len(units))
        mark = object()
        with self._lock:
            self._sending[mark] = self._monotonic()
        try:
            for part, unit in enumerate(units):
                if not self._parcels.is_taken(key, part):
                    self._parcels.taken(key, part, self._submit(unit, key, part))
        finally:
            with self._lock:
                del self._sending[mark]
        known = self._parcels.known(key, units[0].to, len(units))
        return Handed(known.provider_id) if known is not None else Handed()

    def query(self, message: Outgoing) -> Handed | None:
        """What this process knows of a message; the centre itself finds none by our key.

        Raises:
            UnclearSendError: nothing yet, and it may still be heard of.
        """
        units, key = self._units(message), message.idempotency_key
        known = self._parcels.known(key, units[0].to, len(units))
        if known is None:
            self._doubt.absent(key)
        return known

    def pull(self) -> Pushed:
        """Receipts and replies that have come since; also sees to it that there is a connection for more.

        A receipt that may belong to a message whose answer is still on its way is left for the next time.
        """
        receipts: list[Receipt] = []
        replies: list[Reply] = []
        # A receipt may say nothing new; an empty answer says that there is no more.
        while not (receipts or replies):
            taken = self._fetched()
            if not taken:
                self._session.ensure()
                break
            for item in taken:
                if isinstance(item, Reply):
                    replies.append(item)
                elif (receipt := self._parcels.hear(item)) is not None:
                    receipts.append(receipt)
        return Pushed(receipts, replies)

    def close(self) -> None:
        self._session.close()

    # -- out

    def _submit(self, unit: Message, key: str, part: int) -> str:
        """The centre's id of a part it has taken."""

        def late(answer: Future[Pdu]) -> None:
            if answer.exception() is None and isinstance(body := answer.result().body, MessageId):
                self._parcels.taken(key, part, self._own_id(body.id))

        answer = self._session.submit(unit, late)
        if answer.status or answer.command != smpp.SUBMIT | smpp.ANSWER:
            if answer.status == RINVBNDSTS:
                self._session.drop("the centre does not take us for bound")
            raise self._refused(answer.status)
        if not isinstance(answer.body, MessageId):
            raise UnclearSendError("an answer without id")
        return self._own_id(answer.body.id)

    def _refused(self, status: int) -> SendError:
        config, reason = self._config, words(status)
        if status in config.number_limit_codes:
            return SendError(reason, wait=config.number_wait)
        passing = {**ALL_WAIT, **config.passing_codes}
        if status in passing:
            return SendError(reason, retry_after=passing[status])
        if status in ONE_WAITS:
            return SendError(reason, wait=ONE_WAITS[status])
        if status in OF_THE_CHANNEL:
            return SendError(reason, permanent=True, scope="channel")
        return SendError(reason, permanent=True)

    def _units(self, message: Outgoing) -> list[Message]:
        """The units of a message; the same at every try.

        Raises:
            SendError: permanent; a number that is none, or a text that is too long.
        """
        config, key = self._config, message.idempotency_key
        to, ton, npi = self._number(message.to)
        whole = message.text.encode("utf-16-be", "replace")
        parts = text.parts_of(whole.decode("utf-16-be")) if config.long == "udh" else [whole]
        if len(parts) > 255 or len(whole) > 0xFFFF:
            raise SendError("the text is too long", permanent=True)
        joined = hashlib.sha256(key.encode()).digest()[2]
        units = []
        for part, octets in enumerate(parts):
            tlvs = {smpp.REFERENCE: reference(key, part).to_bytes(2)} if config.reference else {}
            payload = config.long == "payload" and len(octets) > text.ALONE * 2
            if payload:
                tlvs[smpp.PAYLOAD] = octets
            head = text.header(joined, len(parts), part + 1) if len(parts) > 1 else b""
            unit = Message(
                source=config.source,
                to=to,
                text=b"" if payload else head + octets,
                source_ton=config.source_ton,
                source_npi=config.source_npi,
                to_ton=ton,
                to_npi=npi,
                esm_class=smpp.UDH if head else 0,
                registered=1,
                validity=_validity(config.validity),
                service_type=config.service_type,
                tlvs=tlvs,
            )
            units.append(unit)
        return units

    def _number(self, number: str) -> tuple[str, int, int]:
        """Digits, type of number, numbering plan."""
        digits = number.strip().replace(" ", "").replace("-", "")
        plus = digits.startswith(("+", "00"))
        digits = digits.removeprefix("+").removeprefix("00") if plus else digits
        if not (
            digits.isascii() and digits.isdigit() and 3 <= len(digits) <= 20 - len(self._config.country_code)
        ):
            raise SendError("the recipient has no number that can be one", permanent=True)
        if plus:
            return digits, 1, 1
        if self._config.country_code:
            return self._config.country_code + digits, 1, 1
        return digits, self._config.dest_ton, self._config.dest_npi

    # -- in, called by the reader

    def _on_message(self, message: Message) -> int:
        """Keeps a receipt or a reply and says with which status it is answered."""
        try:
            item = self._item(message)
        except ValueError as error:
            self.counts["unreadable"] += 1
            log.warning("smpp: %s", error)
            return RX_P_APPN
        if item is None:
            return 0
        with self._lock:
            if len(self._inbox) >= self._config.inbox:
                self.counts["refused"] += 1
                return RX_T_APPN
            self._inbox.append((self._monotonic(), item))
            self.counts["replies" if isinstance(item, Reply) else "receipts"] += 1
        return 0

    def _fetched(self) -> list[Heard | Reply]:
        """The next of the inbox, without receipts that came while a message was being sent that still is."""
        taken: list[Heard | Reply] = []
        kept: list[tuple[float, Heard | Reply]] = []
        with self._lock:
            sending_since = min(self._sending.values(), default=float("inf"))
            while self._inbox and len(taken) < FETCH:
                at, item = self._inbox.popleft()
                if isinstance(item, Heard) and at >= sending_since:
                    kept.append((at, item))
                else:
                    taken.append(item)
            self._inbox.extendleft(reversed(kept))
        return taken

    def _item(self, message: Message) -> Heard | Reply | None:
        """None: the message is on its way, which changes nothing."""
        if not text.is_receipt(message):
            return Reply(
                printable(message.source, 30), printable(text.read_reply(message), 500), to=message.to
            )
        said = text.read_receipt(message, self._config.utc_offset)
        if said.fate is None:
            return None
        tag = message.tlvs.get(smpp.REFERENCE, b"")
        return Heard(
            id=self._receipt_id(said.id) if said.plain_id else self._own_id(said.id),
            fate=said.fate,
            code=printable(said.code),
            at=said.at,
            to=message.source,
            reference=int.from_bytes(tag) if len(tag) == 2 else None,
        )

    def _own_id(self, given: str) -> str:
        """The id of an answer as it is written down: in decimal digits where receipts have other ones."""
        bases = {"hex": 16, "decimal": 10}
        return _in_decimal(given, bases[self._config.ids]) if self._config.ids != "same" else printable(given)

    def _receipt_id(self, given: str) -> str:
        bases = {"hex": 10, "decimal": 16}
        return _in_decimal(given, bases[self._config.ids]) if self._config.ids != "same" else printable(given)


def _in_decimal(given: str, base: int) -> str:
    try:
        return str(int(given, base))
    except ValueError:
        return printable(given)


def _validity(seconds: int) -> str:
    """``YYMMDDhhmmsst00R``: from now on (3.4, 7.1.1.2); "" leaves it to the centre."""
    if not seconds:
        return ""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"


def _password(config: Config) -> str:
    return read_secret(config.password, config.password_file, "password").decode("utf-8", "replace")


def _context(config: Config) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        return ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
    except (OSError, ssl.SSLError):
        raise SettingsError(f"{config.ca_file}: cannot be read as certificates") from None


def open_hook(config: Config) -> SmppHook:
    return SmppHook(config)
