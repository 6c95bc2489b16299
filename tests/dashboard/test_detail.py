from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from dash.development.base_component import Component

from dashboard.demo_snapshot import EXPLAIN, NOON, ZONE, demo_centre, mixed
from dashboard.detail import day_rows, explain_facts, life_section, panel, pictures_section
from dashboard.facts import Detail, LifeFacts, PictureFacts
from dashboard.words import Words
from detectors.cases import judge_case
from domain.events import parse_event
from domain.finding_life import Act, Pending

ZH = Words("zh", ZONE)
CENTRE = demo_centre(12)


def texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, (list, tuple)):
        return [text for child in node for text in texts(child)]
    return texts(node.children) if isinstance(node, Component) and getattr(node, "children", None) else []


def test_every_day_is_accounted_for():
    rows = day_rows(EXPLAIN, ZH)
    assert rows[0] == ("2026-10-23 星期五", "–", "首日不计", "rest")
    assert rows[1] == ("2026-10-24 星期六", "–", "休息日", "rest")
    assert ("2026-11-04 星期三", "–", "扣除：专家评审", "excluded") in rows
    assert rows[-1] == ("2026-11-23 星期一", "20", "到期日", "due")
    assert [number for _, number, _, _ in rows if number != "–"] == [str(n) for n in range(1, 21)]


def test_runs_of_days_are_written_out():
    explain = {
        "first_day_out": "2026-11-01",
        "due_day": "2026-11-05",
        "counted_days": ["2026-11-02/2026-11-04", "2026-11-05"],
    }
    assert [row[1] for row in day_rows(explain, ZH)] == ["–", "1", "2", "3", "4"]


def test_an_odd_explanation_shows_no_table_instead_of_failing():
    assert day_rows({}, ZH) == []
    assert day_rows({"counted_days": ["soon"]}, ZH) == []


def test_the_facts_stand_in_words():
    facts = dict(explain_facts(EXPLAIN, ZH))
    assert facts["detail_limit"] == "20 个工作日"
    assert facts["detail_start"] == "2026-10-23 10:12"
    assert facts["detail_excluded"].startswith("专家评审：2026-11-04 09:20 至 2026-11-04 16:30")
    assert facts["detail_moment"] == "2026-11-23 17:00（当日下班）"


def test_what_the_page_does_not_know_is_listed_under_its_own_name():
    assert ("new_key", "7") in explain_facts({"new_key": 7}, ZH)


def test_a_finding_of_the_real_rules_is_explained_day_by_day():
    accepted = NOON - timedelta(days=60)
    event = parse_event(
        {"event_id": "e1", "kind": "case.accepted", "occurred_at": accepted.isoformat(), "source": "t", "case": "C1",
         "item": "B-001", "window": "B02", "centre": "530502"}
    )  # fmt: skip
    verdict = judge_case([event], CENTRE, NOON)
    red = next(finding for finding in verdict.findings if finding.severity == "red")
    rows = day_rows(red.explain, ZH)
    assert [number for _, number, _, _ in rows if number != "–"] == [str(n) for n in range(1, 21)]
    assert rows[-1][2] == "到期日"
    facts = dict(explain_facts(red.explain, ZH))
    assert facts["detail_limit"] == "20 个工作日"
    assert all(key.startswith("detail_") for key in facts)


def test_the_panel_names_people_and_why():
    snapshot = mixed(CENTRE, NOON)
    window = next(window for window in snapshot.windows if window.window == "B02")
    found = texts(panel(Detail(window, window.findings), CENTRE, ZH, NOON))
    assert "为什么是红牌" in found
    assert "张永芳 窗口人员 (虚构)" in found
    assert "530502-2026-110023" in found


def test_the_panel_says_when_it_cannot_read_and_when_there_is_nothing():
    assert "读取失败，请稍后再点。" in texts(panel(None, CENTRE, ZH, NOON))
    assert any("没有可解释" in text for text in texts(panel(Detail(None, ()), CENTRE, ZH, NOON)))
    calm = next(w for w in mixed(CENTRE, NOON).windows if w.window == "A01")
    assert "没有未了结的监察发现。" in texts(panel(Detail(calm, ()), CENTRE, ZH, NOON))


def test_the_panel_shows_what_was_done_and_what_is_awaited():
    """Answered too late by a person of the centre file; an appeal waits for its decision."""
    person = CENTRE.people[0]
    life = LifeFacts(
        "appealed",
        (
            Act(1, NOON - timedelta(days=3), "opened"),
            Act(2, NOON - timedelta(days=1), "answered", person.id, {"text": "系统故障", "late": True}),
            Act(3, NOON - timedelta(hours=2), "appealed", "p-unknown", {"text": "窗口未开"}),
        ),
        (Pending("uphold", frozenset(("inspector",)), NOON - timedelta(hours=1)),),
    )
    said = texts(life_section(life, CENTRE, ZH, NOON))
    assert said[:4] == ["处理经过", "处理状态", "申诉中", "待裁定申诉"]
    assert said[4].startswith("已逾期 1 小时")
    assert "系统" in said
    assert person.name in said
    assert "逾期 系统故障" in said
    assert "p-unknown" in said
    waiting = replace(life, awaited=(replace(life.awaited[0], due_at=NOON + timedelta(hours=1)),))
    assert texts(life_section(waiting, CENTRE, ZH, NOON))[4].endswith(" 前")


def test_the_open_wall_shows_number_hash_and_reason_and_no_picture():
    facts = PictureFacts(
        ("ab" * 32, "cd" * 32), (("C1", "p0", "back", "disk"), ("C1", "p0", "last", "unreachable")), 1
    )
    nodes = pictures_section(facts, ZH)
    shown = texts(nodes)
    assert shown[1].startswith("2 张")
    assert "尚有图片" in shown[1]
    assert shown[2:4] == ["ab" * 32, "cd" * 32]
    assert shown[4] == "缺 返岗（C1/p0）：磁盘已满"
    assert "unreachable" not in shown[5]
    assert "Img" not in repr(nodes)
