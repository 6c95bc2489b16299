"""The rounds as a process of their own, for tests that kill it: at one moment of the system's clock, again and again."""

from __future__ import annotations

import os
import time
from datetime import datetime

from alerts.rounds.turn import Rounds
from store.connection import connect
from tests.alerts.conftest import make_centre
from tests.alerts.rounds.test_turn import planner_of


def main() -> None:
    centre = make_centre(**SETTINGS)
    rounds, now = Rounds(centre, planner_of(centre)), datetime.fromisoformat(os.environ["TEST_NOW"])
    with connect(os.environ["TEST_DSN"], autocommit=True) as connection:
        while True:
            rounds(connection, now)
            time.sleep(0.01)


#: As in the test.
SETTINGS = {
    "routes": [{"id": "r", "to": ["handler"], "remind_every": 30, "most_reminders": 2}],
    "group": None,
    "flood": None,
    "digest": {"at": "18:00"},
}

if __name__ == "__main__":
    main()
