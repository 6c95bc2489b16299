"""The words on the phone."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from alerts import catalogue
from alerts.messages import clean, mask_phone, message_values, moment_words, render_text, sms_parts
from domain.rule_names import NAMES
from tests.alerts.conftest import NOW

PARAMS = {
    "rule": "time_limit.promised",
    "severity": "yellow",
    "window": "A07",
    "window_name": "不动产登记",
    "case": "LY-0001",
    "who": "张三",
    "opened_at": "2026-11-20T17:00:00+08:00",
    "due_at": "2026-11-20T17:00:00+08:00",
    "ack_until": "2026-11-23T17:30:00+08:00",
}
LINK = "http://127.0.0.1:8050/ack/abcdefghijklmnop"


def words(
    template: str = "finding.yellow", language: str = "zh-CN", link: str | None = LINK, **changes
) -> str:
    values = message_values(template, PARAMS | changes, language, link=link, now=NOW)
    return render_text(template, values, language)


def test_a_yellow_card_says_what_where_which_rule_due_when_who_and_the_link() -> None:
    assert words() == (
        "【明镜】黄牌：A07 不动产登记窗口，办件LY-0001超承诺时限，时限11月20日17:00。请张三立即办理。"
        "11月23日17:30前确认：http://127.0.0.1:8050/ack/abcdefghijklmnop"
    )


def test_the_same_in_english() -> None:
    assert words(language="en", window_name="Real estate", who="Zhang San") == (
        "[Mingjing] Yellow card: window A07 Real estate, case LY-0001: past the promised limit, due 11-20 17:00. "
        "Zhang San: handle now. Acknowledge by 11-23 17:30: http://127.0.0.1:8050/ack/abcdefghijklmnop"
    )


def test_a_correction_says_that_nothing_is_to_be_done_and_has_no_link() -> None:
    text = words("finding.correction", link=None)
    assert text == (
        "【明镜】更正：A07 不动产登记窗口，办件LY-0001超承诺时限（黄牌，时限11月20日17:00）已撤销，无须处理，特此说明。"
    )


def test_an_absence_has_no_deadline_but_a_length() -> None:
    since = {"since": "2026-11-20T16:30:00+08:00", "minutes": 30.0}
    text = words("finding.red", rule="absence.red", severity="red", case=None, **since)
    assert "A07 不动产登记窗口无人在岗，自11月20日16:30起已满30分钟。请张三立即安排人员到岗。" in text


def test_who_waits_at_the_empty_window_is_said() -> None:
    since = {"since": "2026-11-20T16:30:00+08:00", "minutes": 10, "waiting": True}
    text = words("finding.notice", rule="absence.notice", severity="notice", case=None, **since)
    assert "无人在岗，自11月20日16:30起已满10分钟，有群众等候。" in text
    params = {"rule": "absence.notice", "severity": "notice", "case": None, "language": "en", **since}
    assert "for 10 minutes, since 11-20 16:30, citizens waiting." in words("finding.notice", **params)


def test_a_stage_is_named() -> None:
    assert "环节超时（现场勘验），" in words(rule="stage.overdue", stage="现场勘验")


def test_a_silent_source_is_named() -> None:
    params = {"rule": "source.silent", "severity": "notice", "case": None, "window": None, "source": "C01"}
    assert "预警：数据源C01数据中断，" in words("finding.notice", **params)
    camera = words("finding.notice", **params, kind="camera", who="周七")
    assert "预警：摄像头C01数据中断，" in camera
    assert "请周七检查摄像头。" in camera
    assert "all cameras of S1" in words("finding.notice", "en", **(params | {"kind": "site", "source": "S1"}))


@pytest.mark.parametrize(
    ("window", "name", "subject"),
    [
        ("A07", "不动产登记", "A07 不动产登记窗口"), ("A07", "", "A07窗口"), ("A07", "A07", "A07窗口"),
        ("A07", "A07 不动产登记", "A07 不动产登记窗口"), ("A06", "6号窗口 规划许可", "A06 6号窗口 规划许可"),
    ],
)  # fmt: skip
def test_a_window_is_named_once(window: str, name: str, subject: str) -> None:
    values = message_values(
        "finding.red",
        PARAMS | {"window": window, "window_name": name, "case": None},
        "zh-CN",
        link=None,
        now=NOW,
    )
    assert values["subject"] == subject


def test_a_long_card_fits_two_parts() -> None:
    text = words(
        "finding.red", severity="red", rule="time_limit.legal", window="A06", window_name="6号窗口 规划许可",
        who="王雪梅（虚构）", case="20261123-L002",
    )  # fmt: skip
    assert sms_parts(text) == 2


def test_a_usual_card_fits_two_parts() -> None:
    assert sms_parts(words()) == 2


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_every_rule_of_the_contract_has_words(language: str) -> None:
    rules = [
        "time_limit.notice", "time_limit.promised", "time_limit.legal", "acceptance.overdue", "stage.overdue",
        "suspension.overrun", "extension.late", "delivery.overdue", "absence.notice", "absence.yellow", "absence.red",
        "source.silent",
    ]  # fmt: skip
    general = catalogue.rule_words("unheard.of", language)
    assert "unheard.of" in general.name
    for rule in rules:
        assert rule not in catalogue.rule_words(rule, language).name


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_no_rule_is_called_by_its_id_in_a_message(language: str) -> None:
    for rule in NAMES:
        words = catalogue.rule_words(rule, language)
        assert rule not in words.name
        assert "{who}" in words.act


def test_what_a_family_asks_for_is_asked_for_by_each_of_its_rules() -> None:
    words = catalogue.rule_words("bid.price_near", "zh-CN")
    assert (words.name, words.act) == ("投标报价异常接近", catalogue.rule_words("bid.unknown", "zh-CN").act)
    assert catalogue.rule_words("absence.red", "zh-CN").name == "无人在岗"


def test_both_languages_have_the_same_entries() -> None:
    chinese, english = (catalogue.TEXTS[language] for language in catalogue.LANGUAGES)
    assert chinese.keys() == english.keys()
    for template in chinese:
        names = [sorted(set(re.findall(r"{(\w+)}", texts[template]))) for texts in (chinese, english)]
        assert names[0] == names[1]
    assert catalogue.PHRASES["zh-CN"].keys() == catalogue.PHRASES["en"].keys()
    assert catalogue._RULES["zh-CN"].keys() == catalogue._RULES["en"].keys()


def test_no_break_spaces_are_nowhere() -> None:
    """One of them makes a message of one part two or three."""
    assert not re.search(
        "[\u00a0\u202f\u2007\ufeff]", repr((catalogue.TEXTS, catalogue.PHRASES, catalogue._RULES))
    )
    assert "\u00a0" not in words(window_name="不动产\u00a0登记\u202f处")


def test_a_name_can_neither_break_the_line_nor_grow_the_message() -> None:
    assert clean("甲\n乙\x00 丙") == "甲 乙 丙"
    assert len(clean("很" * 500)) == 40
    assert "\n" not in words(case="LY\n-1")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 0), ("时" * 70, 1), ("时" * 71, 2), ("时" * 134, 2), ("时" * 135, 3), ("a" * 160, 1), ("a" * 161, 2),
        ("a" * 159 + "\u00a0", 3), ("[" * 80, 1), ("[" * 81, 2), ("😀" * 35, 1), ("😀" * 36, 2),
    ],
)  # fmt: skip
def test_it_counts_the_parts_a_gateway_charges(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


def test_the_year_is_named_where_it_is_another_one() -> None:
    moment = datetime.fromisoformat("2027-01-04T17:00:00+08:00")
    assert moment_words(moment, NOW, "zh-CN") == "2027年1月4日17:00"


def test_phones_are_masked() -> None:
    assert mask_phone("13800000001") == "138****0001"
    assert mask_phone("110") == "****"


def test_a_reminder_says_the_how_many_th_it_is_and_what_is_waited_for() -> None:
    assert words("finding.again", number=2).startswith(
        "【明镜】第2次提醒：A07 不动产登记窗口，办件LY-0001超承诺时限（黄牌，时限11月20日17:00）尚未确认。请张三立即办理。11月23日17:30前确认：http"
    )
    assert "尚未反馈" in words("finding.again", number=2, until="answered")
    assert "Reminder 3: " in words("finding.again", "en", number=3)


def test_an_escalation_says_how_long_nobody_has_acted_or_that_nobody_was_reached() -> None:
    assert words("finding.escalated", waited=30.0).startswith(
        "【明镜】黄牌升级：A07 不动产登记窗口，办件LY-0001超承诺时限（时限11月20日17:00），已逾30分钟未确认，升级至您。"
    )
    assert "通知未能送达责任人，升级至您" in words("finding.escalated", waited=None)
    assert "已逾15小时未确认，升级至您" in words("finding.escalated", waited=950)
    assert "no answer for 45 minutes" in words("finding.escalated", "en", waited=45, until="answered")


def test_a_message_about_the_system_itself() -> None:
    params = {
        "centre_name": "示例中心",
        "written_at": "2026-11-20T17:30:00+08:00",
        "channel": "sms",
        "note": None,
    }
    values = message_values("system.test", params, "zh-CN", link=None, now=NOW)
    assert "note" not in values
    text = render_text("system.test", values, "zh-CN")
    assert text == "【明镜】测试信息：示例中心11月20日17:30经sms发出。收到即为通畅，无须处理。"
    assert sms_parts(text) == 1
