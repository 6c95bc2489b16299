"""A camera's wrong clock, live: from its word to the finding and back, though the rows are kept no longer."""

from __future__ import annotations

import pytest

from domain.observations import Observation
from store.connection import Connection
from store.observations import write_observations
from tests.streams.test_rule_loop_blind import CODE, ON, at, db, dsn, said, steps, tick, with_rules  # noqa: F401

pytestmark = pytest.mark.postgres


def word(db: Connection, when: str, offset: float | None, state: str = "present") -> None:  # noqa: F811
    observation = Observation(
        f"k@{when}", "camera.state", CODE, "K1", at(when), state, clock_offset=offset,
        reason=None if state == "present" else "no_frame",
    )  # fmt: skip
    write_observations(db, [observation], now=at(when))


def test_a_camera_whose_clock_is_wrong(dsn: str, db: Connection) -> None:  # noqa: F811
    tick(dsn, ON, "2026-03-03 09:00")
    word(db, "2026-03-03 09:20", 2.0)
    assert tick(dsn, ON, "2026-03-03 09:29") == []
    word(db, "2026-03-03 09:30", 95.0)
    assert tick(dsn, ON, "2026-03-03 09:32") == []
    assert steps(tick(dsn, ON, "2026-03-03 09:34"), "camera.clock") == ["opened"]
    # It goes on while the camera is away, while nobody knows, and in another process without the raw rows.
    word(db, "2026-03-03 09:40", 95.0, "unknown")
    word(db, "2026-03-03 09:42", None)
    assert steps(tick(dsn, ON, "2026-03-03 09:50"), "camera.clock") == []
    db.execute("delete from observation")
    assert steps(tick(dsn, with_rules(blind={}, complaints={}), "2026-03-09 10:00"), "camera.clock") == []
    word(db, "2026-03-09 10:30", -1.0)
    assert steps(tick(dsn, ON, "2026-03-09 10:31"), "camera.clock") == ["closed"]
    (found,) = said(db, "camera.clock")
    assert (found.opened_at, found.closed_at, found.window) == (
        at("2026-03-03 09:33"), at("2026-03-09 10:30"), "A01",
    )  # fmt: skip
    assert (found.explain["offset"], found.explain["limit"]) == (95.0, 30)


def test_what_a_centre_bears_is_its_own_setting(dsn: str, db: Connection) -> None:  # noqa: F811
    lenient = with_rules(blind={"camera_clock": 120})
    tick(dsn, lenient, "2026-03-03 09:00")
    word(db, "2026-03-03 09:30", 95.0)
    assert steps(tick(dsn, lenient, "2026-03-03 09:40"), "camera.clock") == []
    word(db, "2026-03-03 09:50", 121.0)
    assert steps(tick(dsn, lenient, "2026-03-03 10:00"), "camera.clock") == ["opened"]
