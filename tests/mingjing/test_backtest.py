"""``mingjing backtest``: out of a file and out of the database, what other rules would have found and said."""

from __future__ import annotations

import json

import pytest
import yaml

from domain.centre_file import parse_centre, parse_rules
from domain.centres import Centres
from domain.events import parse_line
from mingjing.backtest import over_database
from mingjing.cli import main
from store.connection import connect
from store.ingest import write_events
from tests.detectors.making import at

FILE = {
    "centre": {"id": "530502"},
    "items": [{"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 7}}],
    "windows": [{"id": "A01", "handler": "zhang"}],
    "people": [{"id": "zhang", "name": "张三", "phone": "13800000001"}],
    "messages": {"notice": ["handler"]},
    "cameras": [
        {
            "id": "K1",
            "url": "sim://1",
            "posts": [{"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}],
        }
    ],
}
RULES = "rules:\n  time_limit: {notice_before: 4}\n  absence: {notice: 5, red: 60}\n"


def line(number, kind, when, case):
    row = {
        "event_id": str(number), "kind": kind, "occurred_at": f"2026-11-{when}:00+08:00", "source": "s", "case": case,
        "item": "A", "window": "A01", "data": {},
    }  # fmt: skip
    return json.dumps(row).encode()


# c1 is finished on the fourth day, c2 never: promised to the 11th, legal to the 16th.
LINES = [
    line(1, "case.accepted", "02T09:30", "c1"), line(2, "case.closed", "06T10:00", "c1"),
    line(3, "case.accepted", "02T09:30", "c2"), line(4, "case.accepted", "27T17:00", "c3"),
]  # fmt: skip
COMPLAINT = json.dumps(
    {
        "event_id": "9", "kind": "complaint.opened", "occurred_at": "2026-11-02T09:30:00+08:00", "source": "12345",
        "case": None, "window": "A01", "data": {"complaint": "T1"},
    }
).encode()  # fmt: skip


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    def call(*options, rules=RULES, lines=LINES):
        (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE), "utf-8")
        (tmp_path / "rules.yaml").write_text(rules, "utf-8")
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
        files = [str(tmp_path / "rules.yaml"), "--centre", str(tmp_path / "centre.yaml")]
        if "--database" not in options:
            files += ["--events", str(tmp_path / "events.jsonl")]
        with pytest.raises(SystemExit) as end:
            main(["backtest", *files, *(option for option in options if option != "--database")])
        return end.value.code, capsys.readouterr()

    return call


def test_what_would_change(run):
    status, said = run("--since", "2026-11-01", "--json")
    assert status == 0, said.err
    found = json.loads(said.out)
    rules = {row["rule"]: row for row in found["rules"]}
    # Two days before the 11th c1 is done already, four days before it is not.
    assert [rules["time_limit.notice"][n] for n in ("today", "proposed", "new", "gone", "moved")] == [
        1,
        2,
        1,
        0,
        1,
    ]
    assert [rules["time_limit.legal"][n] for n in ("today", "proposed", "new", "gone", "moved")] == [
        1,
        1,
        0,
        0,
        0,
    ]
    assert {"subject": "c1", "what": "new"} in rules["time_limit.notice"]["examples"]
    # A notice, a yellow and a red of c2 to the handler.
    assert (found["messages"]["today"]["total"], found["messages"]["proposed"]["total"]) == (3, 4)
    assert found["messages"]["proposed"]["busiest_day"]["messages"] == 2


def test_in_words(run):
    status, said = run("--since", "2026-11-01")
    assert status == 0
    assert "新增 new    c1" in said.out
    assert "短信 messages 拟议 proposed: 4" in said.out


def test_a_shadow_rule_is_counted_and_tells_nobody(run):
    shadow = json.loads(
        run("--since", "2026-11-01", "--json", rules="rules: {procedure: {shadow: true}}\n")[1].out
    )
    live = json.loads(run("--since", "2026-11-01", "--json", rules="rules: {procedure: {}}\n")[1].out)
    found = {row["rule"]: row["new"] for row in live["rules"] if row["rule"].startswith("procedure.")}
    assert found
    assert shadow["shadow"] == found
    assert live["shadow"] == {}
    assert not any(row["new"] for row in shadow["rules"])
    assert shadow["messages"]["proposed"] == shadow["messages"]["today"]


def test_a_family_of_another_subject_is_turned_on(run):
    said = run(
        "--since",
        "2026-11-01",
        "--json",
        rules="rules: {complaints: {}}\n",
        lines=[*LINES, COMPLAINT],
    )
    new = {row["rule"]: row["new"] for row in json.loads(said[1].out)["rules"] if row["new"]}
    assert new
    assert all(rule.startswith("complaint.") for rule in new), new


def test_only_the_span_asked_for(run):
    _, said = run("--since", "2026-11-14", "--until", "2026-11-20", "--json")
    assert [row["rule"] for row in json.loads(said.out)["rules"]] == ["time_limit.legal"]


@pytest.mark.parametrize(
    ("options", "rules", "says"),
    [
        (("--since", "soon"), RULES, "--since: 'soon'"),
        (("--since", "2026-11-10", "--until", "2026-11-01"), RULES, "--until: must be later"),
        (
            ("--since", "2026-11-01"),
            "rules:\n  time_limit:\n    notice_befor: 1\n",
            "rules.yaml:3: unknown key 'notice_befor'",
        ),
        (("--since", "2026-11-01"), "items: []\n", "rules.yaml:1: unknown key 'items'"),
    ],
)
def test_what_cannot_be_used_is_named(run, options, rules, says):
    status, said = run(*options, rules=rules)
    assert status == 2
    assert says in said.err


@pytest.mark.postgres
def test_the_database_gives_the_same_and_judges_the_seats_too(database, run, monkeypatch):
    since, until = at("11-01 00:00"), at("11-27 17:00")
    centre = parse_centre(yaml.safe_dump(FILE))
    proposed = parse_rules(RULES, "rules.yaml", centre)
    with connect(database, autocommit=True) as connection:
        write_events(connection, [parse_line(raw) for raw in LINES], centre="530502", now=at("11-27 17:00"))
        # Seven minutes empty on Monday morning, then forty.
        for name, first, last, state in (
            ("1", "09:10", "09:17", "absent"), ("2", "09:17", "10:00", "present"), ("3", "10:00", "10:40", "absent"),
            ("4", "10:40", "11:00", "present"),
        ):  # fmt: skip
            connection.execute(
                "insert into presence_span (centre, window_id, camera, post, since, until, state, seen_at, observation_id,"
                " observed_at) values ('530502', 'A01', 'K1', 'p', %s, %s, %s, %s, %s, %s)",
                [
                    at(f"11-02 {first}"),
                    at(f"11-02 {last}"),
                    state,
                    at(f"11-02 {last}"),
                    name,
                    at(f"11-02 {first}"),
                ],
            )
        (found,) = over_database(connection, Centres.of(centre), Centres.of(proposed), since, until)
    rows = {row.rule: (row.today, row.proposed, row.new, row.gone, row.moved) for row in found.changes}
    assert rows["absence.notice"] == (1, 2, 1, 0, 1)
    assert rows["absence.red"] == (1, 0, 0, 1, 0)
    assert rows["absence.yellow"] == (1, 1, 0, 0, 0)
    status, said = run("--since", "2026-11-01", "--json")
    from_file = {row["rule"]: row for row in json.loads(said.out)["rules"]}
    for rule, row in rows.items():
        if rule.startswith("time_limit"):
            assert row == tuple(
                from_file[rule][name] for name in ("today", "proposed", "new", "gone", "moved")
            )
    monkeypatch.setenv("MINGJING_DATABASE", database)
    status, said = run("--since", "2026-11-01", "--until", "2026-11-27T17:00", "--database", "--json")
    assert status == 0, said.err
    assert {row["rule"] for row in json.loads(said.out)["rules"]} == set(rows)


@pytest.mark.postgres
def test_what_names_no_case_comes_out_of_the_database_too(database):
    centre = parse_centre(yaml.safe_dump(FILE))
    proposed = parse_rules("rules: {complaints: {}}", "rules.yaml", centre)
    with connect(database, autocommit=True) as connection:
        write_events(connection, [parse_line(COMPLAINT)], centre="530502", now=at("11-27 17:00"))
        sides = Centres.of(centre), Centres.of(proposed)
        (found,) = over_database(connection, *sides, at("11-01 00:00"), at("11-27 17:00"))
    assert {row.rule.split(".")[0] for row in found.changes} == {"complaint"}


@pytest.mark.postgres
def test_every_family_and_what_excuses_an_empty_window(database):
    """Proposed staffing rules judge the seats by leave and cover, which today's rules never asked for."""
    whole = FILE | {
        "people": [{"id": "p1", "name": "张三"}, {"id": "p2", "name": "李四"}],
        "windows": [{"id": "A01", "staff": ["p1"], "pair": "A02"}, {"id": "A02", "staff": ["p2"]}],
    }
    centre = parse_centre(yaml.safe_dump(whole, allow_unicode=True))
    proposed = parse_rules("rules: {staffing: {}, attendance: {}, ratings: {}}", "rules.yaml", centre)

    def event(kind, when, **fields):
        data = {
            name.rstrip("_"): fields.pop(name) for name in list(fields) if name not in ("window", "staff")
        }
        row = {
            "event_id": f"{kind}@{when}",
            "kind": kind,
            "occurred_at": at(when).isoformat(),
            "source": "oa",
            "data": data,
        }
        return parse_line(json.dumps(row | fields))

    with connect(database, autocommit=True) as connection:
        events = [
            event("cover.started", "11-02 10:00", window="A01", staff="p2", by_window="A02"),
            event("cover.ended", "11-02 10:40", window="A01", staff="p2", by_window="A02"),
            event("attendance.clock_in", "11-02 08:50", staff="p1"), event("attendance.clock_in", "11-03 09:40", staff="p1"),
            event("rating.given", "11-02 11:00", window="A01", level=5, rating="r1", real_name=True),
        ]  # fmt: skip
        write_events(connection, events, centre="530502", now=at("11-27 17:00"))
        connection.execute(
            "insert into presence_span (centre, window_id, camera, post, since, until, state, seen_at, observation_id,"
            " observed_at) values ('530502', 'A01', 'K1', 'p', %(a)s, %(b)s, 'absent', %(b)s, '1', %(a)s)",
            {"a": at("11-02 10:00"), "b": at("11-02 10:40")},
        )
        sides = Centres.of(centre), Centres.of(proposed)
        (found,) = over_database(connection, *sides, at("11-01 00:00"), at("11-27 17:00"))
    rows = {row.rule: (row.today, row.proposed) for row in found.changes}
    assert rows["absence.red"] == (1, 0), "covered by the paired window it is service"
    assert rows["attendance.unauthorised"] == (0, 1)
    assert rows["rating.contact_overdue"] == (0, 1)
    assert found.proposed.total < found.today.total or found.today.total == 0
