"""The life of a finding: every state, step and role; clocks; what a stale click is told."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.centre import Centre
from domain.errors import StepRefusedError
from domain.finding_clocks import FindingSettings, deadline, parse_span
from domain.finding_life import (
    STEPS,
    Act,
    Life,
    LifeStep,
    Request,
    appeal_until,
    live,
    pending,
    roles_of,
    take,
)

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # Friday 17:30 in Shanghai, half an hour after closing

CENTRE = Centre.model_validate(
    {
        "centre": {"id": "530502"},
        "people": [{"id": f"p{n}", "name": f"人{n}"} for n in range(1, 6)],
        "windows": [{"id": "A07", "handler": "p1", "superior": "p2", "leader": "p3", "staff": ["p5"]}],
        "messages": {"inspectors": ["p4", "p3"]},
    }
)

#: (state, step) → who may, and where it leads. What is not here is refused to everybody.
UNIT, BOTH, INSPECTOR = "handler superior leader", "handler superior leader inspector", "inspector"
TABLE = {
    ("open", "acknowledge"): (BOTH, "acknowledged"),
    ("open", "answer"): (UNIT, "answered"),
    ("acknowledged", "answer"): (UNIT, "answered"),
    ("open", "appeal"): (UNIT, "appealed"),
    ("acknowledged", "appeal"): (UNIT, "appealed"),
    ("answered", "appeal"): (UNIT, "appealed"),
    ("appealed", "uphold"): (INSPECTOR, "upheld"),
    ("appealed", "revoke"): (INSPECTOR, "revoked"),
    ("open", "revoke"): (INSPECTOR, "revoked"),
    ("acknowledged", "revoke"): (INSPECTOR, "revoked"),
    ("answered", "revoke"): (INSPECTOR, "revoked"),
    ("upheld", "revoke"): (INSPECTOR, "revoked"),
    ("rectified", "revoke"): (INSPECTOR, "revoked"),
    ("answered", "rectify"): (UNIT, "rectified"),
    ("upheld", "rectify"): (UNIT, "rectified"),
    ("acknowledged", "close"): (INSPECTOR, "closed"),
    ("answered", "close"): (INSPECTOR, "closed"),
    ("upheld", "close"): (INSPECTOR, "closed"),
    ("rectified", "close"): (INSPECTOR, "closed"),
}
STATES = ("open", "acknowledged", "answered", "appealed", "upheld", "revoked", "rectified", "closed")


def ask(step: str, role: str = "inspector", **changes: object) -> Request:
    given = {"person": "p9", "roles": frozenset((role,)), "now": NOW, "text": "说明", "cause": "closed"}
    return Request(step, **(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "step", "role"),
    list(itertools.product(STATES, STEPS, ("handler", "superior", "leader", "inspector"))),
)
def test_every_state_step_and_role(state: str, step: LifeStep, role: str) -> None:
    roles, leads_to = TABLE.get((state, step), ("", None))
    life = Life(state)  # type: ignore[arg-type]
    if role in roles.split():
        assert take(life, ask(step, role)) == leads_to
    else:
        with pytest.raises(StepRefusedError) as refused:
            take(life, ask(step, role))
        assert refused.value.code == ("role" if role not in STEPS[step].roles else "state")


def acts(*steps: tuple[str, str | None]) -> list[Act]:
    return [Act(n, NOW + timedelta(minutes=n), step, who) for n, (step, who) in enumerate(steps, 1)]


def test_a_whole_life() -> None:
    life = live(
        acts(
            ("opened", None), ("acknowledged", "p1"), ("acknowledged", "p2"), ("answered", "p1"), ("appealed", "p2"),
            ("closed", None), ("upheld", "p4"), ("rectified", "p1"), ("closed", "p4"),
        )
    )  # fmt: skip
    assert (life.state, life.number, life.appellants) == ("closed", 9, {"p2"})


def test_what_the_rules_do_is_no_step_of_the_life() -> None:
    assert (
        live(acts(("opened", None), ("revoked", None), ("reopened", None), ("closed", None))).state == "open"
    )


@given(
    st.lists(st.tuples(st.sampled_from([r.leads_to for r in STEPS.values()]), st.sampled_from(["p1", None])))
)
def test_a_life_only_takes_steps_that_were_possible(steps: list[tuple[str, str | None]]) -> None:
    state = "open"
    for each, person in steps:
        for step, rule in STEPS.items():
            if person and rule.leads_to == each and state in rule.states:
                state = rule.leads_to
                assert step in STEPS
                break
    assert live(acts(*steps)).state == state


def test_nobody_decides_in_his_own_cause() -> None:
    appealed = live(acts(("opened", None), ("appealed", "p3")))
    for person, roles in (("p3", ["inspector"]), ("p9", ["inspector", "leader"])):
        with pytest.raises(StepRefusedError) as refused:
            take(appealed, ask("uphold", person=person, roles=frozenset(roles)))
        assert refused.value.code == "own_cause"
    assert take(appealed, ask("uphold", person="p4")) == "upheld"


def test_a_stale_click_is_told_what_happened_meanwhile() -> None:
    life = live(acts(("opened", None), ("answered", "p1"), ("appealed", "p2")))
    with pytest.raises(StepRefusedError) as refused:
        take(life, ask("close", saw=2))
    assert refused.value.code == "stale"
    assert (
        refused.value.reason
        == "meanwhile appealed at 2026-11-20T09:33:00+00:00 by p2; look again, then decide"
    )
    assert take(life, ask("uphold", saw=3)) == "upheld"


@pytest.mark.parametrize(
    ("step", "state", "changes", "code"),
    [
        ("close", "answered", {"cause": "open"}, "cause"),
        ("answer", "open", {"text": "  ", "roles": frozenset(("handler",))}, "text"),
        ("answer", "open", {"text": "x" * 4001, "roles": frozenset(("handler",))}, "text"),
        ("answer", "open", {"cause": "revoked", "roles": frozenset(("handler",))}, "revoked"),
        (
            "appeal",
            "open",
            {"appeal_until": NOW - timedelta(seconds=1), "roles": frozenset(("handler",))},
            "late",
        ),
        ("revoke", "open", {"roles": frozenset()}, "role"),
    ],
)
def test_what_is_refused(step: str, state: str, changes: dict, code: str) -> None:
    with pytest.raises(StepRefusedError) as refused:
        take(Life(state), ask(step, **changes))  # type: ignore[arg-type]
    assert refused.value.code == code


def test_an_appeal_is_decided_once_and_in_time() -> None:
    handler = {"roles": frozenset(("handler",)), "person": "p1"}
    assert take(Life("open"), ask("appeal", **handler, appeal_until=NOW)) == "appealed"
    again = Life("answered", appellants=frozenset(("p1",)))
    with pytest.raises(StepRefusedError, match="appealed before"):
        take(again, ask("appeal", **handler))


def test_a_manual_finding_is_closed_by_a_person_alone() -> None:
    assert take(Life("answered"), ask("close", cause="open", manual=True)) == "closed"


def test_roles_come_from_the_window_and_the_list_of_inspectors() -> None:
    assert roles_of(CENTRE, "A07", "p1") == {"handler"}
    assert roles_of(CENTRE, "A07", "p5") == {"handler"}
    assert roles_of(CENTRE, "A07", "p3") == {"leader", "inspector"}
    assert roles_of(CENTRE, None, "p4") == {"inspector"}
    assert roles_of(CENTRE, "A07", "p9") == frozenset()


def local(moment: datetime) -> str:
    return f"{moment.astimezone(CENTRE.zone):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("within", "until"),
    [
        ("1 hour", "11-20 18:30"),
        ("24 hours", "11-21 17:30"),
        ("1 working hour", "11-23 10:00"),  # Monday
        ("0.5 working hours", "11-23 09:30"),
        ("1 working day", "11-23 17:00"),
        ("5 working days", "11-27 17:00"),
    ],
)
def test_clocks(within: str, until: str) -> None:
    assert local(deadline(CENTRE.working_time, NOW, within)) == until


@pytest.mark.parametrize("text", ["", "1", "one hour", "0 hours", "1.5 working days", "-1 hours", "1 week"])
def test_a_clock_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_span(text)
    with pytest.raises(ValidationError):
        FindingSettings(answer_within=text)


def awaited(
    *steps: tuple[str, str | None], severity: str = "red", cause: str = "open"
) -> list[tuple[str, str]]:
    life = live(acts(("opened", None), *steps))
    found = pending(life, NOW, severity, cause, FindingSettings(), CENTRE.working_time)  # type: ignore[arg-type]
    return [(each.step, local(each.due_at) if each.due_at else "") for each in found]


def test_what_is_awaited_and_until_when() -> None:
    assert awaited() == [("acknowledge", "11-23 10:00"), ("answer", "11-21 17:30")]
    assert awaited(("acknowledged", "p1")) == [("answer", "11-21 17:30")]
    assert awaited(("answered", "p1")) == [("rectify", "12-11 17:00")]
    assert awaited(("appealed", "p1")) == [("uphold", "11-27 17:00")]
    assert awaited(("answered", "p1"), ("rectified", "p1")) == [("close", "")]
    assert awaited(severity="notice") == [("acknowledge", ""), ("answer", "")]
    assert awaited(cause="revoked") == []
    assert awaited(("revoked", "p4")) == []
    assert local(appeal_until(NOW, FindingSettings(), CENTRE.working_time)) == "11-27 17:00"


def test_the_clocks_stand_in_the_centre_file_and_change_nothing_where_they_do_not() -> None:
    whole = CENTRE.model_dump(mode="json")
    assert "findings" not in whole
    mine = Centre.model_validate(whole | {"findings": {"answer_within": "8 working hours"}})
    assert mine.findings is not None
    assert mine.findings.acknowledge_within == "1 working hour"
