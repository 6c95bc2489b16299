"""Who is told of a finding, and why; who is not, and why not. Pure: no database, no clock.

People are resolved now, when the finding is written: a later change of the centre file does not move messages that
are already in the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from domain.centre import Centre, Person, Window
from domain.finding_life import INSPECTOR, Pending, remind_whom
from domain.findings import Finding

#: What happened to the finding. Only these three are news for a phone.
Change = Literal["opened", "reopened", "revoked", "closed"]


class Reason(StrEnum):
    """Why a message was not written."""

    STALE = "stale"  # opened too long ago: importing a history must not flood phones
    NOT_CONFIGURED = "not_configured"  # the centre file names no role for this severity
    NO_WINDOW = "no_window"  # the finding names no window, or one that the centre file does not know
    NO_PERSON = "no_person"  # the window has nobody in this role, or the person is not in the file
    NO_PHONE = "no_phone"
    SAME_PHONE = "same_phone"  # another recipient of this finding and step has the same number
    REVOKED = "revoked"  # withdrawn before it was sent
    REOPENED = "reopened"  # a correction withdrawn before it was sent: the finding stands after all
    OVER = "over"  # an early notice whose matter is already closed
    NOT_MESSAGED = "not_messaged"  # a revocation nobody needs to hear of
    ALREADY_TOLD = "already_told"  # opens again, but nobody was told that it was over
    NO_NEWS = "no_news"  # a closing sends nothing


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who was or will be told."""

    person: str
    phone: str


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to be written. Times are the system's clock; when to try and when to give up is the outbox's."""

    idempotency_key: str
    finding_id: str
    centre: str
    person: str
    phone: str
    channel: str
    template: str
    params: dict[str, Any]
    created_at: datetime
    ack_digest: str | None = None
    ack_expires_at: datetime | None = None
    hold: timedelta = timedelta(0)  # real time to wait before the first try


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message that is not written, with its named reason. ``person`` is an id, ``role:…`` or ``*`` for all."""

    idempotency_key: str
    finding_id: str
    centre: str
    person: str
    template: str
    reason: Reason
    created_at: datetime
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether the decision is worth a row: that a closing sends nothing is true of every finding."""
        return self.reason is not Reason.NO_NEWS


Plan = list[OutboxRow | Skipped]


def plan_messages(
    finding: Finding,
    change: str,
    centre: Centre,
    now: datetime,
    token_digest: Callable[[str], str],
    *,
    earlier: Sequence[Recipient] = (),
    channel: str = "http",
    ack_lifetime: timedelta = timedelta(hours=72),
    correction_hold: timedelta = timedelta(0),
) -> Plan:
    """Decides every message for one change of one finding.

    Args:
        change: what happened, see :data:`Change`; anything else is no news.
        now: the system's clock.
        token_digest: idempotency key → SHA-256 of the acknowledge token (:meth:`alerts.links.AckLinks.digest`).
        correction_hold: real time a correction waits before it is sent. A late observation may give the finding back at
            once; then nobody hears of either.
        earlier: for a revocation, who was told of the finding; when it opens again, also who still waits to be.

    Returns:
        Rows and skips, in the order of the roles in the centre file. At most one row a phone number.
    """
    made = _Maker(finding, _step(finding, change, now), centre, now)
    if change == "revoked":
        if not earlier:
            return [made.skip("*", Reason.NOT_MESSAGED)]
        return list(_once(made, [made.row(to, (), channel, hold=correction_hold) for to in earlier]))
    if change not in ("opened", "reopened"):
        return [made.skip("*", Reason.NO_NEWS)]
    roles = getattr(centre.messages, finding.severity)
    if not roles:
        return [made.skip("*", Reason.NOT_CONFIGURED)]
    if now - finding.opened_at > timedelta(hours=centre.messages.max_age_hours):
        return [made.skip("*", Reason.STALE)]
    if finding.state == "revoked":
        return [made.skip("*", Reason.REVOKED)]
    if finding.severity == "notice" and finding.state != "open":
        return [made.skip("*", Reason.OVER)]
    already = frozenset(to.person for to in earlier)
    return list(_once(made, list(_to_roles(made, roles, channel, token_digest, ack_lifetime, already))))


def plan_reminder(
    finding: Finding,
    late: Pending,
    centre: Centre,
    now: datetime,
    token_digest: Callable[[str], str],
    *,
    channel: str = "http",
    ack_lifetime: timedelta = timedelta(hours=72),
) -> Plan:
    """Who is told that a step is late: once for each step of a finding, by the roles of ``findings.remind``.

    Only where the finding was not even acknowledged the message has a link to do so.
    """
    made = _Maker(finding, f"late:{late.step}", centre, now, late)
    roles = remind_whom(late.step, centre.findings)
    if not roles:
        return [made.skip("*", Reason.NOT_CONFIGURED)]
    if late.due_at is not None and now - late.due_at > timedelta(hours=centre.messages.max_age_hours):
        return [made.skip("*", Reason.STALE)]
    token = token_digest if late.step == "acknowledge" else None
    return list(_once(made, list(_to_roles(made, roles, channel, token, ack_lifetime, frozenset()))))


def _to_roles(
    made: _Maker,
    roles: Sequence[str],
    channel: str,
    token_digest: Callable[[str], str] | None,
    lifetime: timedelta,
    already: frozenset[str],
) -> Iterator[OutboxRow | Skipped]:
    people = {person.id: person for person in made.centre.people}
    holders: dict[str, list[str]] = {}
    for role in roles:
        ids = role_holders(role, made.centre, made.window)
        if ids is None:
            yield made.skip(f"role:{role}", Reason.NO_WINDOW)
        elif not ids:
            yield made.skip(f"role:{role}", Reason.NO_PERSON)
        for holder in ids or ():
            holders.setdefault(holder, []).append(role)
    for person_id, held in holders.items():
        person = people.get(person_id)
        if person is None:
            yield made.skip(person_id, Reason.NO_PERSON)
        elif not person.phone:
            yield made.skip(person_id, Reason.NO_PHONE)
        else:
            to = Recipient(person.id, person.phone)
            if to.person in already:
                yield made.skip(person_id, Reason.ALREADY_TOLD)
                continue
            until = None if token_digest is None else made.now + lifetime
            yield made.row(to, held, channel, token_digest, until)


def role_holders(role: str, centre: Centre, window: Window | None) -> list[str] | None:
    """Ids of the people who hold a role (or the person of that id); None where it takes a window and there is none."""
    if role == "inspectors":
        return list(centre.messages.inspectors)
    if role in ("handler", "superior", "leader", "staff"):
        if window is None:
            return None
        if role == "staff":
            return list(window.staff)
        holder = getattr(window, role)
        return [holder] if holder else []
    return [role] if any(person.id == role for person in centre.people) else []


def _once(made: _Maker, plan: Plan) -> Iterator[OutboxRow | Skipped]:
    """The same plan with at most one row for each phone number."""
    seen: set[str] = set()
    for entry in plan:
        if isinstance(entry, OutboxRow):
            digits = "".join(letter for letter in entry.phone if letter.isdigit())[-11:]
            if digits in seen:
                yield made.skip(entry.person, Reason.SAME_PHONE)
                continue
            seen.add(digits)
        yield entry


def _step(finding: Finding, change: str, now: datetime) -> str:
    """Names the step inside a key. A finding opens once but may be revoked and reopened again and again."""
    if change == "opened":
        return change
    moment = finding.revoked_at if change == "revoked" and finding.revoked_at else now
    return f"{change}@{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def _shown(finding: Finding) -> dict[str, Any]:
    """What a message shows of ``explain``: the stage; of an absence or a silence its begin, minutes and source."""
    explain, family = finding.explain, finding.rule.split(".", 1)[0]
    if family == "stage" and explain.get("stage"):
        return {"stage": str(explain["stage"])}
    if family not in ("absence", "source") or not isinstance(explain.get("minutes"), int | float):
        return {}
    since = explain.get("since") or explain.get("last_seen")
    shown: dict[str, Any] = (
        {"since": str(since), "minutes": explain["minutes"], "due_at": None} if since else {}
    )
    if explain.get("seen_waiting") or (explain.get("waiting") or {}).get("count"):
        shown["waiting"] = True
    return shown | ({"source": str(explain.get("source"))} if family == "source" else {})


class _Maker:
    """Makes the entries of one plan; holds what they have in common."""

    def __init__(
        self, finding: Finding, step: str, centre: Centre, now: datetime, late: Pending | None = None
    ) -> None:
        self.finding, self.step, self.centre, self.now, self.late = finding, step, centre, now, late
        self.window = next((w for w in centre.windows if w.id == finding.window), None)
        kind = (
            "correction" if step.startswith("revoked") else finding.severity if late is None else "reminder"
        )
        self.template = f"finding.{kind}"

    def _key(self, person: str) -> str:
        return f"{self.finding.finding_id}:{person}:{self.step}"

    def skip(self, person: str, reason: Reason) -> Skipped:
        finding = self.finding
        params = {"rule": finding.rule, "severity": finding.severity, "step": self.step}
        return Skipped(
            self._key(person),
            finding.finding_id,
            finding.centre,
            person,
            self.template,
            reason,
            self.now,
            params,
        )

    def row(
        self,
        to: Recipient,
        roles: Sequence[str],
        channel: str,
        token_digest: Callable[[str], str] | None = None,
        ack_until: datetime | None = None,
        hold: timedelta = timedelta(0),
    ) -> OutboxRow:
        finding, key = self.finding, self._key(to.person)
        return OutboxRow(
            idempotency_key=key,
            finding_id=finding.finding_id,
            centre=finding.centre,
            person=to.person,
            phone=to.phone,
            channel=channel,
            template=self.template,
            params=self._params(roles, ack_until),
            created_at=self.now,
            ack_digest=token_digest(key) if token_digest else None,
            ack_expires_at=ack_until,
            hold=hold,
        )

    def _params(self, roles: Sequence[str], ack_until: datetime | None) -> dict[str, Any]:
        """Facts only, and only those a message shows: no ``explain``, which may hold more than a phone should."""
        finding, zone = self.finding, self.centre.zone
        moments = {"opened_at": finding.opened_at, "due_at": finding.due_at, "ack_until": ack_until}
        if self.late is not None:
            moments["answer_due"] = self.late.due_at
        facts = {
            "rule": finding.rule,
            "severity": finding.severity,
            "step": self.step,
            "window": finding.window,
            "window_name": self.window.name if self.window else None,
            "case": finding.case,
            "who": self._who_acts(),
            "roles": list(roles) or None,
            "centre_name": self.centre.centre.name,
            "provisional": finding.provisional or None,
            "late": self.late.step if self.late is not None else None,
            "written_at": self.now.astimezone(zone).isoformat(timespec="seconds"),
        }
        facts |= {name: at.astimezone(zone).isoformat() for name, at in moments.items() if at is not None}
        facts |= _shown(finding)
        return {name: value for name, value in facts.items() if value not in (None, "")}

    def _who_acts(self) -> str | None:
        """The handler, or who stands in for a handler the file does not name; an appeal is decided by inspectors."""
        names: dict[str, Person] = {person.id: person for person in self.centre.people}
        if self.late is not None and self.late.roles == INSPECTOR:
            return next((names[each].name for each in self.centre.messages.inspectors if each in names), None)
        if self.window is None:
            return None
        for holder in (self.window.handler, self.window.superior, self.window.leader):
            if holder and holder in names:
                return names[holder].name
        return None
