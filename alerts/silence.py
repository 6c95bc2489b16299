"""A silence: what nobody wants messages of for a while, by whom, why and until when. Pure.

It reaches messages only: findings are made, cards stand and the wall shows them as ever. What it keeps waits and leaves when it
ends, if it is still true. Nobody silences his own cards: whatever a silence says, it never covers those of its author.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from domain.centre import Centre
from domain.errors import InputError, StepRefusedError
from domain.finding_life import MOST_TEXT, UNIT, roles_of
from domain.findings import SEVERITIES, Finding
from domain.recurring import Recurring
from domain.rule_names import NAMES

#: What a silence may ask of a finding and of who is told; of each at least one value must fit. ``rule`` takes patterns.
KEYS = ("rule", "severity", "window", "department", "item", "case", "person")
#: Longest time a silence may be given: what should be quiet for longer belongs into the centre file, where it is seen.
MOST_DAYS = 31


@dataclass(frozen=True, slots=True)
class Silence:
    """One row of the table. All moments are the system's clock.

    Args:
        match: key of :data:`KEYS` → values, one of which must fit; a key that is not there asks nothing.
        recurring: the hours inside the span in which it holds; None: all of them.
        ended_at: before its time, by ``ended_by``.
    """

    silence_id: int
    centre: str
    match: Mapping[str, tuple[str, ...]]
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    recurring: Recurring | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = field(default=None)
    ended_by: str | None = None

    @property
    def until(self) -> datetime:
        """When it is over, also before its time."""
        return self.ends_at if self.ended_at is None else min(self.ends_at, self.ended_at)

    def holds(self, centre: Centre, now: datetime) -> bool:
        """Whether it keeps anything at this moment."""
        if not self.starts_at <= now < self.until:
            return False
        return self.recurring is None or self.recurring.covers(now, centre.working_time)

    def covers(self, finding: Finding, person: str | None, centre: Centre, now: datetime) -> bool:
        """Whether a message about a finding to a person waits now.

        Args:
            person: id of who is to be told; None: of nobody in particular, which a silence of persons does not cover.
        """
        return (
            finding.centre == self.centre
            and self.holds(centre, now)
            and self._fits(finding, person, centre)
            and not is_party(self.author, finding, centre)
        )

    def run_ends(self, centre: Centre, now: datetime) -> datetime:
        """Until when what it covers now has to wait: the end of these hours, or its own."""
        run = None if self.recurring is None else self.recurring.until(now, centre.working_time)
        return self.until if run is None else min(run, self.until)

    def _fits(self, finding: Finding, person: str | None, centre: Centre) -> bool:
        window = centre.window_by_id.get(finding.window or "")
        given = {
            "severity": finding.severity,
            "window": finding.window,
            "department": window.department if window is not None else None,
            "item": finding.item,
            "case": finding.case,
            "person": person,
        }
        return all(
            any(fnmatchcase(finding.rule, pattern) for pattern in values)
            if key == "rule"
            else given[key] in values
            for key, values in self.match.items()
        )


def is_party(person: str, finding: Finding, centre: Centre) -> bool:
    """Whether a finding is about a person's own window or day."""
    return bool(roles_of(centre, finding.window, person) & UNIT) or finding.explain.get("staff") == person


@dataclass(frozen=True, slots=True)
class Wanted:
    """A silence as somebody asks for it; :func:`check` says whether it may be."""

    match: Mapping[str, tuple[str, ...]]
    reason: str
    starts_at: datetime
    ends_at: datetime
    recurring: Recurring | None = None


def check(wanted: Wanted, author: str, centre: Centre, now: datetime) -> None:
    """Whether a silence may be made as it is asked for.

    Raises:
        InputError: one sentence that names the field.
        StepRefusedError: ``own_cause``: it would reach cards of a window at which its author is a party.
    """
    if not wanted.reason.strip():
        raise InputError("reason: a silence needs one")
    if len(wanted.reason) > MOST_TEXT:
        raise InputError(f"reason: is longer than {MOST_TEXT} characters")
    if not wanted.match:
        raise InputError("match: of what? (rule '*' is everything)")
    for key, values in wanted.match.items():
        _check_values(key, values, centre)
    if wanted.ends_at <= max(now, wanted.starts_at):
        raise InputError("end: lies before the silence begins, or has passed")
    if wanted.ends_at - max(now, wanted.starts_at) > timedelta(days=MOST_DAYS):
        raise InputError(
            f"end: at most {MOST_DAYS} days; what is quiet for longer belongs into the centre file"
        )
    own = sorted(each for each in _reach(wanted.match, centre) if roles_of(centre, each, author) & UNIT)
    if own:
        raise StepRefusedError(
            "own_cause", f"{author} is a party at {', '.join(own)}, and nobody silences his own cards"
        )


def _check_values(key: str, values: tuple[str, ...], centre: Centre) -> None:
    if key not in KEYS:
        raise InputError(f"match: '{key[:40]}' is none of {', '.join(KEYS)}")
    if not values:
        raise InputError(f"{key}: which?")
    known: Mapping[str, Any] = {
        "severity": SEVERITIES,
        "window": centre.window_ids,
        "department": {each.id for each in centre.departments},
        "item": {each.code for each in centre.items},
        "person": centre.people_ids,
    }
    for value in values:
        if key == "rule":
            # A rule of a manual kind is whatever an inspector calls it.
            if not value.startswith("manual.") and not any(fnmatchcase(name, value) for name in NAMES):
                raise InputError(f"rule: no rule is called '{value[:80]}'")
        elif key in known and value not in known[key]:
            raise InputError(f"{key}: there is no '{value[:80]}' in the centre file")


def _reach(match: Mapping[str, tuple[str, ...]], centre: Centre) -> set[str]:
    """The windows whose cards a silence can reach. One of cases can reach any, and is judged card by card."""
    if "case" in match:
        return set()
    return {
        window.id
        for window in centre.windows
        if ("window" not in match or window.id in match["window"])
        and ("department" not in match or window.department in match["department"])
    }


def recurring_of(days: tuple[str, ...], hours: tuple[str, ...]) -> Recurring | None:
    """Hours as somebody typed them; None where nothing was said.

    Raises:
        InputError: with the field and the value.
    """
    if not days and not hours:
        return None
    try:
        return Recurring.model_validate({"days": days, "hours": hours})
    except ValidationError as error:
        first = error.errors()[0]
        field_name = str(first["loc"][0]) if first["loc"] else "days"
        reason = str(first["msg"]).removeprefix("Value error, ")
        if field_name == "days":
            reason = f"'{str(first['input'])[:20]}' is none of working, rest, mon … sun"
        raise InputError(f"{field_name}: {reason}") from None


__all__ = ["KEYS", "MOST_DAYS", "Silence", "Wanted", "check", "is_party", "recurring_of"]
