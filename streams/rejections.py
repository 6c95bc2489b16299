"""Messages of the topic ``rejected-lines``: a line a door refused, with its reason."""

from __future__ import annotations

import json
from datetime import datetime


def rejection(
    *, source: str, raw: bytes, code: str, reason: str, place: str, at: datetime, field: str | None = None
) -> bytes:
    """One message.

    Args:
        source: which door: ``door``, ``file`` …
        raw: the line as it came. Bytes that are no UTF-8 become half surrogate pairs, which the reader turns back.
        place: line number or index.
        at: moment of receipt.
    """
    row = {
        "source": source,
        "raw": raw.decode("utf-8", "surrogateescape"),
        "code": code,
        "field": field,
        "reason": reason,
        "place": place,
        "line": place,
        "received_at": at.isoformat(),
    }
    return json.dumps(row).encode()
