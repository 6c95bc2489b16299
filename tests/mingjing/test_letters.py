"""`mingjing dead-letters`: what was refused is found, read and sent again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from mingjing import letters
from store import connect
from store.dead_letters import Refusal, write_dead_letters
from streams.local_transport import EventLog, parse_address

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
GOOD = b'{"event_id": "e1", "kind": "case.received", "occurred_at": "2026-03-02T09:30:00+08:00", "source": "s", "case": "c1"}'


@pytest.fixture
def called(database, tmp_path, monkeypatch):
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    monkeypatch.setenv("MINGJING_DATABASE", database)
    monkeypatch.setenv("MINGJING_BROKER", f"local://{tmp_path}/log.db")
    refusals = [
        Refusal(
            "door", GOOD, "unknown_window", "'Z9' is no window of this centre", field="window", place="3"
        ),
        Refusal("topic", b"{broken", "bad_json", "not JSON"),
    ]
    with connect(database) as connection:
        write_dead_letters(connection, refusals, now=NOW)
    return lambda *words: CliRunner().invoke(letters.app, list(words))


def numbers(called) -> list[int]:
    return sorted(
        int(line.split()[0]) for line in called("list").stdout.splitlines() if line.split()[0].isdigit()
    )


def test_list_names_number_reason_and_place(called):
    shown = called("list").stdout
    assert "unknown_window" in shown
    assert "window: 'Z9' is no window of this centre" in shown
    assert "door 3" in shown
    assert len(numbers(called)) == 2


def test_list_can_be_narrowed_to_one_code(called):
    assert "bad_json" not in called("list", "--code", "unknown_window").stdout


def test_a_state_that_does_not_exist_is_refused(called):
    result = called("list", "--state", "lost")
    assert result.exit_code == 2 or "lost" in str(result.exception)


def test_show_gives_the_line_as_it_came(called):
    letters_shown = [json.loads(called("show", str(number)).stdout) for number in numbers(called)]
    shown = next(row for row in letters_shown if row["code"] == "unknown_window")
    assert json.loads(shown["raw"]) == json.loads(GOOD)
    assert shown["field"] == "window"


def test_replay_puts_the_letters_into_the_log_and_they_wait_no_longer(called, tmp_path):
    assert "2 letters sent again" in called("replay").stdout
    assert numbers(called) == []
    log = EventLog(parse_address(f"local://{tmp_path}/log.db").path)
    try:
        assert sum(head for (topic, _), head in log.heads().items() if topic == "case-events") == 2
    finally:
        log.close()


def test_replay_of_a_number_that_does_not_wait_says_so(called):
    result = called("replay", "999999")
    assert "999999" in str(result.exception)


def test_letters_wait_on_when_the_log_cannot_take_them(called, monkeypatch):
    def away(settings: object):
        raise OSError("the log is away")

    monkeypatch.setattr("mingjing.publishing.open_log", away)
    assert called("replay").exit_code != 0
    assert len(numbers(called)) == 2
