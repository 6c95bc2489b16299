"""The wire that is cut: what the client believes and what the server has done differ as meant."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.drills.postgres_proxy import Cut, PostgresProxy

pytestmark = pytest.mark.postgres


@pytest.fixture
def wire(database: str) -> Iterator[tuple[PostgresProxy, str]]:
    words = conninfo_to_dict(database)
    server = Path(str(words["host"])) / f".s.PGSQL.{words.get('port', 5432)}"
    if not server.exists():
        pytest.skip("the server listens on no Unix socket")
    with (
        tempfile.TemporaryDirectory(prefix="mj-wire-") as folder,
        PostgresProxy(Path(folder), server) as proxy,
    ):
        yield proxy, make_conninfo(database, host=folder, application_name="drilled")


@pytest.mark.parametrize(("before", "stored"), [(True, 0), (False, 1)])
def test_a_commit_is_cut_before_or_after_it_is_done(
    wire: tuple[PostgresProxy, str], database: str, before: bool, stored: int
) -> None:
    proxy, through = wire
    with psycopg.connect(through, autocommit=True) as connection:
        connection.execute("create table kept (x int)")
        cut = proxy.arm(Cut("drilled", "commit", before, following="insert into kept"))
        with connection.transaction():
            connection.execute("select 1")
        assert not cut.sprung.is_set()
        with pytest.raises(psycopg.OperationalError), connection.transaction():
            connection.execute("insert into kept values (%s)", [1])
        assert cut.sprung.wait(5)
    with psycopg.connect(database) as direct:
        assert direct.execute("select count(*) from kept").fetchone() == (stored,)


def test_others_are_left_alone_and_a_trap_springs_once(wire: tuple[PostgresProxy, str]) -> None:
    proxy, through = wire
    proxy.arm(Cut("drilled", "select 7", before=True))
    with psycopg.connect(through, application_name="other") as other:
        assert other.execute("select 7").fetchone() == (7,)
    with psycopg.connect(through) as drilled, pytest.raises(psycopg.OperationalError):
        drilled.execute("select 7")
    with psycopg.connect(through) as drilled:
        assert drilled.execute("select 7").fetchone() == (7,)
