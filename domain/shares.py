"""Dividing work among machines so that each piece has exactly one of them, and the same one after every restart."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from domain.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Share:
    """``number`` of ``of``, counted from 1: ``2/4`` is the second of four."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Share:
        """``2/4``.

        Raises:
            SettingsError: it is not of that form, or there is no such share.
        """
        match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise SettingsError(f"--share: expected 2/4 for the second of four, not '{text}'")
        return cls(int(match[1]), int(match[2]))

    def has(self, key: str) -> bool:
        """Whether this share has the piece of that name. Of all shares exactly one has it; names alone decide."""
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Share()

__all__ = ["WHOLE", "Share"]
