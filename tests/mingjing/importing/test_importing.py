"""`mingjing import`: logs in, events and a centre file out."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from domain.centre import load_centre
from domain.errors import InputError
from domain.events import parse_event
from mingjing.importing import import_log
from mingjing.importing.command import import_command
from mingjing.importing.log_map import LogMap, check_map
from mingjing.importing.writer import write_yaml
from mingjing.replay import replay

HEADING = (
    "case:concept:name,case:deadline,case:enddate,case:enddate_planned,case:startdate,"
    "concept:instance,concept:name,org:group,org:resource,time:timestamp"
)
ROW = (
    "case-1,2011-12-06 13:41:31.788000+01:00,,2011-12-05 13:41:31+01:00,2011-10-11 13:42:22.688000+02:00,"
    "task-1,Confirmation of receipt,Group 10,Resource21,2011-10-11 13:45:40.276000+02:00"
)
MAP: dict[str, Any] = {
    "columns": {"case": "办件", "time": "时间", "activity": "环节", "window": "窗口"},
    "timezone": "Asia/Shanghai",
    "centre": {"id": "530502"},
    "activities": {
        "受理": "case.accepted",
        "挂起": {"kind": "case.suspended", "data": {"ground": "testing"}, "columns": {"days": "天数"}},
        "归档": "ignore",
    },
}
TABLE = """办件,时间,环节,窗口,天数
c1,2026-03-02 09:00,受理,A01,
c1,2026-03-03 10:00,挂起,A01,5
c1,2026-03-04 10:00,审查,A02,
c1,2026-03-05 10:00,归档,A02,
"""

app = typer.Typer()
app.command()(import_command)


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


def permits(write, *rows: str):
    return import_log(write("\n".join([HEADING, *rows]) + "\n"), "permits")


# ------------------------------------------------------------------------------------------------------- permits


def test_a_permit_row_gives_receipt_acceptance_and_stage(write):
    events = permits(write, ROW).events
    assert [event["kind"] for event in events] == ["case.received", "case.accepted", "case.stage_finished"]
    received, accepted, finished = events
    assert received["occurred_at"] == accepted["occurred_at"] == "2011-10-11T13:42:22.688000+02:00"
    assert accepted["data"] == {
        "legal_deadline": "2011-12-06T13:41:31.788000+01:00",
        "promised_deadline": "2011-12-05T13:41:31+01:00",
    }
    assert finished["data"] == {"stage": "Confirmation of receipt"}
    assert (finished["window"], finished["staff"]) == ("Group 10", "Resource21")


def test_the_earlier_of_the_two_deadlines_is_the_promised_one(write):
    swapped = ROW.replace("case-1,2011-12-06 13:41:31.788000+01:00", "case-1,2011-11-30 08:00:00+01:00")
    data = permits(write, swapped).events[1]["data"]
    assert data["promised_deadline"].startswith("2011-11-30")
    assert data["legal_deadline"].startswith("2011-12-05")


def test_an_end_date_closes_the_case(write):
    ended = ROW.replace("+01:00,,2011", "+01:00,2011-11-24 15:37:16.553000+01:00,2011")
    closed = [event for event in permits(write, ended).events if event["kind"] == "case.closed"]
    assert [event["occurred_at"] for event in closed] == ["2011-11-24T15:37:16.553000+01:00"]


def test_windows_stand_in_natural_order(write):
    second = ROW.replace("task-1", "task-2").replace("Group 10", "Group 2")
    assert [window["id"] for window in permits(write, ROW, second).centre["windows"]] == [
        "Group 2",
        "Group 10",
    ]


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        (ROW.replace("case-1", ""), "missing", "case:concept:name"),
        (ROW.replace("13:45:40.276000+02:00", "13:45:40"), "naive_time", "time:timestamp"),
        (ROW.replace("2011-10-11 13:45:40.276000+02:00", "yesterday"), "bad_time", "time:timestamp"),
        (ROW.replace("2011-10-11 13:42:22.688000+02:00", ""), "missing", "case:startdate"),
        (ROW.replace("2011-12-06 13:41", "2011-13-06 13:41"), "bad_time", "case:deadline"),
        (ROW + ",more", "columns", None),
        (ROW.replace("Confirmation", "Con\0firmation"), "nul_byte", None),
        (ROW.replace("Confirmation of receipt", '"Confirmation" of receipt'), "not_csv", None),
        (
            ROW.replace("case-1", "case-0").replace("2011-10-11 13:45", "1900-10-11 13:45"),
            "impossible_time",
            None,
        ),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_the_others_are_kept(write, row, code, field):
    other = ROW.replace("case-1", "case-2")
    imported = permits(write, row, other)
    assert [(each.line, each.code) for each in imported.rejected] == [(2, code)]
    if field is not None:
        assert imported.rejected[0].field == field
    assert {event["case"] for event in imported.events} == {"case-2"}
    assert len(imported.events) == 3


def test_bytes_of_another_encoding_cost_one_row(write):
    text = "\n".join([HEADING, ROW.replace("Confirmation", "确认"), ROW.replace("case-1", "case-2")])
    broken = text.encode().replace("确认".encode(), "确认".encode("gb18030"))
    imported = import_log(write(broken), "permits")
    assert [(each.line, each.code) for each in imported.rejected] == [(2, "encoding")]
    assert {event["case"] for event in imported.events} == {"case-2"}


def test_a_line_number_counts_lines_and_not_rows(write):
    long = ROW.replace("Confirmation of receipt", '"two\nlines"')
    assert permits(write, long, ROW.replace("task-1", "") + ",x").rejected[0].line == 4


def test_a_row_that_contradicts_its_case_is_rejected(write):
    other_start = ROW.replace("task-1", "task-2").replace("2011-10-11 13:42", "2011-10-12 13:42")
    rejected = permits(write, ROW, other_start).rejected
    assert [(each.code, each.field) for each in rejected] == [("contradiction", "case:startdate")]
    assert "line 2" in rejected[0].reason


def test_the_same_row_twice_is_one_event_and_the_same_id_with_other_content_is_refused(write):
    other = ROW.replace("Resource21", "Resource22")
    imported = permits(write, ROW, ROW, other)
    assert [(each.line, each.code) for each in imported.rejected] == [(4, "conflict")]
    assert len(imported.events) == 3


def test_event_ids_are_the_same_every_time_and_survive_new_rows(write):
    once = permits(write, ROW).events
    grown = permits(write, ROW.replace("case-1", "case-0"), ROW).events
    assert {event["event_id"] for event in once} < {event["event_id"] for event in grown}


def test_it_reads_the_real_permit_log(shared_data, tmp_path):
    imported = import_log(shared_data / "permits" / "receipt.csv", "permits")
    kinds = Counter(event["kind"] for event in imported.events)
    assert kinds == {
        "case.received": 715,
        "case.accepted": 715,
        "case.stage_finished": 4174,
        "case.closed": 668,
    }
    assert imported.rejected == []
    assert len({event["event_id"] for event in imported.events}) == len(imported.events)
    moments = [datetime.fromisoformat(event["occurred_at"]) for event in imported.events]
    assert moments == sorted(moments)


def test_replay_of_the_real_log_finds_what_its_own_dates_say(shared_data, tmp_path):
    """Counted a second time from the table alone: a case is late if it ended, or is still open, after a deadline."""
    table = shared_data / "permits" / "receipt.csv"
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    now = max(datetime.fromisoformat(row["time:timestamp"]) for row in rows)
    late: dict[str, set[str]] = {"time_limit.promised": set(), "time_limit.legal": set()}
    for row in rows:
        pair = sorted(datetime.fromisoformat(row[name]) for name in ("case:deadline", "case:enddate_planned"))
        end = datetime.fromisoformat(row["case:enddate"]) if row["case:enddate"] else now
        for rule, deadline in zip(late, pair, strict=True):
            if end > deadline:
                late[rule].add(row["case:concept:name"])
    imported = import_log(table, "permits")
    write_yaml(tmp_path / "centre.yaml", imported.centre)
    result = replay(load_centre(tmp_path / "centre.yaml"), [json.dumps(event) for event in imported.events])
    assert result.rejected == ()
    for rule, cases in late.items():
        assert {finding.case for finding in result.findings if finding.rule == rule} == cases
    assert {rule: len(cases) for rule, cases in late.items()} == {
        "time_limit.promised": 216,
        "time_limit.legal": 205,
    }


# ----------------------------------------------------------------------------------------------------------- csv


def test_a_map_turns_activities_into_kinds(write):
    imported = import_log(write(TABLE), "csv", MAP)
    assert [event["kind"] for event in imported.events] == [
        "case.accepted",
        "case.suspended",
        "case.stage_finished",
    ]
    assert imported.events[0]["occurred_at"] == "2026-03-02T09:00:00+08:00"
    assert imported.events[1]["data"] == {"ground": "testing", "days": 5}
    assert imported.events[2]["data"] == {"stage": "审查"}
    assert imported.skipped == 1


def test_equal_rows_without_an_id_are_two_events(write):
    doubled = TABLE + "c1,2026-03-04 10:00,审查,A02,\n"
    events = import_log(write(doubled), "csv", MAP).events
    assert len(events) == 4
    assert len({event["event_id"] for event in events}) == 4


def test_other_activities_can_be_rejected(write):
    rejected = import_log(write(TABLE), "csv", {**MAP, "other_activities": "reject"}).rejected
    assert [(each.line, each.code, each.field) for each in rejected] == [(4, "unknown_activity", "环节")]


def test_a_number_that_is_none_is_rejected(write):
    rejected = import_log(write(TABLE.replace("A01,5", "A01,five")), "csv", MAP).rejected
    assert [(each.line, each.code, each.field) for each in rejected] == [(3, "not_a_number", "天数")]


def test_it_reads_other_encodings_delimiters_and_time_formats(write):
    text = TABLE.replace(",", ";").replace("2026-03-0", "2026年3月").replace(" ", "日 ")
    values = {**MAP, "delimiter": ";", "encoding": "gb18030", "time_format": "%Y年%m月%d日 %H:%M"}
    imported = import_log(write(text.encode("gb18030")), "csv", values)
    assert len(imported.events) == 3
    assert imported.rejected == []


def test_start_and_end_can_be_the_first_and_the_last_row_in_time(write):
    values = {
        **MAP,
        "start": {"at": "first_event", "gives": ["case.received"]},
        "end": {"at": "last_event", "gives": ["case.closed"]},
    }
    shuffled = TABLE.splitlines()
    shuffled[1], shuffled[3] = shuffled[3], shuffled[1]
    events = import_log(write("\n".join(shuffled)), "csv", values).events
    assert (events[0]["kind"], events[0]["occurred_at"]) == ("case.received", "2026-03-02T09:00:00+08:00")
    assert (events[-1]["kind"], events[-1]["occurred_at"]) == ("case.closed", "2026-03-04T10:00:00+08:00")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": {}}, r"unknown key 'colums' \(did you mean 'columns'\?\)"),
        ({"activities": {"受理": "case.acepted"}}, r"did you mean 'case\.accepted'"),
        ({"timezone": "Asia/Shangai"}, "unknown time zone"),
        ({"encoding": "gb-nothing"}, "unknown encoding"),
        ({"deadlines": ["a", "b"], "legal_deadline": "c"}, "not both"),
        ({"columns": {"case": "办件"}}, r"columns\.time"),
    ],
)
def test_a_broken_map_is_refused_with_the_key(write, change, message):
    with pytest.raises(InputError, match=message):
        import_log(write(TABLE), "csv", {**MAP, **change})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no heading"),
        ("办件,时间,环节,窗口,天数\n", "holds no rows"),
        ("办件,时刻,环节,窗口,天数\nc1,2026-03-02 09:00,受理,A01,\n", r"log\.csv:1: no column '时间'"),
        ("办件,时间,环节,窗口,天数,时间\n", "stands there twice"),
        (b"\x1f\x8bnot gzip at all", "log.csv"),
    ],
)
def test_an_unusable_table_is_one_sentence_with_the_place(write, text, message):
    with pytest.raises(InputError, match=message):
        import_log(write(text), "csv", MAP)


# ----------------------------------------------------------------------------------------------------------- xes

XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <global scope="event"><string key="concept:name" value="unknown"/></global>
  <string key="concept:name" value="the log"/>
  <trace>
    <string key="concept:name" value="case-7"/>
    <event>
      <string key="concept:name" value="审查"><string key="nested" value="x"/></string>
      <string key="lifecycle:transition" value="start"/>
      <string key="org:group" value="A01"/>
      <date key="time:timestamp" value="2026-03-02T09:30:00.000+08:00"/>
    </event>
    <event>
      <string key="concept:name" value="审查"/>
      <string key="lifecycle:transition" value="COMPLETE"/>
      <string key="org:resource" value="甲"/>
      <date key="time:timestamp" value="2026-03-03T09:30:00+08:00"/>
    </event>
    <event>
      <string key="concept:name" value="审查"/>
      <string key="lifecycle:transition" value="schedule"/>
      <date key="time:timestamp" value="2026-03-01T09:30:00+08:00"/>
    </event>
  </trace>
</log>
"""


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_it_reads_xes_plain_and_packed_without_a_map(write, pack):
    imported = import_log(write(pack(XES), "log.xes"), "xes")
    assert [(event["kind"], event["case"]) for event in imported.events] == [
        ("case.received", "case-7"),
        ("case.stage_started", "case-7"),
        ("case.stage_finished", "case-7"),
    ]
    assert imported.events[2]["staff"] == "甲"
    assert imported.centre["windows"] == [{"id": "A01", "name": "A01"}]
    assert (imported.skipped, imported.rejected) == (1, [])


