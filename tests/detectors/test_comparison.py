"""Two sets of findings side by side: new, gone, moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from detectors.comparison import compare_findings
from tests.detectors.making import centre, event, judge

HOUR = timedelta(hours=1)


def found(**changes):
    return judge(
        event("accepted", "03-02 09:30", id="a"), now="04-30 09:00", centre=centre(**changes)
    ).findings


def rows(before, after, inside=lambda _: True):
    return {
        row.rule: (row.today, row.proposed, row.new, row.gone, row.moved)
        for row in compare_findings(before, after, inside)
    }


def test_the_same_rules_change_nothing():
    assert all(row[2:] == (0, 0, 0) for row in rows(found(), found()).values())


def test_an_earlier_notice_has_moved():
    changed = rows(found(), found(rules__time_limit={"notice_before": 4}))
    assert changed["time_limit.notice"] == (1, 1, 0, 0, 1)
    assert changed["time_limit.legal"] == (1, 1, 0, 0, 0)


def test_a_rule_turned_off_is_gone_and_back_is_new():
    red = [finding for finding in found() if finding.severity == "red"]
    assert rows(found(), red)["time_limit.promised"] == (1, 0, 0, 1, 0)
    assert rows(red, found())["time_limit.promised"] == (0, 1, 1, 0, 0)


def test_several_of_one_rule_are_paired_in_order():
    (red,) = [finding for finding in found() if finding.severity == "red"]
    days = [replace(red, finding_id=str(n), opened_at=red.opened_at + n * HOUR) for n in range(3)]
    later = [replace(days[0], finding_id="x", opened_at=red.opened_at + HOUR / 2)]
    assert rows(days, days[1:] + later)["time_limit.legal"] == (3, 3, 0, 0, 1)
    assert rows(days, days[:1])["time_limit.legal"] == (3, 1, 0, 2, 0)


def test_only_what_opens_in_the_span_counts():
    (red,) = [finding for finding in found() if finding.severity == "red"]
    moved = replace(red, finding_id="x", opened_at=red.opened_at - 30 * 24 * HOUR)
    assert rows([red], [moved], lambda at: at >= red.opened_at)["time_limit.legal"] == (1, 0, 0, 0, 1)
    assert rows([red], [], lambda at: at > red.opened_at) == {}


def test_gravest_first_and_the_first_are_named():
    found_rows = compare_findings((), found(), lambda _: True)
    assert [row.severity for row in found_rows] == ["red", "yellow", "notice"]
    assert found_rows[0].examples == [("c1", "new")]
