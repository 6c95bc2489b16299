"""Links by which a person acknowledges a message.

The token is a keyed hash of the message's idempotency key: every try of a message carries the same link, and the
database needs to hold only the token's SHA-256. Who reads the database (or a backup of it) cannot acknowledge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from domain.errors import SettingsError

#: 96 bits, 16 letters: not to be guessed at a door that takes a few thousand tries a second, and short enough for two parts.
TOKEN_BYTES = 12
_IN_TEXT = re.compile(r"(/ack/)[A-Za-z0-9_-]{8,}")


@dataclass(frozen=True, slots=True)
class AckLinks:
    """Makes tokens and links.

    Args:
        secret: at least 16 bytes, the same in every process that plans or sends.
        base_url: address of the wall as readers of messages see it.
        lifetime: how long a link can be used, on the system's clock.
    """

    secret: bytes = field(repr=False)
    base_url: str = ""
    lifetime: timedelta = timedelta(hours=72)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise SettingsError("the secret of the acknowledge links must have at least 16 bytes")

    def token(self, idempotency_key: str) -> str:
        mac = hmac.digest(self.secret, b"acknowledge\0" + idempotency_key.encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:TOKEN_BYTES]).rstrip(b"=").decode()

    def link(self, idempotency_key: str) -> str:
        return f"{self.base_url.rstrip('/')}/ack/{self.token(idempotency_key)}"

    def digest(self, idempotency_key: str) -> str:
        """What the database holds."""
        return token_digest(self.token(idempotency_key))


def token_digest(token: str) -> str:
    """SHA-256 of a token, hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def mask_tokens(text: str) -> str:
    """The text with every token in a link replaced."""
    return _IN_TEXT.sub(r"\1…", text)


class TokenFilter(logging.Filter):
    """Keeps tokens out of a log (a web server logs the path of every request)."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(mask_tokens(a) if isinstance(a, str) else a for a in record.args)
        if isinstance(record.msg, str):
            record.msg = mask_tokens(record.msg)
        return True


def load_or_create_secret(path: Path) -> bytes:
    """The secret in a file; made, readable by the owner only, where there is none.

    Two processes that start at once end up with the same secret: the file is linked into place whole, and only once.

    Raises:
        SettingsError: it cannot be read or is too short.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(32))
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{path}: the secret cannot be read ({error.strerror})") from None
    if len(secret) < 16:
        raise SettingsError(f"{path}: a secret needs at least 16 bytes")
    return secret
