"""Messages as they are planned go to whoever holds a role at that moment, and say why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.events import Event
from domain.finding_clocks import FindingSettings
from domain.finding_life import Pending
from store.ingest import write_events
from tests.alerts.conftest import NOW, Desk, make_finding, save_finding

pytestmark = pytest.mark.postgres


def happens(desk: Desk, kind: str, hours_ago: float, name: str, **more: Any) -> None:
    at = NOW - timedelta(hours=hours_ago)
    data = {key.rstrip("_"): value for key, value in more.pop("data", {}).items()}
    write_events(
        desk.connection, [Event(name, kind, at, "oa", None, at, data=data, **more)], centre="530502", now=NOW
    )


def test_substitute_cover_and_superior_are_told_and_the_row_says_why(desk: Desk) -> None:
    week = {"from_": "2026-11-20", "to": "2026-11-24"}
    happens(desk, "leave.granted", 30, "L1", staff="p1", data=week | {"substitute": "p4"})
    happens(desk, "leave.granted", 30, "L2", staff="p2", data=week)
    desk.issue(make_finding(1))
    assert desk.rows("person, state, reason", "finding_id = 'f1'") == [
        ("p4", "ready", None), ("p3", "ready", None), ("p1", "skipped", "on_leave"), ("p2", "skipped", "on_leave"),
    ]  # fmt: skip
    (why,) = desk.rows("detail", "person = 'p4'")
    assert [step["code"] for step in why["roster"]] == ["role", "substitute"]
    assert (why["roster"][1]["for"], why["roster"][1]["event"]) == ("p1", "L1")
    # Who acts, in the words of the message, is who stands in.
    assert desk.rows("params ->> 'who'", "person = 'p4'") == ["赵六"]

    happens(desk, "cover.started", 0.5, "C1", staff="p3", window="A07")
    desk.issue(make_finding(2))
    told = desk.rows(
        "person, detail -> 'roster' -> -1 ->> 'code'", "finding_id = 'f2' and state <> 'skipped'"
    )
    assert told == [("p3", "cover")], (
        "the leader took over the window: handler and superior's stand-in at once"
    )
    happens(desk, "cover.ended", 0.1, "C2", staff="p3", window="A07")

    # Reminders of late answers go the same way: superior and leader are one while the superior is on leave.
    centre = desk.centre.model_copy(update={"findings": FindingSettings()})
    planner = replace(desk.planner, centre=centre)
    planner.remind(desk.connection, make_finding(1), Pending("answer", frozenset(), NOW), NOW)
    assert desk.rows("person, state, reason", "why = 'late'") == [
        ("p3", "ready", None),
        ("p2", "skipped", "on_leave"),
    ]


def test_a_storm_asks_the_database_once(desk: Desk) -> None:
    """Who is away is loaded once for a batch, however many findings it has."""
    asked: list[str] = []

    class Counting:
        def execute(self, statement: str, *values: Any) -> Any:
            asked.append(str(statement))
            return desk.connection.execute(statement, *values)

        def __getattr__(self, name: str) -> Any:
            return getattr(desk.connection, name)

    findings = [make_finding(number) for number in range(20)]
    for finding in findings:
        save_finding(desk.connection, finding)
    desk.planner(Counting(), [(finding, "opened") for finding in findings], NOW)  # type: ignore[arg-type]
    assert len([statement for statement in asked if "leave.granted" in statement]) == 1
