"""What goes through the stages: news of a finding, and drafts of messages about it with what was decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from alerts.reasons import Reason, Why
from domain.finding_life import Pending
from domain.findings import Finding
from domain.messages import CARD_ROLES, Route

#: (channel, address)
Address = tuple[str, str]
#: In place of a person: news that nobody has been chosen for.
NOBODY = "*"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who was or will be told, by which channel, and as what."""

    person: str
    phone: str
    channel: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """Something to be told of a finding.

    Args:
        step: names it inside a key: the same news twice has the same step.
        late: of the answer that is late.
        to: roles or people in place of the route's; None: the route's own.
        channels: in place of the route's.
        earlier: who was told of the finding before, as far as that matters to this news.
        number: of the reminder, from 1.
        level: of the escalation; 0 is who is told first.
        waited: minutes since the first message, in which nobody acted; None: nobody was reached.
    """

    finding: Finding
    why: Why
    step: str
    late: Pending | None = None
    to: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    earlier: tuple[Recipient, ...] = ()
    number: int = 0
    level: int = 0
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One message as it stands between two stages: what it says to whom, and whether it leaves.

    A stage never takes one away. The first reason stands: a later stage can make it wait longer, or not be sent at all, but
    what is not sent stays so.

    Args:
        person: id; ``role:…`` where nobody fills a role; :data:`NOBODY`.
        roles: by which the person was chosen.
        addresses: in the order in which they are tried.
        verdict: ``skip``: it is not sent, ``reason`` says why. ``hold``: it waits until ``until``.
        gather: those that wait under one name for one person leave as one message; None: by itself.
        detail: what ``reason`` needs to be checked.
        delay: real time before the first try.
    """

    news: News
    route: Route
    created_at: datetime
    template: str
    person: str = NOBODY
    roles: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    verdict: Literal["send", "hold", "skip"] = "send"
    reason: Reason | None = None
    until: datetime | None = None
    gather: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    ack_digest: str | None = None
    ack_expires_at: datetime | None = None
    delay: timedelta = timedelta(0)

    @property
    def finding(self) -> Finding:
        return self.news.finding

    @property
    def key(self) -> str:
        return key_of(self.news, self.person)

    @property
    def channel(self) -> str:
        return self.addresses[0][0] if self.addresses else "none"

    @property
    def phone(self) -> str:
        """The address for the first channel."""
        return self.addresses[0][1] if self.addresses else ""

    @property
    def skipped(self) -> bool:
        return self.verdict == "skip"

    @property
    def kept(self) -> bool:
        """Whether the decision is worth a row: that a closing sends nothing is true of every finding."""
        return self.reason is not Reason.NO_NEWS

    @property
    def is_card(self) -> bool:
        """Whether it goes to the handler or his superior: each of theirs leaves by itself."""
        return any(role in CARD_ROLES for role in self.roles)

    @property
    def is_correction(self) -> bool:
        return self.news.why is Why.REVOKED

    @property
    def leaves_at(self) -> datetime:
        """When it leaves at the earliest, on the system's clock."""
        return self.created_at if self.until is None else max(self.until, self.created_at)

    def waits_for(self, reason: Reason) -> bool:
        """Whether it waits for this reason, be it the first or a later one."""
        return self.verdict == "hold" and (self.reason is reason or reason.value in self.detail)

    def skip(self, reason: Reason, **detail: Any) -> Draft:
        """Not sent. What waits for another reason is not sent either."""
        if self.skipped:
            return self
        detail = {**self.detail, **detail}
        return replace(self, verdict="skip", reason=reason, until=None, gather=None, detail=detail)

    def hold(self, reason: Reason, until: datetime, gather: str | None = None, **detail: Any) -> Draft:
        """Waits until a moment of the system's clock; what waits already, for the reason it has, until the later of the two.

        Corrections are gathered apart from what they correct.
        """
        until = until.astimezone(UTC)
        if self.skipped or until <= self.leaves_at:
            return self
        gather = f"{gather}:corrections" if gather is not None and self.is_correction else gather
        if self.verdict == "hold":
            more = {**self.detail, reason.value: detail or True}
            return replace(self, until=until, gather=self.gather or gather, detail=more)
        detail = {**self.detail, **detail}
        return replace(self, verdict="hold", reason=reason, until=until, gather=gather, detail=detail)


def key_of(news: News, person: str) -> str:
    """The idempotency key: finding, person and step. A gateway sees the same one at every try."""
    return f"{news.finding.finding_id}:{person}:{news.step}"


__all__ = ["NOBODY", "Address", "Draft", "News", "Recipient", "key_of"]
