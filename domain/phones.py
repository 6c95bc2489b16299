"""Telephone numbers as short messages take them. Pure."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"[\s\-()（）.]")
#: A mobile number of the mainland, with or without its country (MIIT numbering plan: 1, 3–9, nine digits).
_MAINLAND = re.compile(r"(?:\+86|0086|86)?(1[3-9][0-9]{9})")
#: ITU-T E.164: a country code that begins with 1–9, at most fifteen digits in all.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def plain_number(text: str) -> str | None:
    """``138 0000 0001`` → ``13800000001``, ``+852 5123 4567`` → ``+85251234567``; None where no gateway could take it."""
    digits = _SIGNS.sub("", text)
    match = _MAINLAND.fullmatch(digits)
    if match is not None:
        return match[1]
    return digits if _E164.fullmatch(digits) and not digits.startswith("+86") else None


__all__ = ["plain_number"]
