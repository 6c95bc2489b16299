"""Tencent Cloud's signature, version 3 (TC3-HMAC-SHA256).

Source: cloud.tencent.com/document/api/382/52072 (签名方法 v3), with its worked example in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

ALGORITHM: Final = "TC3-HMAC-SHA256"
CONTENT_TYPE: Final = "application/json; charset=utf-8"
SIGNED: Final = "content-type;host;x-tc-action"


def authorization(
    secret: bytes, secret_id: str, *, service: str, host: str, action: str, stamp: int, body: bytes
) -> str:
    """The header ``Authorization`` of a POST to ``/``.

    Args:
        stamp: seconds since the epoch, as in the header ``X-TC-Timestamp``.
    """
    headers = f"content-type:{CONTENT_TYPE}\nhost:{host}\nx-tc-action:{action.lower()}\n"
    request = "\n".join(("POST", "/", "", headers, SIGNED, hashlib.sha256(body).hexdigest()))
    day = f"{datetime.fromtimestamp(stamp, UTC):%Y-%m-%d}"
    scope = f"{day}/{service}/tc3_request"
    text = "\n".join((ALGORITHM, str(stamp), scope, hashlib.sha256(request.encode()).hexdigest()))
    key = b"TC3" + secret
    for part in (day, service, "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
