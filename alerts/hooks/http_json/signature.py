"""The signature both sides compute: HMAC-SHA256 over the timestamp, a dot and the body."""

from __future__ import annotations

import hmac

TIMESTAMP, SIGNATURE, KEY = "X-Mingjing-Timestamp", "X-Mingjing-Signature", "Idempotency-Key"
#: A signature is refused when its timestamp is further than this from the receiver's clock, in seconds.
TOLERANCE = 300.0


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """``v1=<hex>``. For a question, the body is the idempotency key."""
    return "v1=" + hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


def is_signed(secret: bytes, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether signature and timestamp fit; ``now`` is real seconds since the epoch."""
    try:
        age = abs(now - int(timestamp))
    except ValueError:
        return False
    return age <= TOLERANCE and hmac.compare_digest(
        sign(secret, timestamp, body).encode(), signature.encode("utf-8", "replace")
    )