def test_a_map_for_xes_only_says_what_differs(write):
    values = {"activities": {"审查": "case.accepted"}, "columns": {"staff": "no:such"}}
    events = import_log(write(XES, "log.xes"), "xes", values).events
    assert [event["kind"] for event in events].count("case.accepted") == 3
    assert not any("staff" in event for event in events)


def test_no_receipt_is_made_up_where_the_map_names_one(write):
    events = import_log(write(XES, "log.xes"), "xes", {"activities": {"审查": "case.received"}}).events
    assert {event["occurred_at"][:10] for event in events} == {"2026-03-01", "2026-03-02", "2026-03-03"}
    assert len(events) == 3


def test_a_bad_xes_event_is_rejected_with_its_line(write):
    imported = import_log(write(XES.replace("2026-03-03T09:30:00+08:00", "2026-03-03"), "log.xes"), "xes")
    assert [(each.line, each.code) for each in imported.rejected] == [(14, "naive_time")]
    assert len(imported.events) == 2


def test_an_event_outside_a_trace_is_rejected(write):
    stray = '<log><event><string key="concept:name" value="x"/></event></log>'
    assert [each.code for each in import_log(write(stray, "log.xes"), "xes").rejected] == ["no_trace"]


LAUGHS = """<?xml version="1.0"?><!DOCTYPE log [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<log><trace><string key="concept:name" value="&b;"/></trace></log>"""
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE log SYSTEM "file:///etc/passwd"><log/>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "log.xes:1: a document type declaration is not accepted"),
        (OUTSIDE, "log.xes:1: a document type declaration is not accepted"),
        (XES.replace("</trace>", ""), "log.xes:26: not well-formed XML: mismatched tag"),
        (XES[:400], "not well-formed XML"),
        ("<html></html>", "not <log>"),
        ("<log>" + "<list>" * 100, "nested more than"),
        ("<log></log>", "holds no rows"),
    ],
)
def test_an_unusable_xes_file_is_one_sentence_with_the_place(write, text, message):
    with pytest.raises(InputError, match=message):
        import_log(write(text, "log.xes"), "xes")


