"""The few protocol data units of SMPP 3.4 that are needed: bytes ⇄ values, nothing else.

Source: SMPP Protocol Specification v3.4, issue 1.2, chapters 3 to 5. All lengths are octets; a C-octet string's length counts
its closing zero, as there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

BIND: Final = 0x00000009
SUBMIT: Final = 0x00000004
DELIVER: Final = 0x00000005
UNBIND: Final = 0x00000006
ENQUIRE: Final = 0x00000015
ANSWER: Final = 0x80000000
"""Set in the command of every answer; alone it is ``generic_nack``."""
NACK: Final = ANSWER

REFERENCE: Final = 0x0204
"""Optional parameter ``user_message_reference``."""
PAYLOAD: Final = 0x0424
RECEIPTED_ID: Final = 0x001E
MESSAGE_STATE: Final = 0x0427

UDH: Final = 0x40
"""In ``esm_class``: the text begins with a user data header."""
VERSION: Final = 0x34
LONGEST: Final = 70_000
"""Octets of a whole unit; a payload has at most 65,535."""
_HEAD: Final = struct.Struct(">IIII")
_TLV: Final = struct.Struct(">HH")


class BadPduError(ValueError):
    """A unit that cannot be read or written. ``command`` and ``sequence`` are what its head said, if it had one."""

    def __init__(self, words: str, command: int | None = None, sequence: int = 0) -> None:
        self.command, self.sequence = command, sequence
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Bind:
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class BindAnswer:
    system_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """``submit_sm`` and ``deliver_sm``, which have the same fields. ``validity`` is in SMPP's own form, "" the centre's."""

    source: str
    to: str
    text: bytes = field(repr=False)
    source_ton: int = 0
    source_npi: int = 0
    to_ton: int = 1
    to_npi: int = 1
    esm_class: int = 0
    coding: int = 8
    registered: int = 0
    validity: str = ""
    service_type: str = ""
    tlvs: Mapping[int, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class MessageId:
    """What ``submit_sm_resp`` and ``deliver_sm_resp`` hold."""

    id: str = ""


Body = Bind | BindAnswer | Message | MessageId


@dataclass(frozen=True, slots=True)
class Pdu:
    """One unit. Answers that refuse, and units without fields, have no body."""

    command: int
    sequence: int
    status: int = 0
    body: Body | None = None

    @property
    def is_answer(self) -> bool:
        return bool(self.command & ANSWER)

    def answer(self, status: int = 0, body: Body | None = None) -> Pdu:
        return Pdu(self.command | ANSWER, self.sequence, status, body)


def encode(pdu: Pdu) -> bytes:
    """The unit as it goes over the line.

    Raises:
        BadPduError: a field is longer than the protocol allows, or no ASCII where it has to be.
    """
    body = b"" if pdu.body is None else _encode_body(pdu.body)
    return _HEAD.pack(_HEAD.size + len(body), pdu.command, pdu.status, pdu.sequence) + body


def decode(unit: bytes) -> Pdu:
    """One whole unit.

    Raises:
        BadPduError: shorter than its fields, a string without end; with the command and number it named.
    """
    length, command, status, sequence = _HEAD.unpack_from(unit)
    if length != len(unit):
        raise BadPduError(f"unit of {len(unit)} octets says it has {length}", command, sequence)
    try:
        return Pdu(command, sequence, status, _decode_body(command, status, _Reader(unit, _HEAD.size)))
    except BadPduError as error:
        raise BadPduError(str(error), command, sequence) from None


class Units:
    """Cuts a stream into units; what has come of the next one is kept, however long the rest takes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def has_begun(self) -> bool:
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The units that are whole now.

        Raises:
            BadPduError: a length that cannot be one; the place in the stream is lost for good.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4])
            if not _HEAD.size <= length <= LONGEST:
                raise BadPduError(f"a unit of {length} octets")
            if len(self._buffer) < length:
                return
            unit = bytes(self._buffer[:length])
            del self._buffer[:length]
            yield unit


