"""Kinds of event about what leaves the centre: certificates."""

from __future__ import annotations

from domain.kinds import Check, texts

KINDS: dict[str, Check] = {"certificate.issued": texts("certificate_no")}
