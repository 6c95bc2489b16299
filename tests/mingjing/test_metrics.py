"""What the processes count moves when something happens."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from domain.clock import Clock
from mingjing.health import Pulse
from mingjing.metrics import ProcessCollector, renderer
from mingjing.watching import database_collector
from streams.door import create_door
from streams.metrics import code_label
from tests.alerts.conftest import desk as desk
from tests.alerts.conftest import gateway as gateway
from tests.alerts.conftest import make_finding


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def families(collector) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in collector.collect()
    }


class Kept:
    """A publisher that keeps, or refuses."""

    def __init__(self) -> None:
        self.fails = False

    def publish(self, topic, messages):
        if self.fails:
            from domain.errors import LogError

            raise LogError("away")

    def close(self):
        pass


def test_the_door_counts_requests_and_lines():
    publisher = Kept()
    client = TestClient(create_door(publisher, {"a": "k" * 20}, None, Clock()))
    before = {name: value("mingjing_door_lines_total", outcome=name) for name in ("accepted", "refused")}
    statuses = {
        status: value("mingjing_door_requests_total", status=status) for status in ("400", "401", "503")
    }
    event = {"event_id": "1", "kind": "case.received", "occurred_at": "2026-06-01T10:00:00+08:00"}
    event |= {"source": "s", "case": "c", "centre": "1"}
    headers = {"x-api-key": "k" * 20}
    assert client.post("/events", json=[event, {}], headers=headers).status_code == 400
    assert client.post("/events", json=event).status_code == 401
    assert value("mingjing_door_lines_total", outcome="accepted") == before["accepted"] + 1
    assert value("mingjing_door_lines_total", outcome="refused") == before["refused"] + 1
    publisher.fails = True
    assert client.post("/events", json=event, headers=headers).status_code == 503
    assert value("mingjing_door_log_fails") == 1
    publisher.fails = False
    client.post("/events", json=event, headers=headers)
    assert value("mingjing_door_log_fails") == 0
    for status, old in statuses.items():
        assert value("mingjing_door_requests_total", status=status) == old + 1


@pytest.mark.postgres
def test_the_sender_counts_and_the_outbox_is_asked(desk, gateway):
    collector = database_collector(desk.dsn)
    desk.issue(make_finding())
    desk.connection.execute(
        "update outbox set give_up_at = give_up_at - interval '90 s', next_try_at = now() - interval '90 s'"
    )
    shown = families(collector)
    waiting = len(desk.rows("message_id"))
    assert waiting > 0
    assert shown["mingjing_outbox_waiting"] == {("http",): waiting}
    assert 80 < shown["mingjing_outbox_oldest_waiting_seconds"]["http",] < 120
    before = value("mingjing_sender_messages_total", channel="http", outcome="sent")
    desk.drain(desk.sender(gateway.hook()))
    assert value("mingjing_sender_messages_total", channel="http", outcome="sent") == before + waiting
    assert families(database_collector(desk.dsn))["mingjing_outbox_waiting"] == {}


@pytest.mark.postgres
def test_the_database_is_asked_once_for_several_scrapes_and_may_be_away(database, empty_database):
    collector = database_collector(database)
    first = families(collector)
    assert first["mingjing_database_up"][()] == 1
    assert first["mingjing_database_questions_failed"][()] == 0
    assert abs(first["mingjing_clock_skew_seconds"][()]) < 1
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into dead_letter (fingerprint, origin, code, reason, raw, first_at, last_at)"
            " values ('x', 'door', 'c', 'r', 'x', now(), now())"
        )
    assert families(collector)["mingjing_dead_letters_waiting"][()] == 0  # still the first answer
    assert families(database_collector(database))["mingjing_dead_letters_waiting"][()] == 1
    # A schema that is not there yet takes nothing else along.
    young = families(database_collector(empty_database))
    assert young["mingjing_database_up"][()] == 1
    assert young["mingjing_database_questions_failed"][()] == 2
    away = families(database_collector("postgresql://127.0.0.1:1/none?connect_timeout=2"))
    assert away["mingjing_database_up"][()] == 0


def test_what_every_process_says_of_its_machine(tmp_path: Path):
    log = tmp_path / "log.db"
    log.write_bytes(b"x" * 100)
    (tmp_path / "log.db-wal").write_bytes(b"x" * 11)
    collector = ProcessCollector(
        "rules", Pulse("loop"), tmp_path, log_file=log, bases=lambda: ["CN"], synchronised=lambda: False
    )
    shown = families(collector)
    assert shown["mingjing_local_log_size_bytes"][()] == 111
    assert shown["mingjing_clock_synchronised"][()] == 0
    assert 0 < shown["mingjing_disk_free_bytes"][()] <= shown["mingjing_disk_size_bytes"][()]
    assert set(shown["mingjing_calendar_published"]) == {("this",), ("next",)}
    assert shown["mingjing_loop_age_seconds"]["loop",] < 5


def test_a_process_shows_its_own_and_not_what_others_count():
    body = renderer("door")("")[0].decode()
    assert "mingjing_door_publish_seconds_count" in body
    assert "mingjing_worker_" not in body
    assert "mingjing_rules_" not in body
    assert "process_cpu_seconds_total" in body
    assert "_created" not in body


def test_a_reason_from_elsewhere_makes_no_new_series():
    assert code_label("conflict") == "conflict"
    assert code_label("A case of 张三") == "other"
    assert {code_label(f"made_up_{number}") for number in range(200)} > {"other"}
    assert len({code_label(f"made_up_{number}") for number in range(200)}) <= 61
