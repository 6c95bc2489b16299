"""An id is found wherever it is on its way."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from domain.centre_file import parse_centre
from mingjing.cli import build_app
from mingjing.trace import whole_way
from store.dead_letters import Refusal, write_dead_letters
from store.ingest import write_events
from streams.linking import linking_of
from tests.alerts.conftest import NOW, desk, make_finding  # noqa: F401 - desk is a fixture
from tests.store.making import event

pytestmark = pytest.mark.postgres


def test_the_way_of_an_event_ends_at_the_message(desk):  # noqa: F811
    happened = event("case.accepted", 0, "e-77", case="LY-0001", centre="530502")
    write_events(desk.connection, [happened], centre="530502", now=NOW)
    desk.issue(make_finding(1))
    stops = whole_way(desk.connection, "e-77")
    assert [stop.where for stop in stops][:3] == ["stored", "case", "finding"]
    assert {stop.where for stop in stops} == {"stored", "case", "finding", "message"}
    assert stops[1].facts["to_be_judged"] is True
    words = json.dumps([dict(stop.facts) for stop in stops], default=str, ensure_ascii=False)
    assert "138****0001" in words
    assert "13800000001" not in words
    assert "张三" not in words
    assert whole_way(desk.connection, "LY-0001")[0].where == "case"
    assert whole_way(desk.connection, "f1")[0].where == "finding"


def test_a_refused_line_is_found_by_what_stands_in_it(desk):  # noqa: F811
    letter = Refusal("door", b'{"event_id": "e-99"}', "missing", "kind is missing", "kind", "line 3")
    write_dead_letters(desk.connection, [letter], now=NOW)
    (stop,) = whole_way(desk.connection, "e-99")
    assert (stop.where, stop.facts["code"], stop.facts["place"]) == ("refused", "missing", "line 3")


def test_an_unknown_id_says_so(database, monkeypatch):
    monkeypatch.setenv("MINGJING_DATABASE", database)
    shown = CliRunner().invoke(build_app("trace"), ["trace", "nothing"])
    assert shown.exit_code == 3
    assert "neither stored nor refused" in shown.output


def test_a_subject_that_is_no_case_is_found_with_its_events_and_findings(desk):  # noqa: F811
    connection = desk.connection
    opened = event("complaint.opened", 0, "e-1", case=None, centre="530502", data={"complaint": "17"})
    linking = linking_of(
        {"530502": parse_centre("{centre: {id: '530502'}, rules: {complaints: {}}}", "c.yaml")}
    )
    write_events(connection, [opened], centre="530502", now=NOW, linking=linking)
    desk.issue(make_finding(1, case=None, item=None))
    connection.execute("update finding set subject = 'complaint:17'")
    connection.execute('update subject_state set status = \'{"phase": "open", "who": ["a"]}\'')
    stops = whole_way(connection, "complaint:17")
    assert [stop.where for stop in stops][:3] == ["stored", "subject", "finding"]
    assert stops[0].facts["event_id"] == "e-1"
    assert (stops[1].facts["phase"], stops[1].facts["to_be_judged"]) == ("open", True)
    assert whole_way(connection, "complaint:18") == []
