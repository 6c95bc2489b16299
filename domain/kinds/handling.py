"""Kinds of event about the handling of a case that move none of the contract's clocks."""

from __future__ import annotations

from domain.kinds import Check, choice, every

KINDS: dict[str, Check] = {
    "case.pre_reviewed": choice("result", "passed", "failed"),
    "case.reported_up": every(),
}
