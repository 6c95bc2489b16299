"""What goes through our arrays comes back as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from store.arrays import QuotingListDumper
from store.connection import connect, open_pool

pytestmark = pytest.mark.postgres

MOMENTS = [
    datetime(2026, 11, 22, 9, 30, 0, 1, tzinfo=UTC),
    None,
    datetime(1999, 1, 1, tzinfo=timezone(timedelta(hours=8))),
]


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (
            "text[]",
            ["", "NULL", None, 'say "yes"', "back\\slash", "{1,2}", "a, b", " 空格\u2003 ", "\n\t", "'"],
        ),
        ("text[]", []),
        ("text[]", [None, None]),
        ("timestamptz[]", MOMENTS),
        ("bytea[]", [b"", b"\x00\xff\\", None, b'"']),
        ("int[]", [1, None, -5]),
        ("bigint[]", [2**40, 1]),
        ("bool[]", [True, None, False]),
        ("text[]", [["a", 'b"'], [None, "d"]]),
    ],
)
def test_values_come_back_as_they_were(database: str, array: str, values: list[Any]) -> None:
    with connect(database) as db:
        assert db.adapters.get_dumper(list, psycopg.adapt.PyFormat.AUTO) is QuotingListDumper
        assert db.execute(f"select %s::{array}", [values]).fetchone() == (values,)


@pytest.mark.parametrize(("value", "error"), [("a\x00b", psycopg.DataError), ("\ud800", UnicodeEncodeError)])
def test_what_no_text_can_hold_is_refused_before_it_is_sent(
    database: str, value: str, error: type[Exception]
) -> None:
    with connect(database) as db, pytest.raises(error):
        db.execute("select %s::text[]", [["good", value]])


def test_a_pool_writes_the_same_way(database: str) -> None:
    with open_pool(database, size=1) as pool, pool.connection() as db:
        assert db.adapters.get_dumper(list, psycopg.adapt.PyFormat.AUTO) is QuotingListDumper


def test_json_is_read_as_it_was_written(database: str) -> None:
    values = ["{}", "{ }", "[]", '{"a": [1, 2.5, null, "环节 \\"x\\""], "b": {}}', "null", '"text"']
    with connect(database) as db:
        rows = db.execute("select v::jsonb, v::json from unnest(%s::text[]) as u (v)", [values]).fetchall()
    assert rows == [(json.loads(value), json.loads(value)) for value in values]
    # Each its own, for who reads one may change it.
    assert rows[0][0] is not rows[1][0]
