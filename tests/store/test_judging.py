"""Claiming what is due: by the index, never twice, and nothing falls between a judge and a writer."""

from __future__ import annotations

import threading

import pytest

from store.connection import connect
from store.ingest import write_events
from store.judging import claim_due, desk_events, next_look, push_ahead
from tests.store.making import CENTRE, at, event

pytestmark = pytest.mark.postgres


def test_the_cost_of_a_look_follows_what_is_due_not_what_is_open(database: str) -> None:
    with connect(database, autocommit=True) as db:
        db.execute(
            "insert into case_state (centre, case_id, look_at)"
            " select %s, 'C' || g, case when g <= 5 then '-infinity' else %s + g * interval '1 minute' end"
            " from generate_series(1, 20000) g",
            [CENTRE, at(1)],
        )
        db.execute("vacuum analyze case_state")
        (plan,) = db.execute(
            "explain (analyze, buffers, format json) select case_id from case_state where centre = %s and look_at <= %s"
            " order by look_at limit 200 for update skip locked",
            [CENTRE, at(1)],
        ).fetchone() or ({},)
        text = str(plan)
        assert "case_look_at" in text
        assert "Seq Scan" not in text
        top = plan[0]["Plan"]
        assert top["Actual Rows"] == 5
        assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 60


def test_a_claimed_row_is_passed_by_and_those_waiting_longest_come_first(database: str) -> None:
    with connect(database, autocommit=True) as one, connect(database, autocommit=True) as two:
        for number in (3, 1, 2):
            one.execute(
                "insert into case_state (centre, case_id, look_at) values (%s, %s, %s)",
                [CENTRE, f"C{number}", at(number)],
            )
        with one.transaction(), two.transaction():
            assert [due.name for due in claim_due(one, "case", CENTRE, at(9), 2)] == ["C1", "C2"]
            assert [due.name for due in claim_due(two, "case", CENTRE, at(9), 2)] == ["C3"]
        assert claim_due(one, "case", CENTRE, at(0), 2) == []
        assert claim_due(one, "case", "other", at(9), 2) == []


def test_an_event_that_arrives_while_its_case_is_judged_makes_it_due_again(database: str) -> None:
    with connect(database, autocommit=True) as judge, connect(database, autocommit=True) as writer:
        write_events(writer, [event("case.received", 0)], centre=CENTRE, now=at(0))
        with judge.transaction():
            (due,) = claim_due(judge, "case", CENTRE, at(0), 10)
            late = threading.Thread(
                target=write_events,
                args=(writer, [event("case.accepted", 1)]),
                kwargs={"centre": CENTRE, "now": at(1)},
            )
            late.start()
            late.join(0.2)
            assert late.is_alive()  # it waits for us
            push_ahead(judge, due, CENTRE, at(999))
        late.join(10)
        assert [due.name for due in claim_due(judge, "case", CENTRE, at(1), 10)] == ["C1"]


def test_the_next_look_is_the_earliest_of_all_kinds(database: str) -> None:
    with connect(database, autocommit=True) as db:
        assert next_look(db, CENTRE) is None
        db.execute("insert into case_state (centre, case_id, look_at) values (%s, 'C1', %s)", [CENTRE, at(9)])
        db.execute(
            "insert into window_state (centre, window_id, look_at) values (%s, 'A01', %s)", [CENTRE, at(5)]
        )
        assert next_look(db, CENTRE) == at(5)
        db.execute("update case_state set look_at = '-infinity'")
        soonest = next_look(db, CENTRE)
        assert soonest is not None
        assert soonest.year == 2


def test_events_of_a_desk_come_with_the_last_one_before(database: str) -> None:
    closed, opened = (
        event("window.closed", 0, window="A01", case=None),
        event("window.opened", 30, window="A01", case=None),
    )
    with connect(database, autocommit=True) as db:
        # The older one arrives last.
        for each in (opened, event("window.closed", -60, window="A01", case=None), closed):
            write_events(db, [each], centre=CENTRE, now=at(31))
        found = desk_events(db, CENTRE, {"A01": at(10), "A02": at(10)}, ["window.opened", "window.closed"])
        assert {each.event_id for each in found["A01"]} == {closed.event_id, opened.event_id}
        assert found["A02"] == []


@pytest.mark.parametrize("days", [0.5, 20, 32, 400])
def test_the_last_word_about_a_desk_is_found_however_long_ago_it_was(database: str, days: float) -> None:
    kinds = ["window.opened", "window.paused", "window.closed"]
    with connect(database, autocommit=True) as db:
        for name, minutes, number in (
            ("paused", -(days + 1) * 1440, 1),
            ("opened", -days * 1440, 2),
            ("paused", 5, 3),
        ):
            told = event(f"window.{name}", minutes, f"{number}", case=None, window="A01")
            write_events(db, [told], centre=CENTRE, now=at(minutes))
        # One that was told long after it happened lies in a newer piece than those around it.
        late = event("window.closed", -days * 1440 + 60, "late", case=None, window="A02")
        write_events(db, [late], centre=CENTRE, now=at(6))
        found = desk_events(db, CENTRE, {"A01": at(0), "A02": at(0), "A03": at(0)}, kinds)
        assert {window: [each.event_id for each in events] for window, events in found.items()} == {
            "A01": ["2", "3"],
            "A02": ["late"],
            "A03": [],
        }