def _encode_body(body: Body) -> bytes:
    match body:
        case Bind():
            return (
                _string(body.system_id, 16, "system_id")
                + _string(body.password, 9, "password")
                + _string(body.system_type, 13, "system_type")
                + bytes((body.version, 0, 0))
                + _string("", 41, "address_range")
            )
        case BindAnswer():
            return _string(body.system_id, 16, "system_id")
        case MessageId():
            return _string(body.id, 65, "message_id")
        case Message():
            return _encode_message(body)


def _encode_message(message: Message) -> bytes:
    if len(message.text) > 254:
        raise BadPduError(f"short_message of {len(message.text)} octets, at most 254")
    parts = [
        _string(message.service_type, 6, "service_type"),
        bytes((message.source_ton, message.source_npi)),
        _string(message.source, 21, "source_addr"),
        bytes((message.to_ton, message.to_npi)),
        _string(message.to, 21, "destination_addr"),
        bytes((message.esm_class, 0, 0)),  # protocol_id, priority_flag
        _string("", 17, "schedule_delivery_time"),
        _string(message.validity, 17, "validity_period"),
        bytes((message.registered, 0, message.coding, 0, len(message.text))),
        message.text,
    ]
    for tag, value in message.tlvs.items():
        if len(value) > 0xFFFF:
            raise BadPduError(f"optional parameter {tag:#06x} of {len(value)} octets")
        parts.append(_TLV.pack(tag, len(value)) + value)
    return b"".join(parts)


def _decode_body(command: int, status: int, reader: _Reader) -> Body | None:
    if command == BIND:
        bind = Bind(reader.string(16), reader.string(9), reader.string(13), reader.octet())
        reader.octet(), reader.octet(), reader.string(41)
        return bind
    if command in (SUBMIT, DELIVER):
        return _decode_message(reader)
    # A refusing answer may leave its fields out (3.4, 4.4.2), and many leave them out of an empty deliver_sm_resp.
    if status or (reader.ended and command == DELIVER | ANSWER):
        return None
    if command == BIND | ANSWER:
        return BindAnswer(reader.string(16))
    if command in (SUBMIT | ANSWER, DELIVER | ANSWER):
        return MessageId(reader.string(65))
    return None


def _decode_message(reader: _Reader) -> Message:
    service_type = reader.string(6)
    source_ton, source_npi, source = reader.octet(), reader.octet(), reader.string(21)
    to_ton, to_npi, to = reader.octet(), reader.octet(), reader.string(21)
    esm_class, _protocol, _priority = reader.octet(), reader.octet(), reader.octet()
    _schedule, validity = reader.string(17), reader.string(17)
    registered, _replace, coding, _canned = (reader.octet() for _ in range(4))
    return Message(
        source=source,
        to=to,
        text=reader.take(reader.octet()),
        source_ton=source_ton,
        source_npi=source_npi,
        to_ton=to_ton,
        to_npi=to_npi,
        esm_class=esm_class,
        coding=coding,
        registered=registered,
        validity=validity,
        service_type=service_type,
        tlvs=reader.tlvs(),
    )


def _string(value: str, most: int, name: str) -> bytes:
    try:
        octets = value.encode("ascii")
    except UnicodeEncodeError:
        raise BadPduError(f"{name}: ASCII only") from None
    if len(octets) >= most or b"\0" in octets:
        raise BadPduError(f"{name}: at most {most - 1} octets, no zero among them")
    return octets + b"\0"


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise BadPduError("ends in the middle of a field")
        self._at += count
        return self._data[self._at - count : self._at]

    def octet(self) -> int:
        return self.take(1)[0]

    def string(self, most: int) -> str:
        end = self._data.find(b"\0", self._at, self._at + most)
        if end < 0:
            raise BadPduError(f"a string without end, or longer than {most} octets")
        return self.take(end + 1 - self._at)[:-1].decode("latin-1")

    def tlvs(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while not self.ended:
            tag, length = _TLV.unpack(self.take(_TLV.size))
            found[tag] = self.take(length)
        return found
