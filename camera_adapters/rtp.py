"""From RTP packets to coded pictures that stand by themselves; of all others nothing is put together (RFC 3550, 6184, 7798)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 32 * 1024 * 1024
"""Bytes; a coded picture that is larger is broken."""
_START: Final = b"\0\0\0\1"
_HEADER: Final = struct.Struct(">BBHI")
_UNIX: Final = 2_208_988_800
"""Seconds from 1900, where a sender's reports begin, to 1970."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One picture, Annex B. ``stamp``: RTP time; ``slices``: how many it has; ``whole``: no packet of it was missing."""

    data: bytes
    stamp: int
    slices: int
    whole: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """How a codec names its units. ``keys``: with these begins a picture that stands by itself, or its parameter sets."""

    header: int
    shift: int
    mask: int
    slices: range
    keys: frozenset[int]
    bundle: int
    fragment: int


_FORMS: Final = {
    "h264": _Form(1, 0, 31, range(1, 6), frozenset({5, 7}), 24, 28),
    "hevc": _Form(2, 1, 63, range(32), frozenset({*range(16, 24), 32, 33}), 48, 49),
}


class KeyPictures:
    """Puts together the key pictures of one stream; give it every packet of RTP, in order."""

    def __init__(self, codec: str, payload: int) -> None:
        self._form = _FORMS[codec]
        self._payload = payload
        self._next: int | None = None
        self._stamp: int | None = None
        self._ended = False
        self._whole = True
        self._begin(None)

    def add(self, packet: memoryview) -> Coded | None:
        """The picture that came before this packet's, if it is one: only the next one shows that a picture has ended."""
        if len(packet) < 13 or packet[1] & 127 != self._payload:
            return None
        first, second, number, stamp = _HEADER.unpack_from(packet)
        gap = self._next is not None and number != self._next
        self._next = (number + 1) & 0xFFFF
        done = None
        if stamp != self._stamp:
            self._whole = self._whole and (self._ended or not gap)
            done = self._finished()
            self._begin(stamp)
        if gap:
            self._whole = False
        self._ended = second >= 128
        if self._kept is not False:
            self._take(packet, first)
        return done

    def _begin(self, stamp: int | None) -> None:
        self._stamp = stamp
        self._parts: list[bytes] = []
        self._size = self._slices = 0
        self._kept: bool | None = None
        """Whether the picture stands by itself, None until that is known."""
        self._whole, self._open = True, False

    def _finished(self) -> Coded | None:
        if not self._kept or self._stamp is None:
            return None
        return Coded(b"".join(self._parts), self._stamp, self._slices, self._whole and not self._open)

    def _take(self, packet: memoryview, first: int) -> None:
        begin = 12 + 4 * (first & 15)
        if first & 16:
            begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4])
        end = len(packet) - (packet[-1] if first & 32 else 0)
        form = self._form
        unit = packet[begin:end]
        if len(unit) <= form.header:
            return
        kind = unit[0] >> form.shift & form.mask
        if kind == form.fragment:
            self._fragment(unit)
        elif kind == form.bundle:
            at = form.header
            while at + 2 < len(unit):
                after = at + 2 + (unit[at] << 8 | unit[at + 1])
                if after > len(unit):
                    self._whole = False
                self._unit(unit[at + 2 : after])
                at = after
        else:
            self._unit(unit)

    def _unit(self, unit: memoryview) -> None:
        if len(unit):
            self._open = False
            self._judge(unit[0] >> self._form.shift & self._form.mask, new=True)
            self._keep(_START, unit)

    def _fragment(self, unit: memoryview) -> None:
        form = self._form
        flags = unit[form.header]
        begins, kind = flags >= 128, flags & form.mask
        if not begins and not self._open:
            self._whole = False
        self._judge(kind, new=begins)
        if begins:
            # The header of the unit that was cut: its own kind in place of the fragment's.
            rest = unit[0] & ~(form.mask << form.shift) & 0xFF
            self._keep(_START, bytes([rest | kind << form.shift]), unit[1 : form.header])
        self._keep(unit[form.header + 1 :])
        self._open = not flags & 64

    def _judge(self, kind: int, *, new: bool) -> None:
        self._slices += new and kind in self._form.slices
        if kind in self._form.keys:
            self._kept = True
        elif self._kept is None and kind in self._form.slices:
            self._kept = False

    def _keep(self, *parts: bytes | memoryview) -> None:
        if self._kept is False or self._size > LARGEST:
            self._parts.clear()
            self._whole = False
            return
        self._parts += map(bytes, parts)
        self._size += sum(map(len, parts))


def sender_time(report: memoryview) -> tuple[float, int] | None:
    """Of a sender's report: a moment of its clock (Unix seconds), and the time stamp that belongs to it.

    >>> sender_time(memoryview(bytes([0x81, 201, 0, 1, 0, 0, 0, 0]))) is None
    True
    """
    if len(report) < 20 or report[1] != 200:
        return None
    seconds, parts, stamp = struct.unpack_from(">III", report, 8)
    return (seconds - _UNIX + parts / 2**32, stamp) if seconds else None


def later(stamp: int, than: int) -> int:
    """How far one time stamp lies behind another; both begin anew after 2³².

    >>> later(5, 2**32 - 5)
    10
    """
    return (stamp - than + 2**31) % 2**32 - 2**31
