"""The events behind the roster: whose leave has not ended, who covers today; and that asking is cheap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.centre import Centre
from store.connection import Connection, connect
from store.ingest import write_events
from store.roster import LONGEST_LEAVE, roster_events
from tests.store.making import CENTRE, at, event

pytestmark = pytest.mark.postgres

CENTRE_FILE = Centre.model_validate({"centre": {"id": CENTRE}})
NOW = at(60)  # ten o'clock on 20 November


def days(number: float) -> float:
    return number * 24 * 60


def leave(
    name: str, staff: str, last: str, *, granted: float = days(-3), first: str = "2026-11-18", **more: Any
):
    data = {"from": first, "to": last}
    return event("leave.granted", granted, name, None, staff=staff, data=data, **more)


@pytest.fixture
def connection(database: str):
    with connect(database, autocommit=True) as made:
        yield made


def names(connection: Connection, now: datetime = NOW) -> list[str]:
    return [each.event_id for each in roster_events(connection, CENTRE_FILE, now)]


def test_it_loads_what_may_matter_now_and_nothing_else(connection: Connection) -> None:
    write_events(
        connection,
        [
            leave("today", "a", "2026-11-20"),
            leave("moment", "a", "2026-11-20T18:00:00+08:00"),
            leave("far", "b", "2026-11-20T20:00:00-11:00"),
            leave("ahead", "c", "2026-12-01", first="2026-11-25"),
            leave("over", "a", "2026-11-18", first="2026-11-17"),
            leave("later", "a", "2026-11-30", granted=90),
            leave("elsewhere", "a", "2026-11-30", centre="other"),
            leave("ancient", "a", "2026-11-30", granted=-LONGEST_LEAVE / timedelta(minutes=1) - days(1)),
            event("leave.ended", 10, "back", None, staff="a"),
            event("leave.ended", 10, "nobody's", None, staff="z"),
            event("leave.ended", days(-9), "back before", None, staff="a"),
            event("cover.started", 5, "cover", None, staff="b", window="A07"),
            event("cover.ended", 50, "cover over", None, staff="b", window="A07"),
            event("cover.started", days(-1), "yesterday's", None, staff="b", window="A07"),
            event("attendance.clock_in", 0, "clock", None, staff="a"),
        ],
        now=NOW,
        centre=CENTRE,
    )
    assert set(names(connection)) == {"today", "moment", "far", "ahead", "back", "cover", "cover over"}
    assert "cover over" not in names(connection, at(49))
    assert set(names(connection, at(days(2)))) == {"ahead", "later", "back"}
    found = {each.event_id: each for each in roster_events(connection, CENTRE_FILE, NOW)}
    assert found["today"].data["to"] == "2026-11-20"
    assert found["cover"].window == "A07"


def test_it_asks_by_the_index(connection: Connection) -> None:
    """Whatever else is there: queue tickets by the ten thousand are not read."""
    connection.execute(
        "insert into event (event_id, kind, occurred_at, source, received_at, centre, data, arrived_at)"
        " select 'q' || i, 'queue.ticket_issued', %(now)s, 'q', %(now)s, %(centre)s, '{}', %(now)s"
        " from generate_series(1, 20000) i",
        {"now": NOW - timedelta(hours=1), "centre": CENTRE},
    )
    connection.execute("analyze event")
    write_events(connection, [leave("today", "a", "2026-11-20")], now=NOW, centre=CENTRE)

    class Explaining:
        """Asks for the plan instead."""

        plan = ""

        def execute(self, statement: str, values: dict[str, Any]) -> list[Any]:
            rows = connection.execute(f"explain (analyze, timing off, summary off) {statement}", values)
            self.plan = "\n".join(row[0] for row in rows)
            return []

    explaining = Explaining()
    roster_events(explaining, CENTRE_FILE, NOW)  # type: ignore[arg-type]
    read = [line for line in explaining.plan.splitlines() if "Rows Removed by Filter" in line]
    assert all(int(line.split(":")[1]) < 100 for line in read), explaining.plan
    assert "kind_occurred_at" in explaining.plan
    assert names(connection) == ["today"]
