"""``messages:`` of the centre file: what it may say, and how it is told what it may not."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from domain.centre import Centre
from domain.centre_file import parse_centre
from domain.errors import CentreFileError
from domain.messages import MessageSettings

HEAD = """centre: {id: "530502"}
departments: [{id: d1, name: 人社局}]
people:
  - {id: a, name: 张三, phone: "1", addresses: {wecom: zhang}, email: a@example.cn}
  - {id: b, name: 李四}
windows: [{id: A01, handler: a, department: d1}]
messages:
"""
WHOLE = """
  operators: [b]
  channels: [sms, wecom]
  routes:
    - id: absence
      match: {rule: ["absence.*"], severity: [red], window: [A01], department: [d1], level: [county]}
      hours: working
      hold_for: 3
      to: [handler, superior]
      channels: [sms, email]
      remind_every: 30
      most_reminders: 7
      escalate: [{after: 30, to: [leader]}, {after: 120, to: [inspectors], channels: [voice]}]
  digest: {at: "17:30", days: working, rules: ["absence.*"]}
  flood: null
  quiet: {hours: ["21:00-07:00"], rest_days: true, except: [red]}
  budget: {per_day: 40, keep_for_red: 10}
  names: surname
  duty: [{role: inspectors, person: b, days: [sat, rest], hours: ["09:00-12:00"], from: 2026-01-01, until: 2026-12-31}]
"""


def test_the_whole_of_it_is_read_and_written_and_read_again() -> None:
    centre = parse_centre(HEAD + WHOLE)
    assert Centre.model_validate(centre.model_dump(mode="json")) == centre
    assert centre.messages.routes[0].goes_on
    assert centre.messages.digest is not None
    assert centre.messages.digest.days == ("working",)


def test_a_file_that_uses_none_of_it_is_kept_as_before() -> None:
    kept = parse_centre(HEAD + "  inspectors: [a]").model_dump(mode="json")
    assert set(kept["messages"]) == {"notice", "yellow", "red", "inspectors", "max_age_hours"}
    assert set(kept["people"][1]) == {"id", "name", "phone", "title", "invented"}


def test_what_is_done_where_nothing_is_said() -> None:
    plain = MessageSettings()
    assert (plain.notice, plain.yellow) == (["handler"], ["handler", "superior"])
    assert plain.group is not None
    assert plain.flood is not None
    assert (plain.quiet, plain.budget, plain.digest) == (None, None, None)
    assert not plain.by_severity("red").goes_on


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notice: [haendler]", "messages.notice: there is no role or person 'haendler'"),
        ("operators: [z]", "messages.operators: there is no person 'z'"),
        ("channels: [sms, sms]", "'sms' stands twice"),
        ("channels: []", "at least 1"),
        ("routes: [{id: x, to: [handler]}, {id: x, to: [leader]}]", "messages.routes: 'x' stands twice"),
        ("routes: [{to: [handler]}]", "'id' is missing in messages.routes.0"),
        ("routes: [{id: x, to: []}]", "messages.routes.0.to"),
        ("routes: [{id: x, to: [handler, handler]}]", "'handler' stands twice"),
        ("routes: [{id: x, to: [boss]}]", "messages.routes.0.to: there is no role or person 'boss'"),
        ("routes: [{id: x, to: [handler], hours: never}]", "messages.routes.0.hours"),
        ("routes: [{id: x, to: [handler], match: {windows: [A01]}}]", "did you mean 'window'?"),
        ("routes: [{id: x, to: [handler], match: {rule: [abscence.*]}}]", "there is no rule 'abscence.*'"),
        ("routes: [{id: x, to: [handler], match: {window: [A1]}}]", "there is no window 'A1'"),
        ("routes: [{id: x, to: [handler], match: {department: [d2]}}]", "there is no department 'd2'"),
        ("routes: [{id: x, to: [handler], match: {level: [city]}}]", "messages.routes.0.match.level"),
        (
            "routes: [{id: x, to: [handler], escalate: [{after: 30, to: [leader]}, {after: 30, to: [a]}]}]",
            "escalate: after 30 does not come later than 30",
        ),
        (
            "routes: [{id: x, to: [handler], escalate: [{after: 30, to: [boss]}]}]",
            "messages.routes.0.escalate.0.to: there is no role or person 'boss'",
        ),
        ("group: {roles: [handler]}", "cards to handler and superior are never grouped"),
        ("group: {roles: [boss]}", "messages.group.roles: there is no role or person 'boss'"),
        ("digest: {at: '25:00'}", "'25:00' is no time of day"),
        ("digest: {at: '17:30', to: [boss]}", "messages.digest.to: there is no role or person 'boss'"),
        ("flood: {more_than: 0}", "messages.flood.more_than"),
        ("quiet: {}", "neither hours nor rest days"),
        ("quiet: {hours: ['25:00-26:00']}", "'25:00-26:00' is not a time of day"),
        ("quiet: {hours: ['21:00-07:00'], except: [rot]}", "messages.quiet.except.0"),
        ("budget: {per_day: 10, keep_for_red: 10}", "10 of 10 leaves nothing for the rest"),
        ("names: initials", "messages.names"),
        ("inhibit: [{source: {rule: [x.y]}, target: {}, equal: [case]}]", "there is no rule 'x.y'"),
        ("inhibit: [{source: {window: [Z]}, target: {}, equal: [case]}]", "there is no window 'Z'"),
        ("duty: [{role: boss, person: b}]", "there is no role 'boss'"),
        ("duty: [{role: leader, person: z}]", "messages.duty: there is no person 'z'"),
        ("duty: [{role: leader, person: b, from: 2026-02-02, until: 2026-01-01}]", "2026-01-01 lies before 2026-02-02"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(CentreFileError) as refused:
        parse_centre(f"{HEAD}  {text}\n")
    assert said in str(refused.value)
    assert ":8:" in str(refused.value), "the line"


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-02-13 20:59", "2026-02-13 20:59"),
        ("2026-02-13 21:00", "2026-02-14 07:00"),  # the Saturday after it is worked
        ("2026-02-14 21:00", "2026-02-24 07:00"),  # the night, and then the spring festival
        ("2026-03-06 23:00", "2026-03-09 07:00"),
    ],
)
def test_quiet_nights_and_rest_days_that_touch_are_one(moment: str, end: str) -> None:
    zone, centre = ZoneInfo("Asia/Shanghai"), parse_centre(HEAD + WHOLE)
    assert centre.messages.quiet is not None
    at = datetime.fromisoformat(moment).replace(tzinfo=zone)
    expected = datetime.fromisoformat(end).replace(tzinfo=zone)
    assert centre.messages.quiet.until(at, centre.working_time) == expected
