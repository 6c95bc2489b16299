"""Several workers on Kafka: they share the partitions, and whatever becomes of one, nothing is lost, stored or judged twice."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.workload import as_lines, events
from tests.kafka.cluster import KafkaCluster
from tests.streams.house import eventually
from tests.streams.team import SESSION_SECONDS, Team

pytestmark = [pytest.mark.kafka, pytest.mark.process, pytest.mark.postgres]


@pytest.fixture
def team(tmp_path: Path, kafka: KafkaCluster, database: str) -> Iterator[Team]:
    team = Team(tmp_path, kafka, database)
    yield team
    team.close()


@pytest.mark.timeout(240)
def test_whatever_becomes_of_one_nothing_is_lost_or_judged_twice(team: Team) -> None:
    lines = as_lines(events(11, 1200))
    patient = {"MINGJING_SESSION_TIMEOUT": "30"}  # where a restart takes its time
    team.make_topics()
    team.start("1", "3")
    team.start("2", **patient)
    # Two of them may have had all of it for a moment, before the third had joined.
    eventually(lambda: team.share("1", "2", "3") and all(len(team.reads(name)) == 4 for name in "123"), 60)
    judging = team.judge()
    pouring = team.pour(lines)

    # Started again within the session timeout it gets its place back, and the others notice nothing.
    before = [team.detail(name)["rebalances"] for name in "13"]
    assert team.end("2", signal.SIGTERM) == 0
    team.start("2", **patient)
    eventually(lambda: team.share("1", "2", "3"))
    assert [team.detail(name)["rebalances"] for name in "13"] == before

    # Killed in the middle of a batch: after the session timeout the others take its partitions.
    team.end("3", signal.SIGKILL)
    eventually(lambda: team.share("1", "2"))

    # One that stops breathing longer than that, and wakes up when its place is gone.
    team.send("1", signal.SIGSTOP)
    stopped = time.monotonic()
    eventually(lambda: team.share("2"))
    assert time.monotonic() - stopped > SESSION_SECONDS / 2
    team.send("1", signal.SIGCONT)
    team.start("3")  # and one joins
    eventually(lambda: team.share("1", "2", "3"), 60)
    assert team.workers["1"].poll() is None

    assert pouring.is_alive()  # all of this has happened under load
    team.hurry.set()
    pouring.join(60)
    identities = {(row["source"], row["event_id"]) for row in map(json.loads, lines)}
    eventually(lambda: team.stored() == len(identities), 60)
    eventually(lambda: all(team.detail(name).get("lag") == 0 for name in "123"), 60)
    judged = "select coalesce(sum(judged_events), 0) from case_state where failures = 0"
    eventually(lambda: int(team.query(judged)[0][0]) == len(identities), 60)
    assert judging.is_alive()
    assert team.differences() == []
    assert team.query("select count(*) from dead_letter") == [(0,)]


def test_a_worker_waits_for_brokers_and_names_what_is_missing(team: Team) -> None:
    team.kafka.kill(0)
    team.start("1", MINGJING_PARTITIONS="12")
    eventually(lambda: "no broker of Kafka answers" in team.said("1"))
    assert team.workers["1"].poll() is None
    team.kafka.start(0)
    # A worker that may not make its topics says which is missing and who makes it.
    team.start("2", MINGJING_DECLARE_TOPICS="false", MINGJING_TOPIC_PREFIX="other.")
    eventually(lambda: "Kafka has no topic 'other.case-events'" in team.said("2"))
    assert "`mingjing topics create`" in team.said("2")
    eventually(lambda: team.share("1"), 60)  # this one made its own
    # A second of the first one's name leaves it alone.
    team.start("twin", MINGJING_INSTANCE="1")
    assert team.workers["twin"].wait(30) != 0
    assert "another worker lives under the name '1'" in team.said("twin")
    assert team.detail("1")["rebalances"] == 1
