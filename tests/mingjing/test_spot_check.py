"""``mingjing spot-check``: planned, answered by people, and compared with what the system said of the same moments."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
import yaml

from domain.centre_file import parse_centre
from domain.errors import InputError, StoreError
from mingjing.cli import main
from mingjing.spot_check import make_plan, report
from store.connection import connect
from store.spot_checks import answer_check, read_checks
from tests.detectors.making import at

pytestmark = pytest.mark.postgres

FILE = {
    "centre": {"id": "530502", "office_hours": ["09:00-11:00"]},
    "windows": [{"id": "A01", "staff": ["zhang"]}, {"id": "A02"}],
    "people": [{"id": "zhang", "name": "张三"}],
}
CENTRE = parse_centre(yaml.safe_dump(FILE))
DAY = date(2026, 3, 2)
LATER = at("03-09 09:00")


@pytest.fixture
def connection(database):
    with connect(database, autocommit=True) as connection:
        yield connection


def planned(connection, **more):
    options = {
        "seed": "s",
        "quota": 2,
        "every": 5,
        "windows": None,
        "person": "li",
        "now": at("03-01 09:00"),
    } | more
    return make_plan(connection, CENTRE, DAY, DAY, **options)


def span(connection, window, state, since, until):
    connection.execute(
        "insert into presence_span (centre, window_id, camera, post, since, until, state, seen_at, observation_id, observed_at)"
        " values ('530502', %s, 'K', %s, %s, %s, %s, %s, %s, %s)",
        [window, window, since, until, state, until, f"{window}{since}", since],
    )


def absence(connection, name, window, since, closed, state="closed"):
    connection.execute(
        "insert into finding (finding_id, rule, severity, centre, window_id, subject, opened_at, closed_at, state, explain,"
        " issued_at, updated_at) values (%s, 'absence.notice', 'notice', '530502', %s, %s, %s, %s, %s, %s, now(), now())",
        [
            name,
            window,
            f"window:{window}",
            since + timedelta(minutes=10),
            closed,
            state,
            json.dumps({"since": since.isoformat()}),
        ],
    )


def test_precision_and_recall_of_findings_and_of_seeing(connection):
    plan_id, checks = planned(connection)
    assert [c.window for c in checks].count("A01") == 4
    # A01 was empty all morning, and found so; A02 stood at its seat, but the camera saw nobody for an hour.
    span(connection, "A01", "absent", at("03-02 09:00"), at("03-02 11:00"))
    absence(connection, "f1", "A01", at("03-02 09:00"), at("03-02 11:00"))
    span(connection, "A02", "absent", at("03-02 09:00"), at("03-02 10:00"))
    absence(connection, "f2", "A02", at("03-02 09:00"), at("03-02 10:00"))
    for row in read_checks(connection, plan_id):
        truth = "absent" if row.window == "A01" else "present"
        answer_check(connection, row.check_id, truth, person="li", now=LATER)
    found = report(connection, CENTRE, plan_id)
    findings = found["findings"]
    assert (findings.planned, findings.usable, findings.blind) == (8, 6, 2), "after ten nobody saw A02"
    assert (findings.precision.good, findings.precision.sample) == (4, 6)
    assert (findings.recall.good, findings.recall.sample) == (4, 4)
    assert findings.precision.value == pytest.approx(2 / 3)
    assert findings.covered == 0.75
    connection.execute("update finding set state = 'revoked' where finding_id = 'f2'")
    again = report(connection, CENTRE, plan_id)
    assert (again["findings"].precision.value, again["seeing"].precision.value) == (1.0, pytest.approx(2 / 3))


def test_a_short_absence_is_no_miss_of_the_findings(connection):
    plan_id, _ = planned(connection, windows=["A01"], quota=1)
    span(connection, "A01", "absent", at("03-02 09:00"), at("03-02 11:00"))
    for row, minutes in zip(read_checks(connection, plan_id), (3, 20), strict=True):
        answer_check(connection, row.check_id, "absent", person="li", now=LATER, minutes=minutes)
    found = report(connection, CENTRE, plan_id)
    assert (found["findings"].recall.good, found["findings"].recall.sample) == (0, 1)
    assert (found["seeing"].recall.good, found["seeing"].recall.sample) == (2, 2)


def test_answers_are_kept_and_the_newest_stands(connection):
    plan_id, _ = planned(connection, windows=["A01"], quota=1)
    first = read_checks(connection, plan_id)[0]
    with pytest.raises(InputError, match="has not come"):
        answer_check(connection, first.check_id, "absent", person="li", now=at("03-01 10:00"))
    answer_check(connection, first.check_id, "absent", person="li", now=LATER)
    with pytest.raises(InputError, match="answered by li"):
        answer_check(connection, first.check_id, "present", person="wu", now=LATER)
    answer_check(connection, first.check_id, "unclear", person="wu", now=LATER, again=True)
    assert (read_checks(connection, plan_id)[0].answer, read_checks(connection, plan_id)[0].person) == (
        "unclear",
        "wu",
    )
    assert connection.execute("select count(*) from spot_check_answer").fetchone() == (2,)
    with pytest.raises(StoreError, match="no spot check"):
        answer_check(connection, "nothing", "absent", person="li", now=LATER)


def test_the_evidence_chain_knows_the_draw_and_every_answer(connection):
    plan_id, _ = planned(connection, windows=["A01"], quota=1)
    first = read_checks(connection, plan_id)[0]
    answer_check(connection, first.check_id, "absent", person="li", now=LATER, minutes=12)
    answer_check(connection, first.check_id, "present", person="li", now=LATER, again=True)
    rows = connection.execute("select kind, subject, body::jsonb from evidence order by seq").fetchall()
    assert [(kind, subject) for kind, subject, _ in rows] == [
        ("spot_check.planned", f"plan:{plan_id}"),
        *[("spot_check.answered", f"check:{first.check_id}")] * 2,
    ]
    assert '"seed": "s"' in json.dumps(rows[0][2])
    assert "absent" in json.dumps(rows[1][2])
    assert "present" in json.dumps(rows[2][2])


def test_a_plan_is_made_once(connection):
    planned(connection)
    with pytest.raises(InputError, match="there already"):
        planned(connection)
    with pytest.raises(StoreError, match="no plan"):
        report(connection, CENTRE, "nothing")


def test_the_commands(database, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MINGJING_DATABASE", database)
    (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE), "utf-8")

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["spot-check", *arguments])
        return end.value.code, capsys.readouterr()

    place = str(tmp_path / "centre.yaml")
    days = ("--from", "2026-03-02", "--to", "2026-03-03", "--person", "li", "--seed", "s")
    status, said = run("plan", place, *days)
    assert status == 0, said.err
    assert "张三" not in said.out
    assert "zhang" not in said.out
    check = said.out.split()[0]
    assert len(said.out.splitlines()) == 4, "two windows, two hours, one each over both days"
    assert run("answer", check, "absent", "--person", "li")[0] == 0
    assert run("answer", check, "perhaps", "--person", "li")[0] == 2
    assert run("plan", place, *days[:2], "--to", "2026-03-01", "--person", "li")[0] == 2
    status, said = run("report", place, check.split("-")[0])
    assert status == 0
    assert "未答 unanswered 3 · 未观测 blind 1" in said.out
    assert "查准率 precision – 无数据" in said.out
    assert (
        json.loads(run("report", place, check.split("-")[0], "--json")[1].out)["seeing"]["precision"]["value"]
        is None
    )
