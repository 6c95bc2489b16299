from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dashboard.demo_snapshot import BEATS, NOON, ZONE, absence_finding, case_finding
from dashboard.facts import Beat, FindingFacts, WindowFacts
from dashboard.lights import (
    LIGHTS,
    SHAPES,
    Light,
    LightSettings,
    finding_text,
    judge_light,
    leading,
    short_case,
)
from dashboard.words import Words

ZH, EN = Words("zh", ZONE), Words("en", ZONE)
NOW = NOON
WELL = WindowFacts(
    "A01",
    presence="present",
    since=NOW - timedelta(minutes=21),
    seen_at=NOW - timedelta(seconds=3),
    open_cases=4,
)


def judge(window: WindowFacts = WELL, words: Words = ZH, **more: Any) -> Light:
    values: dict[str, Any] = {"now": NOW, "settings": LightSettings(), "beats": BEATS} | more
    return judge_light(window, words=words, **values)


def overdue(severity: str, rule: str, **span: float) -> FindingFacts:
    return case_finding("A01", "530502-2026-110023", rule, severity, NOW - timedelta(**span), NOW)


def test_a_staffed_window_is_green_and_says_since_when():
    light = judge()
    assert (light.light, light.word, light.reason) == ("green", "正常", "有人在岗")
    assert light.since == WELL.since
    assert light.seen_at == WELL.seen_at


def test_a_case_past_its_promise_is_yellow_and_names_case_and_span():
    light = judge(replace(WELL, findings=(overdue("yellow", "time_limit.promised", hours=2),)))
    assert (light.light, light.word) == ("yellow", "黄牌")
    assert light.reason == "办件 …0023 超承诺时限 2 小时"


def test_the_worst_finding_wins_and_the_others_are_counted():
    notice = case_finding("A01", "C9", "time_limit.notice", "notice", NOW + timedelta(hours=3), NOW)
    red = overdue("red", "time_limit.legal", minutes=5)
    light = judge(replace(WELL, findings=(notice, red, overdue("yellow", "stage.overdue", hours=1))))
    assert (light.light, light.more) == ("red", 2)  # the notice is of another case, the stage another rule
    assert light.reason == "办件 …0023 超法定时限 5 分钟"


def test_one_matter_is_one_finding_however_many_cards_it_has():
    cards = [
        absence_finding("A01", level, NOW - timedelta(minutes=m), 5)
        for level, m in (("notice", 20), ("yellow", 15), ("red", 1))
    ]
    case = [overdue("yellow", "time_limit.promised", days=3), overdue("red", "time_limit.legal", hours=1)]
    found = leading([*cards, *case, overdue("yellow", "stage.overdue", hours=2)])
    assert [(f.rule, f.severity) for f in found] == [
        ("time_limit.legal", "red"), ("absence.red", "red"), ("stage.overdue", "yellow"),
    ]  # fmt: skip
    assert judge(replace(WELL, findings=tuple(cards))).more == 0


def test_of_equals_the_oldest_is_named():
    young = overdue("red", "time_limit.legal", hours=1)
    old = replace(overdue("red", "time_limit.legal", hours=9), subject="case:other")
    assert judge(replace(WELL, findings=(young, old))).reason.endswith("9 小时")


def test_an_absence_counts_from_the_moment_the_post_became_empty():
    finding = absence_finding("A01", "yellow", NOW - timedelta(minutes=2), 15)
    light = judge(replace(WELL, presence="absent", since=NOW - timedelta(minutes=17), findings=(finding,)))
    assert light.reason == "空岗 17 分钟"
    assert light.since == NOW - timedelta(minutes=17)


def test_an_empty_window_at_which_somebody_waits_says_so():
    finding = absence_finding("A01", "yellow", NOW - timedelta(minutes=2), 15)
    empty = replace(WELL, presence="absent", since=NOW - timedelta(minutes=17), waiting=True)
    assert judge(replace(empty, findings=(finding,))).reason == "空岗 17 分钟，有群众等候"
    assert judge(replace(empty, since=NOW - timedelta(minutes=4))).reason == "短时离位 4 分钟，有群众等候"


def test_a_short_absence_is_green_but_says_so():
    light = judge(replace(WELL, presence="absent", since=NOW - timedelta(minutes=4)))
    assert (light.light, light.reason) == ("green", "短时离位 4 分钟")


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        (
            replace(WELL, presence="unknown", reason="covered", since=NOW - timedelta(minutes=3)),
            "镜头被遮挡 3 分钟",
        ),
        (replace(WELL, presence="unknown", reason="no_frame", since=None), "摄像头无画面"),
        (replace(WELL, presence="unknown", reason="brand_new"), "无法判断（brand_new） 21 分钟"),
        (replace(WELL, presence=None, seen_at=None), "尚无数据"),
        (replace(WELL, seen_at=None), "尚无数据"),
        (replace(WELL, seen_at=NOW - timedelta(seconds=61)), "摄像头数据停了 1 分钟"),
    ],
)
def test_what_cannot_be_seen_is_grey_with_the_reason(window: WindowFacts, reason: str):
    light = judge(window)
    assert (light.light, light.word, light.reason) == ("grey", "未知", reason)


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("worker", "事件处理已停 4 分钟"),
        ("rules", "规则判定已停 4 分钟"),
        ("cameras", "摄像头服务已停 4 分钟"),
    ],
)
def test_a_stopped_process_makes_its_windows_grey(role: str, reason: str):
    beats = [Beat(b.role, 240.0 if b.role == role else 1.0) for b in BEATS]
    light = judge(beats=beats)
    assert (light.light, light.reason) == ("grey", reason)


