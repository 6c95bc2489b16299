"""docs/database.md: its names, limits and spans are those of the program."""

from __future__ import annotations

import re

import pytest

from mingjing import cli
from mingjing.settings import PREFIX, Settings
from store import connection
from store.aggregates import EVENTS, PRESENCE
from store.ground import AHEAD, EVENT, METRIC, OBSERVATION
from store.retention import KEEP, SHORTEST
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "database.md").read_text("utf-8")


def test_variables_commands_and_pages_exist() -> None:
    named = set(re.findall(PREFIX + r"[A-Z_]+", PAGE))
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}
    assert {PREFIX + name.upper() for name in Settings.model_fields if name.startswith("keep_")} <= named
    for word in re.findall(r"`mingjing ([a-z-]+)", PAGE):
        assert word in cli.COMMANDS
    for page in re.findall(r"\]\(([\w./-]+)", PAGE):
        assert (ROOT / "docs" / page).exists()


def test_spans_and_limits_are_the_programs() -> None:
    default = Settings()
    for name, days in (
        ("OBSERVATIONS", KEEP.observation.days),
        ("METRICS", KEEP.metric.days),
        ("MINUTES", KEEP.minute.days),
    ):
        assert f"`{PREFIX}KEEP_{name}`, {days} days" in PAGE
        assert getattr(default, f"keep_{name.lower()}") == days
    assert KEEP.event is default.keep_events is None
    assert f"Less than {SHORTEST.days} days" in PAGE
    for series in (EVENT, OBSERVATION, METRIC):
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{series.table}` |"))
        assert f"by {series.part}" in line
        assert f"packed after {series.pack_after.days} days" in line
    assert f"ahead ({AHEAD['day']} days, {AHEAD['month']} months)" in PAGE
    assert f"| a statement | {connection.STATEMENT_TIMEOUT:g} s" in PAGE
    assert f"| a lock | {connection.LOCK_TIMEOUT:g} s" in PAGE
    assert f"| idle inside a transaction | {connection.IDLE_IN_TRANSACTION:g} s" in PAGE
    assert (
        f"| a pool's connection | {connection.POOL_WAIT:g} s, at most {connection.POOL_QUEUE} waiting" in PAGE
    )
    assert f"{connection.DEFAULTS['connect_timeout']} s to connect" in PAGE


@pytest.mark.postgres
def test_every_sum_has_its_columns(database: str) -> None:
    rows = re.findall(
        r"^\| (`(?:presence|event)_\w+`.*?) \| [^|]+ \| `(bucket[^`]+)` \|$", PAGE, re.MULTILINE
    )
    named = {name: columns for names, columns in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(named) == {*PRESENCE, *EVENTS}
    with connection.connect(database) as db:
        for name, columns in named.items():
            description = db.execute(f"select * from {name}").description
            assert description is not None
            assert ", ".join(column.name for column in description) == columns
