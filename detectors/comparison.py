"""What other settings would have found: two sets of findings over one history, side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from domain.findings import SEVERITIES, Finding

#: Subject, rule, severity.
Key = tuple[str, str, str]
#: What was found of one subject by one rule: today, and under the proposal.
Group = tuple[Key, tuple[list[Finding], list[Finding]]]


@dataclass(slots=True)
class RuleChange:
    """One rule and severity. ``today`` and ``proposed`` count what opened in the span; ``new``, ``gone`` and ``moved`` (other
    opening or deadline) are the differences; ``examples``: subjects of the first of them, with what became of each."""

    rule: str
    severity: str
    today: int = 0
    proposed: int = 0
    new: int = 0
    gone: int = 0
    moved: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


def compare_findings(
    today: Iterable[Finding],
    proposed: Iterable[Finding],
    inside: Callable[[datetime], bool],
    examples: int = 5,
) -> list[RuleChange]:
    """By rule, gravest first.

    Args:
        today, proposed: of the same subjects and events; several findings of one rule and subject are paired in order.
        inside: whether a moment lies in the span asked for. A pair counts if either of it opened there.
        examples: how many differences of each rule are named.
    """
    groups: dict[Key, tuple[list[Finding], list[Finding]]] = {}
    for side, findings in enumerate((today, proposed)):
        for finding in findings:
            groups.setdefault(group_key(finding), ([], []))[side].append(finding)
    return compare_groups(sorted(groups.items()), inside, examples)


def compare_groups(
    groups: Iterable[Group], inside: Callable[[datetime], bool], examples: int = 5
) -> list[RuleChange]:
    """The same of findings already together by :func:`group_key`, in its order; one group is in memory at a time."""
    found: dict[tuple[str, str], RuleChange] = {}
    for (_, rule, severity), (before, after) in groups:
        row = found.setdefault((rule, severity), RuleChange(rule, severity))
        row.today += sum(inside(finding.opened_at) for finding in before)
        row.proposed += sum(inside(finding.opened_at) for finding in after)
        for old, new in _pairs(before, after):
            moments = [each.opened_at for each in (old, new) if each is not None]
            what = _difference(old, new)
            if what is None or not any(map(inside, moments)):
                continue
            setattr(row, what, getattr(row, what) + 1)
            if len(row.examples) < examples:
                named = old or new
                assert named is not None
                row.examples.append((named.case or named.window or named.centre, what))
    rank = {severity: -number for number, severity in enumerate(SEVERITIES)}
    return sorted(
        (row for row in found.values() if row.today or row.proposed or row.examples),
        key=lambda row: (rank[row.severity], row.rule),  # type: ignore[index]
    )


def group_key(finding: Finding) -> Key:
    """What is compared with what: findings of one rule and severity about one subject."""
    subject = f"case:{finding.case}" if finding.case is not None else f"window:{finding.window}"
    if finding.case is None and finding.window is None:
        subject = str(finding.explain.get("source") or finding.explain.get("camera") or "")
    return f"{finding.centre}\x1f{subject}", finding.rule, finding.severity


def _pairs(before: list[Finding], after: list[Finding]) -> list[tuple[Finding | None, Finding | None]]:
    """The same finding on both sides first, by its id; what is left in the order of opening."""
    known = {finding.finding_id for finding in before} & {finding.finding_id for finding in after}
    old, new = (
        sorted((f for f in side if f.finding_id not in known), key=lambda f: (f.opened_at, f.finding_id))
        for side in (before, after)
    )
    paired = min(len(old), len(new))
    pairs: list[tuple[Finding | None, Finding | None]] = list(zip(old, new, strict=False))
    pairs += [(finding, None) for finding in old[paired:]]
    pairs += [(None, finding) for finding in new[paired:]]
    return pairs


def _difference(old: Finding | None, new: Finding | None) -> str | None:
    if old is None:
        return "new"
    if new is None:
        return "gone"
    return "moved" if (old.opened_at, old.due_at) != (new.opened_at, new.due_at) else None


__all__ = ["Group", "Key", "RuleChange", "compare_findings", "compare_groups", "group_key"]
