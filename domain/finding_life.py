"""The life of a finding as an act: who may do what, when, and what is still to be done. Pure.

::

    open → acknowledged → answered → (appealed → upheld | revoked) → rectified → closed

That is what people do. What the rules say of the cause (``Finding.state``: open, closed, revoked by late data) lives beside
it: a finding whose cause has ended may still need an answer, and one that late data proved wrong needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from domain.centre import Centre
from domain.errors import StepRefusedError
from domain.finding_clocks import FindingSettings, deadline
from domain.findings import FindingState, Severity
from domain.working_time import Calendar

LifeState = Literal[
    "open", "acknowledged", "answered", "appealed", "upheld", "revoked", "rectified", "closed"
]
LifeStep = Literal["acknowledge", "answer", "appeal", "uphold", "revoke", "rectify", "close"]
Role = Literal["handler", "superior", "leader", "inspector"]

#: The three responsible persons of every card (domain reference, section 5).
UNIT: frozenset[Role] = frozenset(("handler", "superior", "leader"))
INSPECTOR: frozenset[Role] = frozenset(("inspector",))


@dataclass(frozen=True, slots=True)
class StepRule:
    """One step: from which states, by whom, to which state."""

    leads_to: LifeState
    states: frozenset[LifeState]
    roles: frozenset[Role]
    needs_text: bool = True


STEPS: Mapping[LifeStep, StepRule] = {
    "acknowledge": StepRule("acknowledged", frozenset(("open",)), UNIT | INSPECTOR, needs_text=False),
    "answer": StepRule("answered", frozenset(("open", "acknowledged")), UNIT),
    "appeal": StepRule("appealed", frozenset(("open", "acknowledged", "answered")), UNIT),
    # Answer to an appeal on the Hunan platform: revoke or reject, with the reason kept [P3].
    "uphold": StepRule("upheld", frozenset(("appealed",)), INSPECTOR),
    # Also of an inspector's own motion, as long as it is not closed.
    "revoke": StepRule(
        "revoked",
        frozenset(("open", "acknowledged", "answered", "appealed", "upheld", "rectified")),
        INSPECTOR,
    ),
    "rectify": StepRule("rectified", frozenset(("answered", "upheld")), UNIT),
    # Without an answer or a rectification an inspector says in the text why none is needed.
    "close": StepRule("closed", frozenset(("acknowledged", "answered", "upheld", "rectified")), INSPECTOR),
}
_STEP_OF: Mapping[str, LifeStep] = {rule.leads_to: step for step, rule in STEPS.items()}
#: After these nothing more is done.
ENDS: frozenset[LifeState] = frozenset(("revoked", "closed"))
#: Characters of what a person writes.
MOST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Act:
    """One step as it is kept. ``person`` None: the rules did it, not a person."""

    number: int
    at: datetime
    step: str
    person: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Life:
    """Where a finding stands.

    ``number``: of the newest act, whoever did it; a click carries the number its page showed.
    ``since``: when the state was reached; None while open.
    """

    state: LifeState = "open"
    number: int = 0
    since: datetime | None = None
    appellants: frozenset[str] = frozenset()
    acts: tuple[Act, ...] = ()

    @property
    def appealed(self) -> bool:
        return bool(self.appellants)


def live(acts: Iterable[Act]) -> Life:
    """The life that acts make, in their order. What was not possible when it was written changes nothing."""
    state: LifeState = "open"
    since: datetime | None = None
    appellants: set[str] = set()
    kept = tuple(acts)
    for act in kept:
        step = _STEP_OF.get(act.step)
        if act.person is None or step is None or state not in STEPS[step].states:
            continue
        state, since = STEPS[step].leads_to, act.at
        if step == "appeal":
            appellants.add(act.person)
    return Life(state, kept[-1].number if kept else 0, since, frozenset(appellants), kept)


def roles_of(centre: Centre, window: str | None, person: str) -> frozenset[Role]:
    """What a person is to a finding at a window, as the centre file has it: the B-post has the powers of its A-post."""
    found: set[Role] = set()
    place = centre.window_by_id.get(window or "")
    if place is not None:
        posts = {each for post in place.ab_posts or () for each in (post.a, post.b)}
        if person == place.handler or person in place.staff or person in posts:
            found.add("handler")
        if person == place.superior:
            found.add("superior")
        if person == place.leader:
            found.add("leader")
    if person in centre.messages.inspectors:
        found.add("inspector")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to do, and the state of the world it is checked against.

    Args:
        saw: number of the newest act the person knew of; None: does not say.
        cause: what the rules say of the finding.
        manual: opened by an inspector; no rule will ever close it.
        appeal_until: after it no appeal is taken.
    """

    step: LifeStep
    person: str
    roles: frozenset[Role]
    now: datetime
    text: str = ""
    saw: int | None = None
    cause: FindingState = "open"
    manual: bool = False
    appeal_until: datetime | None = None


