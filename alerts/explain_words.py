"""Words for why a message was sent, waits or was not, and for its life: the same on the command line and at the desk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from alerts.explain import RouteTried, Verdict
from alerts.explain_catalogue import WORDS
from alerts.reasons import Reason, Why
from alerts.roster_words import ROLES, grounds_words
from alerts.rounds.schedule import Planned
from domain.centre import Centre
from domain.messages import Route
from domain.rule_names import rule_name

#: Reasons for which a message waits.
_HOLDS = frozenset(
    (
        Reason.HOLD_FOR, Reason.GROUP, Reason.SILENCED, Reason.QUIET_HOURS, Reason.FLOOD, Reason.BUDGET, Reason.DAILY,
    )
)  # fmt: skip


class Speech:
    """One language, for one centre, at one moment.

    Args:
        language: ``zh-CN`` or ``en``.
        codes: whether reasons are followed by their code, to be looked up.
    """

    def __init__(self, language: str, centre: Centre, now: datetime, *, codes: bool = True) -> None:
        self.language, self.centre, self.now, self.codes = language, centre, now, codes
        self._words = WORDS[language]
        self._names = {person.id: person.name for person in centre.people}

    def __call__(self, key: str, /, **values: object) -> str:
        text = self._words[key]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        return key in self._words

    def name(self, person: str) -> str:
        """A person, or a role that nobody fills."""
        if person.startswith("role:"):
            return self("nobody", role=self.role(person.removeprefix("role:")))
        return self._names.get(person, person) if person != "*" else self("everybody")

    def role(self, role: str) -> str:
        return ROLES[self.language].get(role) or self._names.get(role, role)

    def roles(self, roles: object) -> str:
        return self("and").join(self.role(str(role)) for role in roles or ())  # type: ignore[attr-defined]

    def rule(self, rule: str) -> str:
        return rule_name(rule, "en" if self.language == "en" else "zh") if rule else ""

    def at(self, moment: datetime | None) -> str:
        """A moment, with its date where it is another day."""
        if moment is None:
            return ""
        local, today = moment.astimezone(self.centre.zone), self.now.astimezone(self.centre.zone)
        return f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"

    def why(self, why: str | None, level: int = 0) -> str:
        key = f"why_{why}"
        text = self(key) if why and self.has(key) else (why or "")
        return f"{text}{self('level', level=level)}" if why == "escalation" and level else text

    # ---- why, and why not

    def reason(self, reason: str | None, detail: Mapping[str, Any]) -> str:
        """A reason with what is kept of it, and what else keeps the message."""
        if reason is None:
            return ""
        # A later stage that makes it wait longer is kept beside the reason, under its own name.
        others = [key for key in detail if key in _HOLDS and key != reason]
        found = [self._reason(reason, detail)]
        found += [
            self._reason(key, detail[key] if isinstance(detail[key], Mapping) else {}) for key in others
        ]
        return self("semicolon").join(found)

    def _reason(self, reason: str, about: Mapping[str, Any]) -> str:
        outside = reason == "quiet_hours" and about.get("hours") == "working"
        key = "reason_outside" if outside else f"reason_{reason}"
        text = self(key) if self.has(key) else reason
        if reason == "inhibited" and about.get("inhibitor"):
            rule = str(about.get("rule") or "")
            text += self("inhibitor", id=about["inhibitor"], rule=rule if self.codes else self.rule(rule))
        if reason == "silenced" and about.get("silence") is not None:
            text += self("silence", id=about["silence"], author=self.name(str(about.get("author") or "")))
        if about.get("told"):
            text += self("told", person=self.name(str(about["told"])))
        for code in ("recent", "sent"):
            if code in about:
                text += self(code, n=about[code])
        if about.get("roster") and reason in ("on_leave", "covered", "off_duty"):
            text += self("because", words=grounds_words(about["roster"], self.language, self.name))
        return f"{text} [{reason}]" if self.codes else text

    def chosen(self, row: Mapping[str, Any]) -> str:
        """By which roles a person was told, and why it is this one."""
        text = self.roles(row["roles"])
        grounds = (row.get("detail") or {}).get("roster")
        if grounds and row["state"] != "skipped":
            words = grounds_words(grounds, self.language, self.name)
            text = f"{text}{self('because', words=words)}" if text else words
        return text

    def missing(self, row: Mapping[str, Any]) -> str:
        """Channels that do not reach the person."""
        missing = (row.get("detail") or {}).get("no_address") or {}
        return self("no_address", channels=self("and").join(missing)) if missing else ""

    # ---- the life of a message

    def state(self, row: Mapping[str, Any]) -> str:
        """What became of it, in a sentence."""
        state, reason = str(row["state"]), row.get("reason")
        detail = row.get("detail") or {}
        if state == "gathered" and row.get("digest"):
            return self.digest(row["digest"])
        if state == "held":
            return self("state_held", at=self.at(row.get("held_until")), why=self.reason(reason, detail))
        text = self(f"state_{state}") if self.has(f"state_{state}") else state
        if state in ("skipped", "dead", "unknown") and reason:
            text += self("colon") + self.reason(reason, detail)
        if row.get("fate_code") and state in ("undelivered", "unknown"):
            text += self("code", code=row["fate_code"])
        return text

    def state_name(self, state: str) -> str:
        """A state alone."""
        return (
            self(f"state_{state}")
            if self.has(f"state_{state}") and state not in ("held", "gathered")
            else state
        )

    def off_reason(self, reason: str) -> str:
        """Why a channel is off: its provider refuses everything, or what an operator said."""
        return self("off_refused") if reason == "refused" else reason

    def digest(self, digest: Mapping[str, Any]) -> str:
        """In which message it was told."""
        key = f"digest_{digest['template']}"
        name = self(key) if self.has(key) else str(digest["template"])
        state = (
            self(f"state_{digest['state']}") if self.has(f"state_{digest['state']}") else str(digest["state"])
        )
        at = digest.get("delivered_at") or digest.get("sent_at") or digest.get("created_at")
        return self(
            "state_gathered", name=name, state=state, at=self.at(at), channel=digest.get("channel") or ""
        )

    def day(self, digest: Mapping[str, Any]) -> str:
        """That somebody heard of it in the digest of the day."""
        at = digest.get("delivered_at") or digest.get("sent_at") or digest.get("created_at")
        state = (
            self(f"state_{digest['state']}") if self.has(f"state_{digest['state']}") else str(digest["state"])
        )
        name = self("named") if digest.get("named") else self("counted")
        return self("daily", person=self.name(digest["person"]), at=self.at(at), state=state, name=name)

    def life(self, row: Mapping[str, Any]) -> str:
        """The moments of a message, in their order."""
        parts = [self("life_created", at=self.at(row["created_at"]))]
        for key in ("sent_at", "delivered_at", "fate_at", "acknowledged_at"):
            moment = row.get(key)
            if moment is None or (key == "fate_at" and row.get("delivered_at") is not None):
                continue
            parts.append(self(f"life_{key}", at=self.at(moment)))
        if row.get("attempts", 0) > 1:
            parts.append(self("life_tries", n=row["attempts"]))
        if row.get("last_error") and row["state"] in ("ready", "leased", "dead", "unknown"):
            parts.append(str(row["last_error"]))
        parts += [self("life_reply", text=text) for text in row.get("replies") or ()]
        return self("then").join(parts)

    # ---- routes and what comes

    def tried(self, tried: RouteTried) -> str:
        """A route that was asked, and what did not hold."""
        name = self("by_severity") if tried.id is None else tried.id
        if tried.failed is None:
            return self("route_fits", name=name)
        key = self(f"key_{tried.failed}") if self.has(f"key_{tried.failed}") else tried.failed
        return self(
            "route_fails",
            name=name,
            key=key,
            wants=self("or").join(tried.wants),
            has=tried.has or self("none"),
        )

    def route(self, route: Route) -> str:
        """What a route does, in a line."""
        parts = [self("route_to", roles=self.roles(route.to) or self("nobody_at_all"))]
        if route.channels:
            parts.append(self("route_channels", channels=" → ".join(route.channels)))
        if route.hours == "working":
            parts.append(self("route_working"))
        if route.hold_for is not None:
            parts.append(self("route_hold_for", n=f"{route.hold_for:g}"))
        if route.remind_every is not None:
            parts.append(self("route_remind", n=f"{route.remind_every:g}", most=route.most_reminders))
        for step in route.escalate:
            parts.append(self("route_step", n=f"{step.after:g}", roles=self.roles(step.to)))
        if route.goes_on:
            parts.append(self(f"route_until_{route.until}"))
        return self("semicolon").join(parts)

    def holders(self, row: Mapping[str, Any]) -> str:
        """What the roster answered for a role."""
        if row.get("gap"):
            return self(f"gap_{row['gap']}", role=self.role(str(row["role"])))
        found = [
            f"{self.name(person)}{self('because', words=grounds_words(why, self.language, self.name))}"
            for person, why in (row.get("why") or {}).items()
        ]
        not_found = [
            self("not_he", person=self.name(person), words=grounds_words(why, self.language, self.name))
            for person, why in (row.get("why_not") or {}).items()
        ]
        return self(
            "role_is", role=self.role(str(row["role"])), people=self("semicolon").join([*found, *not_found])
        )

    def verdict(self, step: Verdict) -> str:
        """What a stage decided."""
        key = f"verdict_{step.verdict}"
        text = self(key, at=self.at(step.until)) if self.has(key) else step.verdict
        stage = self(f"stage_{step.stage}") if self.has(f"stage_{step.stage}") else step.stage
        return (
            f"{stage}{self('colon')}{self('decided', what=text, why=self.reason(step.reason, step.detail))}"
        )

    def sends(self, planned: Iterable[Planned]) -> Iterator[tuple[datetime, str, str]]:
        """What is to come, a line for all who are told the same at one moment: the moment, what, to whom."""
        for (at, what), group in groupby(planned, key=lambda each: (each.at, self.planned(each))):
            people = list(group)
            channels = self("or").join(dict.fromkeys(each.channel or "" for each in people))
            names = self("and").join(dict.fromkeys(self.name(each.person) for each in people))
            yield at, what, f"{names}{self('because', words=channels) if channels else ''}"

    def planned(self, planned: Planned) -> str:
        """Something that is to come, without its moment and person."""
        daily = planned.why is Why.DIGEST and planned.reason is None
        text = self("daily_digest") if daily else self.why(planned.why.value)
        if planned.number:
            text = self("numbered", what=text, n=planned.number, of=planned.of)
        if planned.reason is not None:
            key = f"reason_{planned.reason.value}"
            text += self("because", words=self(key) if self.has(key) else planned.reason.value)
        if planned.unless is not None:
            text += self(f"unless_{planned.unless}")
        return text


__all__ = ["Speech"]
