"""What a centre's ``command_status`` means for a message.

Source: SMPP 3.4, 5.1.3. A status that is not 0 says that the message was not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RINVCMDLEN: Final = 0x02
RINVCMDID: Final = 0x03
RINVBNDSTS: Final = 0x04
RINVPASWD: Final = 0x0E
RINVSYSID: Final = 0x0F
RX_T_APPN: Final = 0x64
"""Of ours, to a message: not now."""
RX_P_APPN: Final = 0x65
"""Of ours, to a message: never."""

NAMES: Final[Mapping[int, str]] = {
    0x01: "RINVMSGLEN",
    0x02: "RINVCMDLEN",
    0x03: "RINVCMDID",
    0x04: "RINVBNDSTS",
    0x05: "RALYBND",
    0x08: "RSYSERR",
    0x0A: "RINVSRCADR",
    0x0B: "RINVDSTADR",
    0x0D: "RBINDFAIL",
    0x0E: "RINVPASWD",
    0x0F: "RINVSYSID",
    0x14: "RMSGQFUL",
    0x15: "RINVSERTYP",
    0x43: "RINVESMCLASS",
    0x45: "RSUBMITFAIL",
    0x48: "RINVSRCTON",
    0x49: "RINVSRCNPI",
    0x50: "RINVDSTTON",
    0x51: "RINVDSTNPI",
    0x53: "RINVSYSTYP",
    0x58: "RTHROTTLED",
    0x61: "RINVSCHED",
    0x62: "RINVEXPIRY",
    0xC0: "RINVOPTPARSTREAM",
    0xC1: "ROPTPARNOTALLWD",
    0xC2: "RINVPARLEN",
    0xC4: "RINVOPTPARAMVAL",
    0xFF: "RUNKNOWNERR",
}

OF_THE_CHANNEL: Final = frozenset({RINVPASWD, RINVSYSID, 0x0A, 0x15, 0x48, 0x49, 0x53})
"""Who we are or our own number is refused: true of every message."""
ALL_WAIT: Final[Mapping[int, float]] = {RINVBNDSTS: 1.0, 0x14: 5.0, 0x58: 5.0, 0x08: 15.0}
"""The account or the centre cannot just now: seconds for which all messages wait."""
ONE_WAITS: Final[Mapping[int, float]] = {0x45: 60.0, 0xFF: 60.0}
"""Failed for no reason that would last: seconds before this message is tried again."""


def words(status: int) -> str:
    """``RTHROTTLED (0x00000058)``."""
    return f"{NAMES.get(status, 'status')} ({status:#010x})"
