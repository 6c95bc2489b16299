"""A broken centre file is refused with file, line and the nearest known key."""

from __future__ import annotations

import textwrap

import pytest

from domain.centre import Centre, load_centre
from domain.centre_file import parse_centre
from domain.errors import CentreFileError

HEAD = 'centre: {id: "530502", name: 隆阳区政务服务中心}\n'


def refusal(text, head=HEAD):
    with pytest.raises(CentreFileError) as caught:
        parse_centre(head + textwrap.dedent(text), "centre.yaml")
    error = caught.value
    assert error.exit_status == 2
    assert str(error).startswith("centre.yaml")
    assert "\n" not in str(error)
    return error


@pytest.mark.parametrize(
    ("text", "line", "nearest", "words"),
    [
        ("rules:\n  time_limit: {notice_befor: 2}", 3, "notice_before", "unknown key 'notice_befor' in rules.time_limit"),
        ("wndows: []", 2, "windows", "unknown key 'wndows'"),
        ("items:\n - code: A\n - code: B\n   legal_limt: {days: 5}", 5, "legal_limit", "items.1"),
        ("items:\n - code: A\n   stages:\n     review:\n       dayz: 4", 6, "days", "items.0.stages.review"),
        ("windows:\n - {id: A, xyzzy: 1}", 3, None, "known are"),
        ("items:\n - name: x", 3, None, "'code' is missing in items.0"),
        ("items:\n - {code: A, legal_limit: {days: 5, unit: workday}}", 3, None, "working_day"),
        ("items:\n - {code: A, legal_limit: {days: 0}}", 3, None, "greater than or equal to 1"),
        ("items:\n - {code: A, legal_limit: {days: 2.5}}", 3, None, "whole number"),
        ("items:\n - {code: A, legal_limit: {days: true}}", 3, None, "whole number"),
        ("items:\n - {code: A, legal_limit: {days: 99999}}", 3, None, "3660"),
        ("items: 5", 2, None, "list"),
        ("items:\n - {code: 1}", 3, None, "quotes"),
        ("items:\n - {code: A}\n - {code: A}", 4, None, "'A' stands twice"),
        ("windows:\n - {id: W}\n - {id: W}", 4, None, "'W' stands twice"),
        ("windows:\n - id: W\n   department: D", 4, None, "no department 'D'"),
        ("windows:\n - id: W\n   staff: [p1]", 4, None, "no person 'p1'"),
        ("windows:\n - id: W\n   leader: p1", 4, None, "no person 'p1'"),
        ("messages:\n  inspectors:\n   - p9", 4, None, "no person 'p9'"),
        ("windows: []\nwindows: []", 3, None, "stands twice (first in line 2)"),
        ("calendar:\n  holidays: [2026-03-03]\n  workdays: ['2026-03-03']", 4, None, "both holidays and workdays"),
        ("calendar: {base: XX}", 2, None, "'XX' is no calendar"),
        ("calendar:\n  holidays:\n   - 2026-02-30", 4, None, "2026-02-30"),
        ("calendar:\n  holidays:\n   - tomorrow", 4, None, "date"),
        ("rules: {time_limit: {deadline_at: noon}}", 2, None, "'close' or 'midnight'"),
        ("rules: {time_limit: {notice_before: 0}}", 2, None, "greater than or equal to 1"),
        ("items: [\n - {", 3, None, "not YAML"),
        ("a: &x {b: *x}", 2, None, "alias"),
        ("items: !!python/object/apply:os.system ['true']", 2, None, "not allowed"),
        ("note: \x07", 2, None, "not YAML"),
    ],
)  # fmt: skip
def test_defects_are_named_with_their_line(text, line, nearest, words):
    error = refusal(text)
    assert words in str(error)
    assert (error.line, error.nearest) == (line, nearest)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ('["09:00-08:00"]', "does not end after it begins"),
        ('["09:00-12:00", "11:00-13:00"]', "overlaps"),
        ('["9 to 5"]', "HH:MM-HH:MM"),
        ("{mon: ['09:00-12:00', '11:00-13:00']}", "overlaps"),
        ("{mno: ['09:00-12:00']}", "unknown key 'mno' in centre.office_hours (did you mean 'mon'?)"),
        ("{Monday: ['09:00-12:00']}", "did you mean 'mon'"),
        ("[]", "no day has any office hours"),
    ],
)
def test_office_hours_are_checked(hours, words):
    error = refusal("", head=f'centre:\n  id: "1"\n  office_hours: {hours}\n')
    assert words in str(error)
    assert error.line == 3


def test_a_time_zone_must_exist():
    error = refusal("", head='centre:\n  id: "1"\n  timezone: Asia/Shangai\n')
    assert error.line == 3


def test_a_camera_watches_windows_that_exist():
    text = """
        windows: [{id: A}]
        cameras:
          - id: k1
            url: sim://1
            posts:
              - name: left
                window: B
                polygon: [[0, 0], [1, 0], [1, 1]]
        """
    error = refusal(text)
    assert "no window 'B'" in str(error)
    assert error.line == 9


@pytest.mark.parametrize("text", ["", "- a\n", "5\n", "items: []\n"])
def test_what_is_no_centre_file_at_all(text):
    refusal(text, head="")


def test_a_missing_file_and_one_that_is_not_text(tmp_path):
    with pytest.raises(CentreFileError, match="cannot be read"):
        load_centre(tmp_path / "none.yaml")
    (tmp_path / "c.yaml").write_bytes(b"centre: {id: '1'}\n\nx: \xff\n")
    with pytest.raises(CentreFileError) as caught:
        load_centre(tmp_path / "c.yaml")
    assert caught.value.line == 3


def test_a_whole_file_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text(
        """\ufeff
centre: {id: "530502", name: 中心, timezone: Asia/Shanghai,
         office_hours: {mon: ["13:30-24:00", "09:00-12:00"], sat: ["09:00-11:00"]}}
calendar: {base: CN, holidays: [2026-03-03], workdays: ["2026-03-08"]}
items:
  - {code: A-001, name: 事项, legal_limit: {days: 20, unit: working_day}, supplement_limit: 5,
     stages: {review: {days: 2, unit: calendar_day}}}
windows: [{id: A07, name: 七号}]
""",
        "utf-8",
    )
    centre = load_centre(tmp_path / "c.yaml")
    assert centre.item_by_code["A-001"].stages["review"].unit == "calendar_day"
    assert centre.window_ids == {"A07"}
    assert len(centre.working_time.office_spans(centre.calendar.workdays[0].toordinal())) == 2


def test_a_window_may_have_hours_of_its_own():
    centre = parse_centre(HEAD + "windows: [{id: A}, {id: B, open_hours: ['10:00-11:00']}]")
    day = 739_678  # 2026-03-03
    assert len(centre.open_time("A").office_spans(day)) == 2
    assert len(centre.open_time("B").office_spans(day)) == 1
    assert centre.open_time("unknown") is centre.working_time


def test_settings_kept_with_a_case_come_back():
    centre = parse_centre(
        HEAD + "items: [{code: A, legal_limit: {days: 2}}, {code: B}]\ncalendar: {holidays: [2026-03-03]}"
    )
    again = Centre.model_validate(centre.clock_settings("A"))
    assert again.working_time.version == centre.working_time.version
    assert list(again.item_by_code) == ["A"]
