"""Thousands of messages written in one moment: whoever takes four of them reads a few rows, whatever waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts import leases, next_channel
from tests.alerts.conftest import Desk

pytestmark = pytest.mark.postgres

_FILL = """
insert into outbox (idempotency_key, centre, person, phone, channel, template, state, next_try_at, give_up_at, created_at, fallback)
select 'k' || n, '530502', 'p', '1', case n % 2 when 0 then 'http' else 'other' end, 'finding.yellow',
       case when n > 3000 then 'sent' else 'ready' end, now(), now() + interval '1 day', now(), '[["other", "1"]]'
from generate_series(1, 6000) as n
"""
_VALUES: dict[str, Any] = {
    "channel": "http", "limit": 4, "unclear": "unclear: %", "hold": "hold", "again": ["finding.again"], "steps": leases._STEPS, "restored": "restore", "by": "me",
    "correction": "finding.correction", "span": timedelta(seconds=30), "certain": True,
    "for_good": False, "waited": timedelta(hours=1), "reason": "channel_off",
}  # fmt: skip


def scanned(desk: Desk, query: str) -> dict[str, int]:
    """Scan of the outbox → rows it read, in all."""

    def nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
        return [node, *(inner for child in node.get("Plans", ()) for inner in nodes(child))]

    desk.connection.execute("analyze outbox")
    ((((plan,),)),) = desk.connection.execute("explain (analyze, format json) " + query, _VALUES).fetchall()
    found: dict[str, int] = {}
    for node in nodes(plan["Plan"]):
        if node.get("Relation Name") == "outbox" and node["Node Type"] != "ModifyTable":
            read = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
            name = node.get("Index Name", node["Node Type"])
            found[name] = found.get(name, 0) + int(read)
    return found


def test_a_turn_reads_a_few_rows_of_a_backlog_and_none_of_what_is_sent(desk: Desk) -> None:
    desk.connection.execute(_FILL)
    taken = scanned(desk, leases._LEASE)
    assert taken["outbox_due"] <= 8, taken
    assert sum(taken.values()) <= 20, taken
    # Nothing has waited for an hour; all that is ready there is looked at, and none of the 3,000 that are sent.
    assert sum(scanned(desk, next_channel._LEAVE).values()) <= 1500
