"""`mingjing messages`: what was given up is found, and tried again under the same key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mingjing import messages

pytestmark = pytest.mark.postgres


@pytest.fixture
def called(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    monkeypatch.setenv("MINGJING_DATABASE", database)
    with psycopg.connect(database) as connection:
        for key, state, reason in (("k1", "dead", "refused"), ("k2", "sent", None)):
            connection.execute(
                "insert into outbox (idempotency_key, centre, person, phone, channel, template, state, reason, attempts,"
                " last_error, next_try_at, give_up_at, created_at) values (%s, 'c', 'P1', '15500001234', 'http', 't', %s, %s,"
                " 3, '403 bad signature', now(), now(), now())",
                [key, state, reason],
            )
    return lambda *words: CliRunner().invoke(messages.app, list(words))


def test_the_dead_are_listed_with_the_reason_and_a_masked_number(called: Callable[..., Result]) -> None:
    shown = called("dead").stdout
    assert "k1" in shown
    assert "403 bad signature" in shown
    assert "15500001234" not in shown
    assert "k2" not in shown


def test_counts_say_what_became_of_all(called: Callable[..., Result]) -> None:
    assert called("counts").stdout.split() == ["1", "dead:refused", "1", "sent"]


def test_a_dead_message_is_ready_again_under_its_key(called: Callable[..., Result], database: str) -> None:
    assert called("retry", "k1").exit_code == 0
    with psycopg.connect(database) as connection:
        rows = connection.execute("select idempotency_key, state, attempts from outbox order by 1").fetchall()
    assert rows == [("k1", "ready", 0), ("k2", "sent", 3)]


def test_held_messages_are_said_to_be_held_until_they_are_released(called: Callable[..., Result]) -> None:
    assert called("hold", "--why", "new gateway").exit_code == 0
    assert "new gateway" in called("counts").output
    assert "0 messages may leave" in called("release").stdout
    assert "new gateway" not in called("counts").output
    assert "not held" in called("release").stdout


def test_a_message_that_is_not_dead_is_refused_by_name(called: Callable[..., Result]) -> None:
    result = called("retry", "k1", "k2")
    assert result.exit_code != 0
    assert "k2" in str(result.exception)


def test_messages_of_a_state_are_listed_with_the_gateways_word(
    called: Callable[..., Result], database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "update outbox set state = 'undelivered', fate_code = 'MK:0001' where idempotency_key = 'k2'"
        )
    shown = called("list", "--state", "undelivered").stdout
    assert "k2" in shown
    assert "MK:0001" in shown
    assert "15500001234" not in shown
    assert called("list").stdout == "", "nothing is unknown"
    assert called("list", "--state", "lost").exit_code != 0
