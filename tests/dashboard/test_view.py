from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.demo_snapshot import (
    BEATS,
    NOON,
    ZONE,
    absence_finding,
    calm,
    case_finding,
    demo_centre,
    many,
    mixed,
)
from dashboard.facts import Beat, Snapshot
from dashboard.layout import PartsWriter, density, grid_columns, message, skeleton
from dashboard.view import FINDING_ROWS, WallView, build_view, light_settings
from dashboard.words import Words

CENTRE = demo_centre(12)
NOW = NOON


def view_of(snapshot: Snapshot, language: str = "zh", speed: float = 1.0, centre=CENTRE, now=NOW) -> WallView:
    return build_view(
        snapshot, centre=centre, now=now, words=Words(language, ZONE), settings=light_settings(centre, speed)
    )


def test_tiles_keep_the_order_of_the_centre_file_whatever_is_wrong():
    order = [window.id for window in CENTRE.windows]
    assert [tile.window for tile in view_of(mixed(CENTRE, NOW)).tiles] == order
    assert [tile.window for tile in view_of(calm(CENTRE, NOW)).tiles] == order


def test_the_head_counts_windows_by_light():
    counts = {lamp.light: lamp.count for lamp in view_of(mixed(CENTRE, NOW)).lamps}
    assert counts == {"red": 2, "yellow": 2, "notice": 1, "grey": 1, "green": 5, "off": 1}


def test_findings_stand_worst_first_and_of_equals_the_oldest_first():
    rows = view_of(mixed(CENTRE, NOW)).findings
    assert [row.light for row in rows] == ["red", "red", "yellow", "yellow", "yellow", "notice"]
    assert [row.window for row in rows][:2] == ["B02", "D01"]


def test_of_equals_those_stand_first_at_whose_window_somebody_waits():
    ids = [window.id for window in CENTRE.windows[:3]]
    cards = [
        absence_finding(each, "yellow", NOW - timedelta(minutes=9 - n), 15) for n, each in enumerate(ids)
    ]
    calmly = calm(CENTRE, NOW)
    windows = tuple(
        replace(each, waiting=each.window == ids[2], presence="absent") for each in calmly.windows
    )
    rows = view_of(replace(calmly, windows=windows, findings=tuple(cards))).findings
    assert [row.window for row in rows] == [ids[2], ids[0], ids[1]]
    assert rows[0].text.endswith("，有群众等候")


def test_what_does_not_fit_the_list_is_counted():
    centre = demo_centre(60)
    view = view_of(many(centre, NOW), centre=centre)
    assert len(view.findings) == FINDING_ROWS < view.findings_total
    parts = PartsWriter().write(view, NOW)
    assert json.loads(parts["list-more"])["children"] == f"另有 {view.findings_total - FINDING_ROWS} 项未列出"


def test_who_must_act_a_red_card_names_the_leader_too():
    rows = {row.window: row for row in view_of(mixed(CENTRE, NOW)).findings}
    assert rows["D01"].who == "责任人 马兰英、何永昌"
    assert rows["A02"].who == "责任人 李建国"


def test_who_must_act_says_when_nobody_is_named():
    finding = case_finding("Z99", "C1", "time_limit.legal", "red", NOW, NOW)
    row = view_of(replace(calm(CENTRE, NOW), findings=(finding,))).findings[0]
    assert row.who == "未指定责任人"


@pytest.mark.parametrize(
    ("finding", "act"),
    [
        (
            case_finding("A01", "C1", "time_limit.notice", "notice", NOW + timedelta(hours=30), NOW),
            "11月25日 16:42 前处理",
        ),
        (
            case_finding("A01", "C1", "time_limit.promised", "yellow", NOW - timedelta(hours=3), NOW),
            "立即处理",
        ),
        (absence_finding("A01", "notice", NOW - timedelta(minutes=2), 10), "10:45 前处理"),
        (absence_finding("A01", "yellow", NOW - timedelta(minutes=2), 15), "10:55 前处理"),
        (absence_finding("A01", "red", NOW - timedelta(minutes=2), 30), "立即处理"),
    ],
)
def test_by_when_is_before_it_gets_worse(finding, act: str):
    assert view_of(replace(calm(CENTRE, NOW), findings=(finding,))).findings[0].act == act


def test_an_acknowledged_finding_says_when():
    rows = {row.text: row for row in view_of(mixed(CENTRE, NOW)).findings}
    assert rows["办件 …0187 超承诺时限 2 天"].state == "已确认 10:11"
    assert rows["空岗 34 分钟"].state == "未确认"


