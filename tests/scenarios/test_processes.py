"""Scenarios against the real program: database, worker, rules, sender, door and wall as processes, killed with SIGKILL."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.scenarios import test_compact as compact
from tests.scenarios.process_run import play_all
from tests.scenarios.timeline import Verdict

SCENARIOS = [
    compact.test_an_ordinary_overdue_card.told,
    compact.test_an_acknowledgement_stops_the_reminders.told,
    compact.test_the_next_channel.told,
    compact.test_killed_around_the_deadline.told,
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Verdict]:
    return play_all(tmp_path_factory.mktemp("scenarios"), SCENARIOS)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("name", [told.name for told in SCENARIOS])
def test_the_real_processes_do_as_the_scenario_says(played: Mapping[str, Verdict], name: str) -> None:
    verdict = played[name]
    if verdict.problems:
        pytest.fail("\n".join((*verdict.problems, "", verdict.table())), pytrace=False)
