"""Many findings in one message: counted by level, the worst by name, at most three short messages."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.messages import message_values, render_text, sms_parts
from tests.alerts.conftest import NOW

DESK = "http://10.20.30.40:8050/desk"
WORST = [
    {"window": "A07", "window_name": "不动产登记", "rule": "time_limit.legal", "case": "LY-2026-000123"},
    {"window": "A08", "window_name": "公积金", "rule": "absence.red"},
    {"rule": "source.silent", "source": "C01"},
]
PARAMS = {
    "centre_name": "隆阳区政务服务中心",
    "counts": {"notice": 0, "yellow": 3, "red": 2},
    "total": 5,
    "worst": WORST,
    "since": "2026-11-20T17:00:00+08:00",
    "until": "2026-11-20T17:30:00+08:00",
    "desk": DESK,
    "told": ["f1:p3:opened"],
}
DAY = {"closed": 4, "revoked": 1, "unanswered": 7, "overdue": 2}


def words(template: str, language: str = "zh-CN", **changes: Any) -> str:
    values = message_values(template, PARAMS | changes, language, link=None, now=NOW)
    return render_text(template, values, language)


def test_a_group_says_how_many_of_each_level_and_names_the_worst() -> None:
    assert words("digest.group") == (
        "【明镜】隆阳区政务服务中心监察发现5项：红牌2、黄牌3。"
        "重点：A07 不动产登记超法定时限；A08 公积金无人在岗；数据源C01数据中断。详见http://10.20.30.40:8050/desk"
    )


def test_a_name_that_stands_for_several_says_for_how_many() -> None:
    several = [WORST[0] | {"times": 12}, WORST[1]]
    assert "重点：A07 不动产登记超法定时限12件；A08 公积金无人在岗。" in words("digest.group", worst=several)
    assert "past the legal limit (12); " in words("digest.group", "en", worst=several)


def test_corrections_say_that_nothing_is_to_be_done() -> None:
    text = words("digest.corrections")
    assert "更正：5项监察发现（红牌2、黄牌3）已撤销，无须处理。" in text


def test_a_flood_says_from_when_to_when() -> None:
    assert words("digest.flood").startswith(
        "【明镜】隆阳区政务服务中心通知过多，11月20日17:00至11月20日17:30的5项合并告知：红牌2、黄牌3。"
    )


def test_a_day_says_what_is_new_what_is_over_and_what_nobody_has_answered() -> None:
    assert "新增红牌2、黄牌3；黄红牌结束4、撤销1；待反馈7，其中逾期2。重点：" in words("digest.daily", **DAY)
    quiet = words("digest.daily", counts={}, worst=[], total=0, **DAY)
    assert "新增无；黄红牌结束4" in quiet
    assert quiet.endswith("明细见监察台。详见http://10.20.30.40:8050/desk")


def test_without_an_address_it_names_the_desk() -> None:
    assert words("digest.group", desk="").endswith("。详见监察台")
    assert words("digest.group", "en", desk="").endswith(". See the desk")


def test_the_same_in_english() -> None:
    assert words("digest.group", "en", centre_name="Longyang", worst=WORST[1:2]) == (
        "[Mingjing] Longyang: 5 findings: Red card 2, Yellow card 3. First of all: A08 公积金: nobody at the post. "
        "See http://10.20.30.40:8050/desk"
    )


@pytest.mark.parametrize(
    ("template", "parts"),
    [("digest.group", 2), ("digest.flood", 2), ("digest.corrections", 2), ("digest.daily", 3)],
)
def test_it_takes_few_short_messages(template: str, parts: int) -> None:
    assert sms_parts(words(template, **DAY)) <= parts


@pytest.mark.parametrize("template", ["digest.group", "digest.flood", "digest.corrections", "digest.daily"])
def test_no_name_however_long_makes_it_longer_than_three(template: str) -> None:
    name, rule = "很长" * 60, "commission.overdue"
    worst = [{"window": f"A{n}", "window_name": name, "rule": rule, "case": "9" * 80} for n in range(9)]
    counts = {"notice": 5000, "yellow": 5000, "red": 5000}
    text = words(template, centre_name=name, worst=worst, counts=counts, total=15000, **DAY)
    assert sms_parts(text) <= 3
    assert "A3" not in text


def test_a_citizens_case_is_named_only_where_nothing_else_is() -> None:
    assert "LY-2026" not in words("digest.group")
    assert "办件LY-2026-000123超法定时限" in words(
        "digest.group", worst=[{"rule": "time_limit.legal", "case": "LY-2026-000123"}]
    )