def test_the_method_without_a_model_is_said_and_a_detector_is_not():
    assert view_of(mixed(CENTRE, NOW)).method == "未用检测模型：与空岗画面比对"
    assert view_of(calm(CENTRE, NOW)).method == ""


def test_a_stopped_or_missing_process_is_named_in_the_foot():
    beats = (*[b for b in BEATS if b.role not in ("sender", "rules")], Beat("sender", 95.0))
    health = {entry.role: entry for entry in view_of(replace(calm(CENTRE, NOW), beats=beats)).health}
    assert (health["sender"].text, health["sender"].well) == ("短信 停了 1 分钟", False)
    assert (health["rules"].text, health["rules"].well) == ("规则 未运行", False)
    assert health["worker"].well


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["waiting:sms"], "短信：通道 sms 积压"),
        (["given_up", "channel_off:wecom"], "短信：通道 wecom 停用，共 2 项"),
        (["unheard_of"], "短信：有故障"),
    ],
)
def test_what_is_wrong_with_the_messages_stands_in_the_foot(names: list[str], text: str):
    beats = (*BEATS, *(Beat("trouble", 0.0, name) for name in names))
    health = {entry.role: entry for entry in view_of(replace(calm(CENTRE, NOW), beats=beats)).health}
    assert (health["sender"].text, health["sender"].well) == (text, False)
    assert sum(not entry.well for entry in health.values()) == 1
    held = (*beats, Beat("hold", 9.0))
    health = {entry.role: entry for entry in view_of(replace(calm(CENTRE, NOW), beats=held)).health}
    assert health["sender"].text == "短信：暂停发送"


def test_an_empty_list_is_no_comfort_while_its_makers_are_silent():
    parts = PartsWriter().write(view_of(replace(calm(CENTRE, NOW), beats=())), NOW)
    assert json.loads(parts["list-none"])["children"] == "事件处理已停"
    assert json.loads(parts["list-more"])["children"] == "可能不全：事件处理已停"
    parts = PartsWriter().write(view_of(calm(CENTRE, NOW)), NOW)
    assert json.loads(parts["list-none"])["children"] == "目前没有未了结的监察发现"
    assert json.loads(parts["list-more"])["children"] == ""


def test_the_thresholds_in_the_legend_are_those_of_the_centre_file():
    legend = {lamp.light: lamp.word for lamp in view_of(calm(CENTRE, NOW)).legend}
    assert legend["red"] == "红牌：超法定时限、空岗 30 分钟"


def test_only_what_changed_is_written_anew():
    writer = PartsWriter()
    before = writer.write(view_of(calm(CENTRE, NOW)), NOW)
    base = calm(CENTRE, NOW)
    finding = case_finding("A01", "C1", "time_limit.legal", "red", NOW - timedelta(hours=1), NOW)
    windows = (replace(base.windows[0], findings=(finding,)), *base.windows[1:])
    after = writer.write(view_of(replace(base, windows=windows)), NOW)
    changed = {part for part, text in after.items() if before[part] != text}
    assert {"tile-0", "tile-0-word", "tile-0-reason", "lamp-red-count", "lamp-green-count"} <= changed
    assert not [part for part in changed if part.startswith("tile-") and not part.startswith("tile-0")]


def test_every_part_has_its_component_in_the_page():
    ids: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, (list, tuple)):
            for child in node:
                walk(child)
        elif hasattr(node, "to_plotly_json"):
            ids.add(str(getattr(node, "id", None)))
            walk(getattr(node, "children", None))

    walk(skeleton(12, "b", "Asia/Shanghai"))
    for scene in (mixed, calm):
        assert set(PartsWriter().write(view_of(scene(CENTRE, NOW), speed=60), NOW)) <= ids


def test_the_demo_badge_shows_only_at_another_speed():
    assert json.loads(PartsWriter().write(view_of(calm(CENTRE, NOW)), NOW)["badge"])["children"] == ""
    fast = PartsWriter().write(view_of(calm(CENTRE, NOW), speed=60), NOW)
    assert json.loads(fast["badge"])["children"] == "演示 ×60"


@pytest.mark.parametrize("windows", [1, 5, 12, 23, 60, 64, 65, 200])
def test_the_grid_has_room_for_every_window(windows: int):
    columns = grid_columns(windows)
    rows = -(-windows // columns)
    assert columns * rows >= windows
    assert columns * (rows - 1) < windows
    assert density(windows)


def test_a_message_is_one_json_object():
    parsed = json.loads(message({"number": 3}, [("a", '{"children":"红"}'), ("b", "{}")]))
    assert parsed == {"number": 3, "set": {"a": {"children": "红"}, "b": {}}}
    assert json.loads(message({"number": 3}, [])) == {"number": 3, "set": {}}
