"""Texts in short messages: UCS-2, parts, receipts in words, what people send back.

Sources: 3GPP TS 23.040, 9.2.3.24 (user data header, concatenation) and SMPP 3.4, appendix B (receipt) and 5.2.28 (states).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from alerts.hooks.base import Fate
from alerts.hooks.smpp.pdu import MESSAGE_STATE, PAYLOAD, RECEIPTED_ID, UDH, Message

ALONE, JOINED = 70, 67
"""UTF-16 units of a message of its own, and of one part of several."""

FATES: Final[Mapping[str, Fate | None]] = {
    "ENROUTE": None,
    "DELIVRD": "delivered",
    "EXPIRED": "undelivered",
    "DELETED": "undelivered",
    "UNDELIV": "undelivered",
    "ACCEPTD": None,
    "UNKNOWN": "unknown",
    "REJECTD": "undelivered",
}
"""Word of the state → fate; None: still on its way. In the order of ``message_state``, from 1."""
_STATES: Final = dict(enumerate(FATES, 1))
_FIELD: Final = re.compile(r"\b(id|stat|err|done date):\s*(\S*)", re.IGNORECASE)
_CODINGS: Final = {0: "ascii", 1: "ascii", 3: "latin-1", 8: "utf-16-be", 15: "gb18030"}
"""``data_coding``; 15 is what Chinese gateways use for GBK."""


def parts_of(text: str) -> list[bytes]:
    """The text in UTF-16BE: whole if it fits one message, otherwise in parts that cut no character in two."""
    if len(text.encode("utf-16-be")) <= ALONE * 2:
        return [text.encode("utf-16-be")]
    parts, part = [], b""
    for letter in text:
        octets = letter.encode("utf-16-be")
        if len(part) + len(octets) > JOINED * 2:
            parts.append(part)
            part = b""
        part += octets
    return [*parts, part]


def header(reference: int, total: int, number: int) -> bytes:
    """User data header of part ``number`` (from 1) of ``total``; ``reference`` is 0…255."""
    return bytes((5, 0, 3, reference, total, number))


@dataclass(frozen=True, slots=True)
class Said:
    """A receipt as the centre gave it. ``fate`` is None while the message is on its way; ``plain_id``: from the words, not from
    the optional parameter, and perhaps in other digits than the answer had."""

    id: str
    fate: Fate | None
    code: str
    at: datetime | None
    plain_id: bool


def is_receipt(message: Message) -> bool:
    """Whether a ``deliver_sm`` speaks of a message of ours, finally (0x04) or on its way (0x20)."""
    return message.esm_class & 0x3C in (0x04, 0x20)


def read_receipt(message: Message, utc_offset: float) -> Said:
    """Raises ValueError: it names no message or no state."""
    words = {name.lower(): value for name, value in _FIELD.findall(_octets(message).decode("latin-1"))}
    tagged = message.tlvs.get(RECEIPTED_ID, b"").rstrip(b"\0").decode("latin-1")
    state = message.tlvs.get(MESSAGE_STATE, b"")
    stat = (_STATES.get(state[0], "") if len(state) == 1 else "") or words.get("stat", "").upper()[:7]
    plain = words.get("id", "")
    if not (tagged or plain) or not stat:
        raise ValueError("a receipt without id or state")
    code = f"{stat} {words['err'][:20]}" if words.get("err") else stat
    moment = _moment(words.get("done date", ""), utc_offset)
    return Said((tagged or plain)[:65], FATES.get(stat, "unknown"), code, moment, plain_id=not tagged)


def read_reply(message: Message) -> str:
    """What a person wrote; octets that mean nothing become question marks. A long reply comes as several."""
    octets = _octets(message)
    if message.esm_class & UDH and octets:
        octets = octets[1 + octets[0] :]
    coding = _CODINGS.get(message.coding, "ascii")
    return octets.decode(coding, "replace").replace("\ufffd", "?").strip("\0")


def _octets(message: Message) -> bytes:
    return message.text or message.tlvs.get(PAYLOAD, b"")


def _moment(value: str, utc_offset: float) -> datetime | None:
    zone = timezone(timedelta(hours=utc_offset))
    for form in ("%y%m%d%H%M", "%y%m%d%H%M%S"):
        # strptime takes fewer digits than there should be.
        if len(value) == (10 if form.endswith("%M") else 12):
            try:
                return datetime.strptime(value, form).replace(tzinfo=zone)
            except ValueError:
                return None
    return None
