"""``stage.overdue``: one step (环节) of a case took longer than its own limit, and events of a stage that cannot be right.

Readings: a stage that is started again while it runs goes on from its first start; a finish ends it, and a later
start is a new run. A finish before the stage's first start is ineffective if such a start exists; a finish without any
start is what systems send that know only ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from detectors.course import Course
from detectors.limits import Clock, Due
from detectors.own_limit import explain_own_due, find_own_due
from detectors.suspension import Suspension
from detectors.verdict import Claim, overdue
from domain.cases import Case, Step
from domain.centre import Centre, Limit
from domain.events import Event

RULE = "stage.overdue"
ARTICLE = "行政许可法 art. 42; 电子监察 (stage limits)"
FINISHED_FIRST = "finished_before_start"


@dataclass(frozen=True, slots=True)
class StageRun:
    """One run of one stage; ``ended_by``: its finish, or the stop of the case."""

    name: str
    limit: Limit
    started: Step
    ended_by: Step | None


def find_ineffective(case: Case) -> tuple[tuple[Event, str, str], ...]:
    """Finishes that lie before the first start of their stage, though the stage does start later."""
    first_start: dict[str, int] = {}
    for step in case.steps:
        if step.kind == "case.stage_started":
            first_start.setdefault(step.event.data["stage"], step.index)
    return tuple(
        (step.event, FINISHED_FIRST, f"stage '{step.event.data['stage'][:80]}' finishes before it starts")
        for step in case.steps
        if step.kind == "case.stage_finished" and step.index < first_start.get(step.event.data["stage"], -1)
    )


def find_stage_runs(case: Case, centre: Centre) -> list[StageRun]:
    """Runs of the stages that have a limit, from their start to their finish."""
    runs: list[StageRun] = []
    running: dict[str, Step] = {}
    limits: dict[str, Limit] = {}
    for step in case.running:
        if step.kind not in ("case.stage_started", "case.stage_finished"):
            continue
        name = step.event.data["stage"]
        if step.kind == "case.stage_finished":
            if name in running:
                runs.append(StageRun(name, limits[name], running.pop(name), step))
        elif name not in running:
            item = centre.item_by_code.get(case.item_at(step) or "")
            if item is not None and name in item.stages:
                running[name], limits[name] = step, item.stages[name]
    return runs + [StageRun(name, limits[name], step, case.stop) for name, step in running.items()]


def judge_stages(
    case: Case, course: Course | None, suspensions: tuple[Suspension, ...], centre: Centre
) -> list[Claim]:
    """The same clock as the case's, from each stage's own start."""
    claims: list[Claim] = []
    calendar = centre.working_time
    for run in find_stage_runs(case, centre):
        due = find_own_due(Clock(run.started.at, run.limit), run.started, case, course, suspensions, calendar)
        if due is None:
            continue
        claims += overdue(
            RULE,
            "yellow",
            due.moment,
            run.ended_by.at if run.ended_by is not None else None,
            provisional=due.provisional,
            explain=partial(_explain, run, due, case, suspensions, centre),
            instance=run.started.instance,
        )
    return claims


def _explain(
    run: StageRun, due: Due, case: Case, suspensions: tuple[Suspension, ...], centre: Centre
) -> dict[str, Any]:
    row = explain_own_due(due, run.started, case, suspensions, centre.working_time)
    row["stage"] = run.name[:80]
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row
