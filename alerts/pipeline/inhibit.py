"""Inhibit: while a worse finding about the same thing is open, it speaks for both. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from alerts.matcher import matches, value_of
from alerts.pipeline.draft import Draft
from alerts.reasons import Reason, Why
from domain.centre import Centre
from domain.findings import Finding
from domain.messages import Inhibition

#: What is told all the same: a correction to whoever was told, and that an answer is late: a duty is not taken over.
SPARED = frozenset((Why.REVOKED, Why.LATE))


@dataclass(frozen=True)
class Inhibit:
    """
    Args:
        open_findings: of the centre, those that may inhibit; also others.
    """

    centre: Centre
    open_findings: Sequence[Finding]

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        found: dict[str, Mapping[str, Any] | None] = {}
        decided = []
        for draft in drafts:
            if not draft.skipped and draft.news.why not in SPARED:
                name = draft.finding.finding_id
                if name not in found:
                    found[name] = self.inhibitor(draft.finding)
                inhibitor = found[name]
                draft = draft if inhibitor is None else draft.skip(Reason.INHIBITED, **inhibitor)
            decided.append(draft)
        return decided

    def inhibitor(self, finding: Finding) -> Mapping[str, Any] | None:
        """What speaks for a finding, as it is recorded: the oldest finding of the first rule that applies."""
        if cause := finding.explain.get("inhibited_by"):
            return {"inhibitor": str(cause)}
        for rule, sources in zip(self.centre.messages.inhibit, self._sources, strict=True):
            same = _same(rule, finding, self.centre)
            if same is None or not matches(rule.target, finding, self.centre):
                continue
            # Two that could inhibit each other would both be silent.
            also_source = matches(rule.source, finding, self.centre)
            for source in sources.get(same, ()):
                if source.finding_id == finding.finding_id:
                    continue
                if also_source and matches(rule.target, source, self.centre):
                    continue
                opened = source.opened_at.astimezone(self.centre.zone).isoformat()
                return {"inhibitor": source.finding_id, "rule": source.rule, "opened_at": opened}
        return None

    @cached_property
    def _sources(self) -> list[dict[tuple[Any, ...], list[Finding]]]:
        """For each rule its sources by the values that have to be equal, the oldest first."""
        ordered = sorted(self.open_findings, key=lambda each: (each.opened_at, each.finding_id))
        tables = []
        for rule in self.centre.messages.inhibit:
            table: dict[tuple[Any, ...], list[Finding]] = {}
            for finding in ordered:
                same = _same(rule, finding, self.centre)
                if (
                    same is not None
                    and finding.state == "open"
                    and matches(rule.source, finding, self.centre)
                ):
                    table.setdefault(same, []).append(finding)
            tables.append(table)
        return tables


def _same(rule: Inhibition, finding: Finding, centre: Centre) -> tuple[Any, ...] | None:
    """The values that have to be equal; None where the finding has not all of them."""
    values = tuple(value_of(finding, key, centre) for key in rule.equal)
    return None if None in values else values


__all__ = ["Inhibit"]