def test_a_process_never_heard_of_is_as_bad_as_a_stopped_one():
    assert judge(beats=[Beat("worker", 1.0)]).light == "grey"
    assert judge(beats=[]).light == "grey"


def test_one_living_instance_of_a_role_is_enough():
    assert judge(beats=[*BEATS, Beat("worker", 900.0)]).light == "green"


def test_a_window_without_a_camera_is_judged_by_its_cases_and_says_so():
    window = WindowFacts("E02", has_camera=False)
    light = judge(window, beats=[Beat("worker", 1), Beat("rules", 1)])
    assert (light.light, light.reason, light.seen_at) == ("green", "无摄像头，看办件", None)


def test_a_card_stays_although_the_camera_is_silent():
    window = replace(
        WELL, presence="unknown", reason="no_frame", findings=(overdue("red", "time_limit.legal", hours=1),)
    )
    assert judge(window).light == "red"


def test_a_silent_camera_is_grey_on_the_tile_although_its_finding_is_a_notice():
    finding = FindingFacts("f", "source.silent", "notice", "source:camera:K1", NOW, window="A01")
    window = replace(WELL, presence="unknown", reason="unreachable", findings=(finding,))
    assert judge(window).light == "grey"


@pytest.mark.parametrize(
    ("window", "word"),
    [
        (replace(WELL, desk="paused"), "暂停"),
        (replace(WELL, desk="closed"), "关闭"),
        (replace(WELL, open_now=False), "已下班"),
        (replace(WELL, open_now=False, desk="paused", presence="unknown"), "已下班"),
    ],
)
def test_a_window_that_is_shut_is_calm(window: WindowFacts, word: str):
    light = judge(window)
    assert (light.light, light.word) == ("off", word)


def test_a_card_is_shown_after_hours_too():
    window = replace(WELL, open_now=False, findings=(overdue("red", "time_limit.legal", hours=1),))
    assert judge(window).light == "red"


def test_without_the_store_nothing_is_green():
    light = judge(blind_since=timedelta(minutes=2))
    assert (light.light, light.reason) == ("grey", "数据库无应答 2 分钟")


def test_at_demo_speed_silence_is_counted_in_real_seconds():
    window = replace(WELL, seen_at=NOW - timedelta(minutes=30))
    assert judge(window, settings=LightSettings(speed=60)).light == "green"
    assert judge(window, settings=LightSettings(speed=1)).light == "grey"


def test_a_provisional_finding_says_so():
    finding = replace(overdue("yellow", "time_limit.promised", hours=2), provisional=True)
    assert judge(replace(WELL, findings=(finding,))).reason.endswith("(暂定)")


def test_english():
    light = judge(replace(WELL, findings=(overdue("yellow", "time_limit.promised", hours=2),)), EN)
    assert (light.word, light.reason) == ("Yellow", "Case …0023 past promise 2 h")


def test_an_unknown_rule_is_named_and_not_hidden():
    finding = FindingFacts(
        "f", "fee.unpublished", "yellow", "case:C1", NOW - timedelta(minutes=3), window="A01"
    )
    assert judge(replace(WELL, findings=(finding,))).reason == "监察发现 fee.unpublished 3 分钟"


def test_every_light_has_its_own_shape():
    assert len({SHAPES[light] for light in LIGHTS}) == len(LIGHTS)


def test_short_case_numbers_stay_whole():
    assert [short_case(c) for c in ("C1", "530502-2026-110023", None)] == ["C1", "…0023", ""]


@pytest.mark.parametrize(
    ("language", "text"), [("zh", "投标报价异常接近"), ("en", "prices abnormally alike")]
)
def test_a_rule_without_words_of_its_own_is_called_by_its_name(language, text):
    finding = replace(case_finding("B01", "c1", "bid.price_near", "notice", NOON, NOON), case=None)
    assert text in finding_text(finding, Words(language, ZONE), NOON)


def test_a_site_that_is_down_is_said_of_the_site():
    finding = FindingFacts("f", "source.silent", "notice", "source:site:二层交换机", NOON)
    assert finding_text(finding, Words("zh", ZONE), NOON) == "点位 二层交换机 多台摄像头同时中断"
