"""One request to the desk by somebody who is signed in: who, about which centre, in which language, at which moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from dashboard.desk.accounts import Account
from dashboard.desk.hands import Hands
from dashboard.words import Words
from domain.centre import Centre
from domain.centres import Centres
from domain.finding_life import roles_of

ROOT = "/desk"


@dataclass(frozen=True)
class Visit:
    """What a page is made from, beside the database.

    Args:
        token: for every form of the page.
        path: that was asked for, with its query, of this process.
        form: what was sent; empty for a mere look.
    """

    account: Account
    centres: Centres
    centre: Centre
    words: Words
    now: datetime
    token: str
    hands: Hands
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)

    def link(self, path: str, **query: object) -> str:
        """An address of the desk that stays with the centre; None and empty values are left out."""
        values = {key.rstrip("_"): value for key, value in query.items() if value not in (None, "")}
        if self.centres.several and "centre" not in values:
            values["centre"] = self.centre.centre.id
        return f"{ROOT}{path}" + (f"?{urlencode(values)}" if values else "")

    @cached_property
    def own_windows(self) -> frozenset[str]:
        """Windows whose findings concern the account's person."""
        return self.windows_of(self.account.person)

    def windows_of(self, person: str) -> frozenset[str]:
        """Windows at which a person is handler, superior, leader or staff."""
        return frozenset(
            window.id
            for window in self.centre.windows
            if person and roles_of(self.centre, window.id, person) - {"inspector"}
        )

    def may_see(self, window: str | None, staff: object) -> bool:
        """Whether a finding at a window, or about a person's own day, is this account's to see."""
        if self.account.sees_all:
            return True
        return window in self.own_windows or (bool(self.account.person) and staff == self.account.person)

    def person(self, code: str | None) -> str:
        """A person's name, or the id where the centre file has none."""
        found = self._people.get(code or "")
        return found if found is not None else (code or "")

    @cached_property
    def _people(self) -> Mapping[str, str]:
        return {person.id: person.name for person in self.centre.people}

    @cached_property
    def departments(self) -> Mapping[str, str]:
        return {department.id: department.name for department in self.centre.departments}

    def window_name(self, window: str | None) -> str:
        found = self.centre.window_by_id.get(window or "")
        return f"{window} {found.name}".strip() if found is not None else (window or "")

    def department_name(self, window: str | None) -> str:
        found = self.centre.window_by_id.get(window or "")
        return self.departments.get((found.department if found else None) or "", "")


__all__ = ["ROOT", "Visit"]
