"""Connections: the same settings everywhere, and patience while the database is away."""

from __future__ import annotations

import time

import psycopg
import pytest

from domain.errors import StoreError
from store.connection import DEFAULTS, PASSING, Connection, connect, explain, open_pool, with_reconnect

pytestmark = pytest.mark.postgres
AWAY = "host=127.0.0.1 port=1 dbname=x connect_timeout=1"


def test_every_connection_says_who_it_is_and_has_limits(database: str) -> None:
    with connect(database, application="mingjing test", statement_timeout=2) as connection:
        row = connection.execute(
            "select current_setting('application_name'), current_setting('statement_timeout'),"
            " current_setting('timezone'), current_setting('lock_timeout')"
        ).fetchone()
    assert row == ("mingjing test", "2s", "UTC", "10s")


def test_a_statement_that_takes_too_long_is_ended(database: str) -> None:
    with connect(database, statement_timeout=0.05) as connection, pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("select pg_sleep(5)")


def test_an_address_that_is_none_is_one_clear_sentence_without_its_content() -> None:
    with pytest.raises(StoreError) as caught:
        connect("password=secret nonsense")
    assert "MINGJING_DATABASE" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_it_waits_with_growing_pauses_until_the_database_is_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    address = [AWAY]

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            address[0] = database

    monkeypatch.setattr("store.connection.connect", lambda dsn, **rest: connect(address[0], **rest))
    assert with_reconnect(AWAY, lambda db: db.execute("select 7").fetchone(), sleep=sleep) == (7,)
    assert pauses == [0.1, 0.2, 0.4, 0.8]


def test_it_runs_the_work_again_when_the_connection_breaks_and_commits_once(database: str) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute("create table counted as select 1 as x")
        if len(tries) < 3:
            connection.close()
            connection.execute("select 1")

    with_reconnect(database, work, sleep=lambda _: None)
    assert len(tries) == 3
    with connect(database) as connection:
        assert connection.execute("select count(*) from counted").fetchone() == (1,)


def test_it_gives_up_when_told() -> None:
    pauses: list[float] = []
    with pytest.raises(psycopg.OperationalError):
        with_reconnect(AWAY, lambda _: None, sleep=pauses.append, tries=3)
    assert len(pauses) == 2
    with pytest.raises(psycopg.OperationalError):
        with_reconnect(AWAY, lambda _: None, sleep=pauses.append, stopped=lambda: True)
    assert len(pauses) == 2


def test_a_fault_in_the_work_is_not_tried_again(database: str) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute("select no_such_column")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        with_reconnect(database, work, sleep=lambda _: None)
    assert len(tries) == 1


def test_the_pool_hands_out_living_connections(database: str) -> None:
    with open_pool(database, size=2) as pool:
        with pool.connection() as connection:
            pid = connection.info.backend_pid
        with connect(database, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", [pid])
        with pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_that_is_read_only_for_a_while_passes(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = on")
        with pytest.raises(PASSING):
            connection.execute("create table nobody (x int)")


def test_a_session_stopped_too_long_inside_a_transaction_passes(database: str) -> None:
    with connect(database) as connection:
        connection.execute("set idle_in_transaction_session_timeout = '1ms'")
        connection.execute("select 1")
        time.sleep(0.1)
        with pytest.raises(PASSING):
            connection.execute("select 1")


def test_a_plan_from_when_a_table_was_small_is_not_kept(database: str) -> None:
    with connect(database, autocommit=True) as db:
        db.execute("create table grown (id int primary key, other text)")
        question = "select other from grown where id = %s"
        for _ in range(10):  # after five psycopg prepares it, after five more PostgreSQL might keep its plan
            db.execute(question, [1])
        assert db.execute("select count(*) from pg_prepared_statements").fetchone() != (0,)
        assert db.execute(
            "select max(generic_plans), max(custom_plans) > 0 from pg_prepared_statements"
        ).fetchone() == (0, True)


def test_of_several_hosts_the_one_that_takes_writes_is_meant_unless_the_address_says_otherwise(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(psycopg, "connect", lambda dsn, **given: seen.append(given) or pytest.skip())
    for address in (database, f"{database} target_session_attrs=any connect_timeout=2"):
        with pytest.raises(pytest.skip.Exception):
            connect(address)
    assert seen[0].items() >= DEFAULTS.items()
    assert "target_session_attrs" not in seen[1]
    assert "connect_timeout" not in seen[1]
    assert seen[1]["tcp_user_timeout"] == DEFAULTS["tcp_user_timeout"]


def test_a_pool_with_every_connection_in_use_says_so_in_bounded_time(database: str) -> None:
    with open_pool(database, size=1, wait=0.1) as pool, pool.connection():
        with pytest.raises(PASSING) as caught, pool.connection():
            pass
        assert "in use" in explain(caught.value)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("set statement_timeout = '5ms'; select pg_sleep(1)", "longer than its limit"),
        ("set transaction read only; create table nobody (x int)", "takes no writes"),
        ("select no_such_column", 'column "no_such_column" does not exist'),
    ],
)
def test_errors_are_said_in_words_for_people(database: str, statement: str, words: str) -> None:
    with connect(database) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        assert words in explain(caught.value)
        assert "\n" not in explain(caught.value)
        connection.rollback()
