"""One database for all scenarios, on a clock of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.fixtures_postgres import _database
from tests.scenarios import fake_run, fake_time
from tests.scenarios.language import Script


@pytest.fixture(scope="session")
def scenario_database(postgres: str, _template: str | None) -> Iterator[str]:
    if _template is None:
        pytest.skip("the clock is faked on plain PostgreSQL only")
    for dsn in _database(postgres, _template):
        fake_time.fake_the_time(dsn)
        yield dsn


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """A failed scenario prints its timeline; hundreds of lines of log would hide it."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def play(scenario_database: str) -> Callable[[Script], None]:
    """Plays a scenario on the fake clock."""
    return lambda script: fake_run.play(scenario_database, script)
