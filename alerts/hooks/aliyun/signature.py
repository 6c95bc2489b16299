"""Aliyun's signature, version 3 (ACS3-HMAC-SHA256).

Source: help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature, with its worked example in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Parameters sorted by name, percent-encoded as RFC 3986 has it."""
    return "&".join(f"{_encode(name)}={_encode(parameters[name])}" for name in sorted(parameters))


def authorization(
    secret: bytes,
    key_id: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> str:
    """The header ``Authorization`` of a request.

    Args:
        query: as :func:`canonical_query` makes it.
        headers: lower-case names; ``host``, ``content-type`` and all ``x-acs-*`` are signed.
    """
    signed = sorted(name for name in headers if name in ("host", "content-type") or name.startswith("x-acs-"))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    names = ";".join(signed)
    request = "\n".join((method, path, query, lines, names, hashlib.sha256(body).hexdigest()))
    text = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
