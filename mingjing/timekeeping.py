"""What the kernel says of the machine's clock."""

from __future__ import annotations

import ctypes
import sys

#: adjtimex(2): the clock is not synchronised; and its status bit for the same.
_TIME_ERROR, _STA_UNSYNC = 5, 0x0040


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex``; the rest is room for the kernel to write into."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    ]


def clock_synchronised() -> bool | None:
    """Whether something (NTP, PTP, the hypervisor) keeps the clock right; None where the kernel does not say."""
    if not sys.platform.startswith("linux"):
        return None
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR and not timex.status & _STA_UNSYNC
