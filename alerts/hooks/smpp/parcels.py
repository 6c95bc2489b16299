"""What this process knows of its messages at the centre: which parts were taken, what receipts said of them.

Kept in memory and bounded. After a restart a receipt of the last part still finds its message, since that part's id is the one
that was written down; receipts of the other parts then mean nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from alerts.hooks.base import Fate, Handed, Receipt

MOST: Final = 10_000
"""Messages, and receipts nobody claims, that are remembered."""
LAST_DIGITS: Final = 11
"""Of a number; centres add and drop country codes."""
_K = TypeVar("_K")
_V = TypeVar("_V")


def reference(key: str, part: int) -> int:
    """``user_message_reference`` of a part: 1…65535, the same at every try, also after a restart."""
    return int.from_bytes(hashlib.sha256(f"{part}:{key}".encode()).digest()[:2]) or 1


@dataclass(frozen=True, slots=True)
class Heard:
    """One receipt of one part. ``reference``: what the centre repeats of ours; ``to``: the number it is about."""

    id: str
    fate: Fate
    code: str
    at: datetime | None
    to: str
    reference: int | None


@dataclass(slots=True)
class _Parcel:
    key: str
    to: str
    total: int
    ids: dict[int, str] = field(default_factory=dict)
    fates: dict[int, Fate] = field(default_factory=dict)
    code: str = ""


class Parcels:
    """Messages by key, by number and reference, and by the centre's ids. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parcels: OrderedDict[str, _Parcel] = OrderedDict()
        self._by_id: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._by_reference: OrderedDict[tuple[str, int], tuple[str, int]] = OrderedDict()
        self._strays: OrderedDict[tuple[str, int], Heard] = OrderedDict()

    def begin(self, key: str, to: str, total: int) -> None:
        """A message is about to be sent, perhaps not for the first time."""
        with self._lock:
            if key in self._parcels:
                return
            _keep(self._parcels, key, _Parcel(key, to, total))
            for part in range(total):
                _keep(self._by_reference, (to[-LAST_DIGITS:], reference(key, part)), (key, part))

    def is_taken(self, key: str, part: int) -> bool:
        with self._lock:
            parcel = self._parcels.get(key)
            return parcel is not None and part in parcel.ids

    def taken(self, key: str, part: int, message_id: str) -> None:
        """The centre has taken a part."""
        with self._lock:
            self._taken(key, part, message_id)

    def known(self, key: str, to: str, total: int) -> Handed | None:
        """What is known of a whole message; None if a part of it may not be there."""
        with self._lock:
            parcel = self._parcels.get(key)
            if parcel is not None and len(parcel.ids) == parcel.total:
                fate = _whole(parcel)
                return Handed(parcel.ids[parcel.total - 1] or None, fate, parcel.code if fate else "")
            if parcel is not None and parcel.ids:
                return None
            # Sent by the process before this one, perhaps: all its parts were heard of, or it is not known to be whole.
            strays = [self._strays.get((to[-LAST_DIGITS:], reference(key, part))) for part in range(total)]
            heard = [stray for stray in strays if stray is not None]
            if len(heard) < total:
                return None
            fates = {stray.fate for stray in heard}
            return Handed(heard[-1].id or None, _worst(fates), heard[-1].code)

    def hear(self, heard: Heard) -> Receipt | None:
        """What a receipt of a part says of its message; None: nothing new, or nothing yet."""
        with self._lock:
            place = self._by_id.get(heard.id)
            tag = None if heard.reference is None else (heard.to[-LAST_DIGITS:], heard.reference)
            if place is None and tag is not None:
                place = self._by_reference.get(tag)
                if place is None:
                    _keep(self._strays, tag, heard)
                else:
                    # In doubt until now: the centre speaks of it, so it has it.
                    self._taken(*place, heard.id)
            parcel = self._parcels.get(place[0]) if place is not None else None
            if place is None or parcel is None:
                return Receipt(heard.fate, heard.id, at=heard.at, code=heard.code, to=heard.to)
            before = _whole(parcel)
            parcel.fates[place[1]] = heard.fate
            after = _whole(parcel)
            if after is None or before == after:
                return None
            parcel.code = heard.code
            last = parcel.ids.get(parcel.total - 1) or None
            return Receipt(after, last, parcel.key, at=heard.at, code=heard.code, to=heard.to)

    def _taken(self, key: str, part: int, message_id: str) -> None:
        parcel = self._parcels.get(key)
        if parcel is not None:
            parcel.ids.setdefault(part, message_id)
        if message_id:
            _keep(self._by_id, message_id, (key, part))


def _whole(parcel: _Parcel) -> Fate | None:
    """The fate of a message: undelivered with its first lost part, otherwise what all parts together say."""
    fates = set(parcel.fates.values())
    if "undelivered" in fates:
        return "undelivered"
    return None if len(parcel.fates) < parcel.total else _worst(fates)


def _worst(fates: set[Fate]) -> Fate:
    return "undelivered" if "undelivered" in fates else "unknown" if "unknown" in fates else "delivered"


def _keep(kept: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    kept[key] = value
    while len(kept) > MOST:
        kept.popitem(last=False)
