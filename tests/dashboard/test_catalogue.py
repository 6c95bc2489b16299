from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import dashboard
from dashboard.catalogue import BROWSER_KEYS, EN, ZH, browser_words
from dashboard.demo_snapshot import ZONE
from dashboard.words import Words
from detectors import absence, acceptance, sources
from domain.observations import REASONS

ROOM = Path(dashboard.__file__).parent


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_the_same_blanks():
    assert set(ZH) == set(EN)
    for key in ZH:
        assert fields(ZH[key]) == fields(EN[key]), key


def test_every_reason_a_camera_can_give_has_words():
    for reason in REASONS:
        assert f"camera_{reason}" in ZH


def test_every_rule_has_words():
    from detectors import delivery, stages, suspension, time_limit

    rules = [
        time_limit.NOTICE,
        time_limit.PROMISED,
        time_limit.LEGAL,
        acceptance.RULE,
        stages.RULE,
        suspension.RULE,
    ]
    for rule in [*rules, delivery.RULE, "extension.late"]:
        assert f"finding_{rule}" in ZH
        assert f"rule_{rule}" in ZH
    assert absence.judge_absence is not None
    assert sources.RULE.startswith("source.")


@pytest.mark.parametrize(
    "path",
    [p for p in ROOM.glob("*.py") if not p.name.startswith("catalogue") and p.name != "demo_snapshot.py"],
)
def test_no_chinese_stands_outside_the_catalogue(path: Path):
    code = re.sub(r'"""(?:.|\n)*?"""|#.*', "", path.read_text("utf-8"))
    assert not re.findall(r"[\u4e00-\u9fff]+", code)


def test_the_script_in_the_page_holds_no_words_and_asks_only_for_known_ones():
    code = (ROOM / "assets" / "wall.js").read_text("utf-8")
    assert not re.findall(r"[\u4e00-\u9fff]+", code)
    asked = set(re.findall(r'say\("(\w+)"', code)) | set(re.findall(r"words\.(\w+)", code))
    asked.discard("weekday_")
    assert asked <= set(BROWSER_KEYS)
    assert all(set(words) == set(BROWSER_KEYS) for words in browser_words().values())


@pytest.mark.parametrize(
    ("span", "zh", "en"),
    [
        (timedelta(seconds=-5), "0 秒", "0 s"),
        (timedelta(seconds=59), "59 秒", "59 s"),
        (timedelta(minutes=17, seconds=40), "17 分钟", "17 min"),
        (timedelta(hours=1, minutes=5), "1 小时 5 分", "1 h 5 min"),
        (timedelta(hours=2, minutes=40), "2 小时", "2 h"),
        (timedelta(hours=47, minutes=59), "47 小时", "47 h"),
        (timedelta(hours=48), "2 天", "2 d"),
    ],
)
def test_spans_as_a_person_says_them(span: timedelta, zh: str, en: str):
    assert Words("zh", ZONE).span(span) == zh
    assert Words("en", ZONE).span(span) == en


def test_moments_are_written_in_the_centres_time_with_the_day_only_where_it_is_another():
    words = Words("zh", ZONE)
    now = datetime(2026, 11, 24, 2, 42, tzinfo=UTC)
    assert words.moment(now, now) == "10:42"
    assert words.moment(now - timedelta(days=1), now) == "11月23日 10:42"
    assert words.day_or_time(now - timedelta(days=1), now) == "11月23日"
    assert words.date(now) == "2026年11月24日 星期二"


def test_an_unknown_language_is_chinese():
    assert Words("tlh", ZONE).language == "zh"
