"""A short message centre on loopback: it checks what a centre checks, and misbehaves on command."""

from __future__ import annotations

import itertools
import socketserver
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.config import Config
from alerts.hooks.smpp.hook import SmppHook
from alerts.hooks.smpp.pdu import Bind, Message, MessageId, Pdu, Units

SYSTEM_ID, PASSWORD = "mingjing", "s3cret"
STATES: Final = ("ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")
INVALID_NUMBER, INVALID_CODING, BIND_FAILED, WRONG_PASSWORD = 0x0B, 0x01, 0x0D, 0x0E

Act = Literal[
    "take",
    "silent",
    "take silently",
    "hang up",
    "take, hang up",
    "half",
    "garbage",
    "late",
    "receipt first",
    "no id",
    "unbind",
]
"""What becomes of one ``submit_sm``. ``late``: answered when :meth:`FakeSmsc.release` is called; ``half``: half an answer, then
nothing more; ``garbage``: something that is no SMPP; ``no id``: an answer without its fields."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One unit the centre has taken."""

    id: str
    unit: Message

    @property
    def text(self) -> str:
        octets = self.unit.text or self.unit.tlvs.get(smpp.PAYLOAD, b"")
        return octets[6 if self.unit.esm_class & smpp.UDH else 0 :].decode("utf-16-be")


