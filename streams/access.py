"""Who may use a door, and how often: API keys and a token bucket for each."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from domain.errors import SettingsError

MIN_KEY_LENGTH = 16


def load_api_keys(file: Path) -> dict[str, str]:
    """Reads ``name:key`` lines; empty lines and lines that begin with ``#`` are left out.

    Returns:
        key by name.

    Raises:
        SettingsError: naming the file and line; never the key.
    """
    keys: dict[str, str] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise SettingsError(f"MINGJING_API_KEYS_FILE: {file}: {reason}") from None
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, key = line.partition(":")
        name, key = name.strip(), key.strip()
        if not colon or not name:
            raise SettingsError(f"{file}:{number}: expected name:key")
        if len(key) < MIN_KEY_LENGTH:
            raise SettingsError(
                f"{file}:{number}: the key of '{name}' is shorter than {MIN_KEY_LENGTH} characters"
            )
        if name in keys:
            raise SettingsError(f"{file}:{number}: '{name}' stands twice")
        keys[name] = key
    if not keys:
        raise SettingsError(f"{file}: holds no key")
    return keys


class KeyRing:
    """Finds whose key was presented, in a time that does not tell which key came near.

    Args:
        keys: key by name.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests = {name: _digest(key.encode()) for name, key in keys.items()}

    def owner(self, presented: bytes) -> str | None:
        """The name, or None for an unknown key."""
        digest, found = _digest(presented), None
        for name, known in self._digests.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class TokenBuckets:
    """A bucket for each name: ``burst`` requests at once, ``rate`` a second over time."""

    def __init__(self, rate: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, burst, monotonic
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Takes a token; returns 0, or the seconds until there is one."""
        now = self._now()
        tokens, since = self._buckets.get(name, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[name] = (tokens - allowed, now)
        return 0.0 if allowed else (1 - tokens) / self._rate
