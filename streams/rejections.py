"""Messages of the topic ``rejected-lines``: a line a door refused, with its reason."""

from __future__ import annotations

import json
from datetime import datetime

#: A message has to fit through Kafka (1 MB), and a byte may take six signs in JSON. The sender still has the whole.
RAW_LIMIT = 100_000


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
        "raw": raw[:RAW_LIMIT].decode("utf-8", "surrogateescape"),
        "code": code,
        "field": field,
        "reason": reason if len(raw) <= RAW_LIMIT else f"{reason} (cut: {len(raw)} bytes)",
        "place": place,
        "line": place,
        "received_at": at.isoformat(),
    }
    return json.dumps(row).encode()
