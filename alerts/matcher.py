"""Whether a finding is what a route or an inhibition of the centre file speaks of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from domain.centre import Centre
from domain.divisions import level
from domain.findings import Finding
from domain.messages import Match, Route

#: Families of rules that say that supervision sees nothing.
BLIND = ("source.", "camera.", "calendar.", "rule.")


def matches(match: Match, finding: Finding, centre: Centre) -> bool:
    """Whether every key that is there holds."""
    if match.severity is not None and finding.severity not in match.severity:
        return False
    if match.level is not None and level(finding.centre) not in match.level:
        return False
    return (
        _like(match.rule, finding.rule)
        and _like(match.window, finding.window)
        and _like(match.item, finding.item)
        and (match.department is None or _like(match.department, department_of(finding, centre)))
    )


def route_of(finding: Finding, centre: Centre) -> Route:
    """The first route that matches; where none does, one made of the list of the finding's severity (its id is None).

    What supervision itself lacks (a camera, a whole site without pictures, a silent feed) nobody of those lists can mend: it goes
    to the operators, where the centre file names any.
    """
    for route in centre.messages.routes:
        if matches(route.match, finding, centre):
            return route
    if centre.messages.operators and finding.rule.startswith(BLIND):
        return Route(to=["operators"])
    return centre.messages.by_severity(finding.severity)


def department_of(finding: Finding, centre: Centre) -> str | None:
    """The department of the finding's window."""
    window = centre.window_by_id.get(finding.window or "")
    return None if window is None else window.department


def value_of(finding: Finding, key: str, centre: Centre) -> Any:
    """What ``equal`` of an inhibition compares."""
    return department_of(finding, centre) if key == "department" else getattr(finding, key)


def _like(patterns: Sequence[str] | None, name: str | None) -> bool:
    if patterns is None:
        return True
    return name is not None and any(fnmatchcase(name, pattern) for pattern in patterns)


__all__ = ["department_of", "matches", "route_of", "value_of"]