class FakeSmsc:
    """``with FakeSmsc() as centre: centre.hook().send(…)``.

    ``acts`` are popped for each ``submit_sm``, a number being the status of a refusal; ``binds`` (statuses, -1 for
    no answer) for each bind.
    ``accepted`` is what it has taken, ``answers`` the statuses with which its own messages were answered,
    ``heard`` command and number of every unit.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.acts: deque[Act | int] = deque()
        self.binds: deque[int] = deque()
        self.accepted: list[Accepted] = []
        self.answers: list[int] = []
        self.heard: list[tuple[int, int]] = []
        self.submitted = self.bound = self.enquiries = 0
        self.answers_enquiries = True
        self.decimal_receipts = False
        """Its receipts write in decimal digits what its answers write in hexadecimal ones."""
        self.unanswered_most = 0
        """Most units that were held back at once."""
        self._tls = tls
        self._ids, self._numbers = itertools.count(0xA1), itertools.count(1)
        self._held: list[tuple[_Talk, Pdu, str]] = []
        self._talks: list[_Talk] = []
        self._changed = threading.Condition()
        outer = self

        class Talk(_Talk):
            centre = outer

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()

    def config(self, **more: object) -> Config:
        settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": False,
            "system_id": SYSTEM_ID,
            "password": PASSWORD,
            "source": "10690001",
            "timeout": 0.3,
        }
        return Config.model_validate(settings | more)

    def hook(self, **more: object) -> SmppHook:
        """A hook that sends here."""
        return SmppHook(self.config(**more), tick=0.02)

    # -- on command

    def receipt(
        self,
        message_id: str,
        stat: str = "DELIVRD",
        *,
        tags: bool = True,
        repeat_reference: bool = False,
        err: str = "000",
    ) -> None:
        """A receipt in the usual words, of a message that was taken. Its submit_sm says whom it is about."""
        unit = next(one.unit for one in self.accepted if one.id == message_id)
        shown = str(int(message_id, 16)) if self.decimal_receipts else message_id
        words = _words(shown, stat, err)
        tlvs: dict[int, bytes] = {}
        if tags and stat in STATES:
            tlvs[smpp.RECEIPTED_ID] = message_id.encode() + b"\0"
            tlvs[smpp.MESSAGE_STATE] = bytes((STATES.index(stat) + 1,))
        if repeat_reference and smpp.REFERENCE in unit.tlvs:
            tlvs[smpp.REFERENCE] = unit.tlvs[smpp.REFERENCE]
        self.deliver(Message(unit.to, unit.source, words.encode(), esm_class=0x04, coding=0, tlvs=tlvs))

    def reply(self, sender: str, words: str) -> None:
        """A short message somebody sends back."""
        self.deliver(Message(sender, "10690001", words.encode("utf-16-be")))

    def deliver(self, message: Message) -> None:
        """A message of ours; waits until it is answered."""
        before = len(self.answers)
        self._talks[-1].say(Pdu(smpp.DELIVER, next(self._numbers), body=message))
        self.wait(lambda: len(self.answers) > before)

    def raw(self, octets: bytes) -> None:
        """Octets on the newest connection."""
        self._talks[-1].request.sendall(octets)

    def release(self) -> None:
        """Answers everything that is late."""
        held, self._held = self._held, []
        for talk, pdu, message_id in held:
            talk.say(pdu.answer(body=MessageId(message_id)))

    def hang_up(self) -> None:
        """Ends all connections."""
        for talk in self._talks:
            talk.hang_up()

    def wait(self, condition: Callable[[], bool], seconds: float = 3.0) -> None:
        """Until something is so. Raises TimeoutError."""
        ends = time.monotonic() + seconds
        with self._changed:
            while not condition():
                if not self._changed.wait(0.02) and time.monotonic() > ends:
                    raise TimeoutError("what was waited for did not happen")

    @property
    def connections(self) -> int:
        return len(self._talks)

    # -- what comes

    def take(self, talk: _Talk, pdu: Pdu) -> None:
        self.heard.append((pdu.command, pdu.sequence))
        match pdu.command, pdu.body:
            case smpp.BIND, Bind() as bind:
                status = self._bind(talk, bind)
                if status >= 0:
                    talk.say(pdu.answer(status, smpp.BindAnswer("fake")))
            case smpp.SUBMIT, Message() as unit if talk.is_bound:
                self._submit(talk, pdu, unit)
            case smpp.SUBMIT, _:
                talk.say(pdu.answer(0x04))
            case smpp.ENQUIRE, _:
                self.enquiries += 1
                if self.answers_enquiries:
                    talk.say(pdu.answer())
            case smpp.UNBIND, _:
                talk.say(pdu.answer())
                talk.hang_up()
            case command, _ if command == smpp.DELIVER | smpp.ANSWER:
                self.answers.append(pdu.status)
            case command, _ if command == smpp.NACK:
                self.answers.append(pdu.status)
        with self._changed:
            self._changed.notify_all()

    def _bind(self, talk: _Talk, bind: Bind) -> int:
        status = self.binds.popleft() if self.binds else 0
        if not status and (bind.system_id, bind.password, bind.version) != (
            SYSTEM_ID,
            PASSWORD,
            smpp.VERSION,
        ):
            status = WRONG_PASSWORD
        talk.is_bound = not status
        self.bound += not status
        return status

    def _submit(self, talk: _Talk, pdu: Pdu, unit: Message) -> None:
        self.submitted += 1
        act = self.acts.popleft() if self.acts else "take"
        status = act if isinstance(act, int) else _wrong(unit)
        if status:
            talk.say(pdu.answer(status))
            return
        message_id = ""
        if act not in ("silent", "hang up"):
            message_id = f"{next(self._ids):X}"
            self.accepted.append(Accepted(message_id, unit))
        answer = pdu.answer(body=MessageId(message_id))
        match act:
            case "take":
                talk.say(answer)
            case "hang up" | "take, hang up":
                talk.hang_up()
            case "half":
                talk.request.sendall(smpp.encode(answer)[:9])
            case "garbage":
                talk.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            case "late":
                self._held.append((talk, pdu, message_id))
                self.unanswered_most = max(self.unanswered_most, len(self._held))
            case "receipt first":
                talk.say(Pdu(smpp.DELIVER, next(self._numbers), body=_early(message_id, unit)))
                talk.say(answer)
            case "no id":
                talk.say(pdu.answer())
            case "unbind":
                talk.say(Pdu(smpp.UNBIND, next(self._numbers)))

    def meet(self, talk: _Talk) -> None:
        if self._tls is not None:
            talk.request = self._tls.wrap_socket(talk.request, server_side=True)
        self._talks.append(talk)


def _wrong(unit: Message) -> int:
    """The status of a unit that no centre would take; 0 for a good one."""
    if (unit.to_ton, unit.to_npi) == (1, 1) and not (unit.to.startswith("86") and len(unit.to) == 13):
        return INVALID_NUMBER
    if not unit.to.isdigit():
        return INVALID_NUMBER
    headed = bool(unit.esm_class & smpp.UDH)
    if unit.coding != 8 or len(unit.text) > 140 or headed != unit.text.startswith(b"\x05\x00\x03"):
        return INVALID_CODING
    return 0


def _early(message_id: str, unit: Message) -> Message:
    return Message(
        unit.to, unit.source, _words(message_id, "DELIVRD", "000").encode(), esm_class=0x04, coding=0
    )


def _words(message_id: str, stat: str, err: str) -> str:
    return f"id:{message_id} sub:001 dlvrd:001 submit date:2611200912 done date:2611200943 stat:{stat} err:{err} text:"


class _Talk(socketserver.BaseRequestHandler):
    """One connection."""

    centre: FakeSmsc
    is_bound = False

    def handle(self) -> None:
        self._lock = threading.Lock()
        units = Units()
        with suppress(OSError):
            self.centre.meet(self)
            while data := self.request.recv(65536):
                for unit in units.feed(data):
                    self.centre.take(self, smpp.decode(unit))

    def finish(self) -> None:
        self.is_bound = False

    def say(self, pdu: Pdu) -> None:
        with self._lock, suppress(OSError):
            self.request.sendall(smpp.encode(pdu))

    def hang_up(self) -> None:
        with suppress(OSError):
            self.request.shutdown(2)