def take(life: Life, request: Request) -> LifeState:
    """The state that a step leads to.

    Raises:
        StepRefusedError: with a code and one sentence; ``stale`` says what happened meanwhile.
    """
    rule, step, person = STEPS[request.step], request.step, request.person
    if not request.roles & rule.roles:
        who = " or ".join(sorted(rule.roles))
        held = " and ".join(sorted(request.roles)) or "nobody concerned"
        raise StepRefusedError("role", f"'{step}' is for {who}; {person} is {held} here")
    if rule.roles == INSPECTOR and (request.roles & UNIT or person in life.appellants):
        raise StepRefusedError("own_cause", f"{person} is a party here, and nobody decides in his own cause")
    if request.saw is not None and request.saw != life.number:
        raise StepRefusedError("stale", f"meanwhile {_since(life, request.saw)}; look again, then decide")
    if request.cause == "revoked" and life.state != "revoked":
        raise StepRefusedError(
            "revoked", "late data has proved this finding wrong: nothing is left to be done"
        )
    if life.state not in rule.states:
        raise StepRefusedError("state", f"'{step}' is not possible: the finding is {life.state}")
    if step == "appeal" and life.appealed:
        raise StepRefusedError("state", "it was appealed before, and the appeal has been decided")
    if step == "appeal" and request.appeal_until is not None and request.now > request.appeal_until:
        raise StepRefusedError("late", f"the time to appeal ended at {request.appeal_until.isoformat()}")
    if step == "close" and request.cause == "open" and not request.manual:
        raise StepRefusedError(
            "cause", "its cause goes on: it can be closed when the case or the absence has ended"
        )
    if rule.needs_text and not request.text.strip():
        raise StepRefusedError("text", f"'{step}' needs a text")
    if len(request.text) > MOST_TEXT:
        raise StepRefusedError("text", f"the text is longer than {MOST_TEXT} characters")
    return rule.leads_to


def _since(life: Life, saw: int) -> str:
    news = [act for act in life.acts if act.number > saw]
    if not news:
        return "the finding is another than the one you saw"
    return ", ".join(
        f"{act.step} at {act.at.isoformat(timespec='seconds')} by {act.person or 'the rules'}" for act in news
    )


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that is awaited, from whom, and until when (None: no clock)."""

    step: LifeStep
    roles: frozenset[Role]
    due_at: datetime | None

    def is_late(self, now: datetime) -> bool:
        return self.due_at is not None and now > self.due_at


def pending(
    life: Life,
    issued_at: datetime,
    severity: Severity,
    cause: FindingState,
    settings: FindingSettings,
    calendar: Calendar,
) -> list[Pending]:
    """What is awaited now, soonest first in the order of a life."""
    if life.state in ENDS or cause == "revoked":
        return []
    since = life.since or issued_at

    def until(step: LifeStep, start: datetime, within: str) -> Pending:
        due = deadline(calendar, start, within) if severity in settings.answers_for else None
        return Pending(step, STEPS[step].roles, due)

    if life.state == "appealed":
        return [
            Pending("uphold", INSPECTOR, deadline(calendar, since, settings.decide_appeal_within)),
        ]
    if life.state == "rectified":
        return [Pending("close", INSPECTOR, None)]
    waits: list[Pending] = []
    if life.state == "open":
        waits.append(until("acknowledge", issued_at, settings.acknowledge_within))
    if life.state in ("open", "acknowledged"):
        waits.append(until("answer", issued_at, settings.answer_within))
    if life.state in ("answered", "upheld"):
        waits.append(until("rectify", since, settings.rectify_within))
    return waits


def appeal_until(issued_at: datetime, settings: FindingSettings, calendar: Calendar) -> datetime:
    """Until when a finding can be contested."""
    return deadline(calendar, issued_at, settings.appeal_within)


def remind_whom(step: LifeStep, settings: FindingSettings | None) -> Sequence[str]:
    """Roles that are reminded when a step is late; nobody without settings."""
    if settings is None:
        return ()
    whom = {
        "acknowledge": settings.remind.acknowledge,
        "answer": settings.remind.answer,
        "uphold": settings.remind.decide_appeal,
        "rectify": settings.remind.rectify,
    }
    return whom.get(step, ())


def to_remind(
    awaited: Iterable[Pending], reminded: Iterable[str], settings: FindingSettings | None
) -> list[Pending]:
    """The awaited steps of which somebody is to be reminded when they are late, the soonest first; of each once."""
    done = frozenset(reminded)
    waits = [
        each
        for each in awaited
        if each.due_at is not None and each.step not in done and remind_whom(each.step, settings)
    ]
    return sorted(waits, key=lambda each: (each.due_at, each.step))
