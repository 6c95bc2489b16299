"""Match: which route some news takes, whom it tells, by which channels; and who is not told, and why. Pure.

People are resolved now, when the finding changes: a later change of the centre file or of the roster does not move messages
that are already in the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.matcher import route_of
from alerts.pipeline.draft import NOBODY, Address, Draft, News, Recipient, key_of
from alerts.pipeline.params import params_of, template_of
from alerts.reasons import Reason, Why
from alerts.roster import Grounds, Roster
from domain.centre import Centre, Person

#: (person, names of channels in order) → (channel, address), those for which the person has one.
AddressesOf = Callable[[Person, Sequence[str]], Sequence[Address]]
#: Grounds of the roster for not telling somebody that are worth a row of their own.
_AWAY = {"on_leave": Reason.ON_LEAVE, "covered": Reason.COVERED, "off_duty": Reason.OFF_DUTY}
#: … and for telling somebody, that are worth keeping with the message.
_PLAIN = frozenset(("role", "listed", "person"))


def draft_of(news: News, centre: Centre, now: datetime) -> Draft:
    """News before anybody is chosen."""
    return Draft(news, route_of(news.finding, centre), now, template_of(news))


@dataclass(frozen=True, slots=True)
class Match:
    """Turns news into a draft for each person of the route, by the roster of the moment.

    Args:
        channels: for those of whom neither the news nor the route nor the centre says by which.
        digest: idempotency key → SHA-256 of the acknowledge token (:meth:`alerts.links.AckLinks.digest`).
        correction_hold: real time a correction waits before it is sent. A late observation may give the finding back at
            once; then nobody hears of either.
    """

    centre: Centre
    roster: Roster
    addresses_of: AddressesOf
    channels: tuple[str, ...]
    digest: Callable[[str], str] = field(repr=False)
    correction_hold: timedelta = timedelta(0)

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        return [found for draft in drafts for found in self._expanded(draft, now)]

    def _expanded(self, draft: Draft, now: datetime) -> Iterator[Draft]:
        if draft.person != NOBODY or draft.skipped:
            yield draft
            return
        news = draft.news
        if news.why is Why.REVOKED:
            yield from self._corrections(draft, now)
            return
        roles = draft.route.to if news.to is None else news.to
        reason = self._why_nobody(news, roles, now)
        if reason is not None:
            yield self._unsent(draft, NOBODY, reason)
            return
        yield from self._to_roles(draft, roles, now)

    def _why_nobody(self, news: News, roles: Sequence[str], now: datetime) -> Reason | None:
        finding, longest = news.finding, timedelta(hours=self.centre.messages.max_age_hours)
        if not roles:
            return Reason.NOT_CONFIGURED
        if news.late is not None:
            due = news.late.due_at
            return Reason.STALE if due is not None and now - due > longest else None
        if news.why in (Why.OPENED, Why.REOPENED) and now - finding.opened_at > longest:
            return Reason.STALE
        if finding.state == "revoked":
            return Reason.REVOKED
        if finding.severity == "notice" and finding.state != "open":
            return Reason.OVER
        return None

    def _corrections(self, draft: Draft, now: datetime) -> Iterator[Draft]:
        if not draft.news.earlier:
            yield self._unsent(draft, NOBODY, Reason.NOT_MESSAGED)
        for to in draft.news.earlier:
            params = params_of(draft.news, draft.route, self.centre, self.roster, now)
            yield replace(
                draft,
                person=to.person,
                roles=to.roles,
                addresses=self._again_to(to, draft),
                params=params,
                delay=self.correction_hold,
            )

    def _again_to(self, to: Recipient, draft: Draft) -> tuple[Address, ...]:
        """The way that reached somebody before, and then the others."""
        order = self._order(draft)
        first = (to.channel or order[0], to.phone)
        person = self.centre.person_by_id.get(to.person)
        others = () if person is None else self.addresses_of(person, order)
        return (first, *(each for each in others if each[0] != first[0]))

    def _to_roles(self, draft: Draft, roles: Sequence[str], now: datetime) -> Iterator[Draft]:
        held: dict[str, list[str]] = {}
        grounds: dict[str, Grounds] = {}
        away: dict[str, tuple[Reason, Grounds]] = {}
        for role in roles:
            holders = self.roster.holders(role, draft.finding.window, now)
            if holders.gap is not None:
                reason = Reason.NO_WINDOW if holders.gap == "no_window" else Reason.NO_PERSON
                yield self._unsent(draft, f"role:{role}", reason)
            for person in holders.people:
                if person == role and person in held:
                    continue  # named besides the role he has
                held.setdefault(person, []).append(role)
                grounds.setdefault(person, holders.why.get(person, ()))
            for person, why in holders.why_not.items():
                code = _AWAY.get(why[-1].code) if why else None
                if code is not None:
                    away.setdefault(person, (code, why))
        if held:
            params = params_of(draft.news, draft.route, self.centre, self.roster, now)
            draft = replace(draft, params=params)
        for person, by in held.items():
            yield self._to(draft, person, tuple(by), grounds[person])
        for person, (reason, why) in away.items():
            if person not in held:
                yield self._unsent(draft, person, reason, roster=[each.to_json() for each in why])

    def _to(self, draft: Draft, person_id: str, roles: tuple[str, ...], why: Grounds) -> Draft:
        person = self.centre.person_by_id.get(person_id)
        if person is None:
            return self._unsent(draft, person_id, Reason.NO_PERSON)
        order = self._order(draft)
        addresses = tuple(self.addresses_of(person, order))
        reached = {channel for channel, _ in addresses}
        missing = [channel for channel in order if channel not in reached]
        if not addresses:
            return self._unsent(draft, person_id, Reason.NO_PHONE, no_address=missing)
        plain = all(each.code in _PLAIN for each in why)
        detail: dict[str, Any] = {} if plain else {"roster": [each.to_json() for each in why]}
        if missing:
            detail["no_address"] = missing
        late = draft.news.late
        # Where a finding was acknowledged, and now the answer is late, there is nothing to acknowledge.
        link = late is None or late.step == "acknowledge"
        return replace(
            draft,
            person=person_id,
            roles=roles,
            addresses=addresses,
            params={**draft.params, "roles": list(roles)},
            detail=detail,
            ack_digest=self.digest(key_of(draft.news, person_id)) if link else None,
        )

    def _unsent(self, draft: Draft, person: str, reason: Reason, **detail: Any) -> Draft:
        return replace(draft, person=person).skip(reason, **detail)

    def _order(self, draft: Draft) -> Sequence[str]:
        return draft.news.channels or draft.route.channels or self.centre.messages.channels or self.channels


def short_params(draft: Draft) -> Mapping[str, Any]:
    """What is kept with a message that is not sent."""
    finding = draft.finding
    return {"rule": finding.rule, "severity": finding.severity, "step": draft.news.step}


__all__ = ["AddressesOf", "Match", "draft_of", "route_of", "short_params"]