# ------------------------------------------------------------------------------------------------------- command


def run(tmp_path: Path, log: Path, *more: str):
    arguments = [
        str(log),
        "--out",
        str(tmp_path / "events.jsonl"),
        "--centre",
        str(tmp_path / "centre.yaml"),
        *more,
    ]
    return CliRunner().invoke(app, arguments)


def test_the_command_writes_events_and_a_centre_file_that_loads(write, tmp_path):
    result = run(tmp_path, write(f"{HEADING}\n{ROW}\n"), "--format", "permits")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    centre = load_centre(tmp_path / "centre.yaml")
    assert (centre.centre.timezone, centre.calendar.base) == ("Europe/Amsterdam", "NL")
    for line in lines:
        event = parse_event(json.loads(line), centre=centre.centre.id, windows=centre.window_ids)
        assert event.case == "case-1"


def test_the_command_ends_with_3_and_keeps_what_it_rejected(write, tmp_path):
    log = write(f"{HEADING}\n{ROW}\n{ROW},more\n".encode() + b"\xff\xfe,1\n")
    result = run(tmp_path, log, "--format", "permits", "--rejected", str(tmp_path / "rejected.jsonl"))
    assert result.exit_code == 3
    rejected = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert [(each["line"], each["code"]) for each in rejected] == [(3, "columns"), (4, "columns")]
    assert rejected[0]["raw"] == ROW + ",more"
    assert "2 rejected" in result.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--format", "csv"), "needs --map"),
        (("--format", "xml"), "expected one of"),
        (("--format", "csv", "--map", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_the_command_refuses_what_it_cannot_use(write, tmp_path, more, message):
    result = run(tmp_path, write(TABLE), *more)
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_status == 2
    assert message in str(result.exception)
    assert not (tmp_path / "events.jsonl").exists()


def test_a_map_that_is_no_yaml_names_its_line(write, tmp_path):
    broken = write("columns:\n  case: [\n", "map.yaml")
    result = run(tmp_path, write(TABLE), "--format", "csv", "--map", str(broken))
    assert "map.yaml:3" in str(result.exception)


def test_the_example_in_the_documentation_is_a_map():
    text = (Path(__file__).parents[3] / "docs" / "importing.md").read_text("utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    log_map = check_map(yaml.safe_load(example), "docs/importing.md")
    assert set(LogMap.model_fields) - log_map.model_fields_set == {"deadlines"}
