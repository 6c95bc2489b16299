"""Every bad event gets its own code, field and sentence; good ones come through as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import EventError
from domain.events import KINDS, content_hash, event_to_json, parse_event, parse_line

GOOD = {
    "event_id": "e1",
    "kind": "case.accepted",
    "occurred_at": "2026-03-02T09:30:00+08:00",
    "source": "approval",
    "centre": "530502",
    "window": "A01",
    "case": "c1",
    "item": "A-001",
    "data": {},
}
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def changed(**changes):
    row = {**GOOD, **changes}
    return {key: value for key, value in row.items() if value != "absent"}


def refusal(obj, **more):
    with pytest.raises(EventError) as caught:
        parse_event(obj, centre="530502", windows=frozenset(("A01",)), **more)
    return caught.value


@pytest.mark.parametrize(
    ("obj", "code", "field"),
    [
        (None, "not_an_object", None),
        ([GOOD], "not_an_object", None),
        ("case.accepted", "not_an_object", None),
        (changed(event_id="absent"), "missing_field", "event_id"),
        (changed(event_id=""), "missing_field", "event_id"),
        (changed(event_id="  "), "missing_field", "event_id"),
        (changed(event_id=7), "wrong_type", "event_id"),
        (changed(event_id="x" * 257), "too_large", "event_id"),
        (changed(source="absent"), "missing_field", "source"),
        (changed(source=None), "missing_field", "source"),
        (changed(kind="absent"), "missing_field", "kind"),
        (changed(kind="case.acepted"), "unknown_kind", "kind"),
        (changed(kind=["case.accepted"]), "wrong_type", "kind"),
        (changed(occurred_at="absent"), "missing_field", "occurred_at"),
        (changed(occurred_at=1772415000), "wrong_type", "occurred_at"),
        (changed(occurred_at="2026-03-02T09:30:00"), "naive_time", "occurred_at"),
        (changed(occurred_at="2026-03-02"), "naive_time", "occurred_at"),
        (changed(occurred_at="2026-02-30T09:30:00+08:00"), "bad_time", "occurred_at"),
        (changed(occurred_at="2026-03-02T25:30:00+08:00"), "bad_time", "occurred_at"),
        (changed(occurred_at="yesterday"), "bad_time", "occurred_at"),
        (changed(occurred_at=""), "bad_time", "occurred_at"),
        (changed(occurred_at="1900-01-01T00:00:00+08:00"), "impossible_time", "occurred_at"),
        (changed(occurred_at="9999-12-31T23:59:59+08:00"), "impossible_time", "occurred_at"),
        (changed(occurred_at="0001-01-01T00:00:00+08:00"), "impossible_time", "occurred_at"),
        (changed(entered_at="2026-03-02T09:30:00"), "naive_time", "entered_at"),
        (changed(received_at="never"), "bad_time", "received_at"),
        (changed(received_at="2026-02-27T09:30:00+08:00"), "future_time", "occurred_at"),
        (changed(centre="530503"), "wrong_centre", "centre"),
        (changed(window="B99"), "unknown_window", "window"),
        (changed(window=3), "wrong_type", "window"),
        (changed(case="absent"), "missing_case", "case"),
        (changed(case=""), "missing_case", "case"),
        (changed(case=5), "wrong_type", "case"),
        (changed(kind="window.opened", window="absent"), "missing_field", "window"),
        (changed(kind="attendance.clock_in"), "missing_field", "staff"),
        (changed(data=[]), "wrong_type", "data"),
        (changed(data={"legal_deadline": "2026-03-02T09:30:00"}), "naive_time", "data.legal_deadline"),
        (changed(data={"promised_deadline": 5}), "wrong_type", "data.promised_deadline"),
        (changed(kind="case.extended"), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": 0}), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": -1}), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": 1.5}), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": True}), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": "3"}), "bad_data", "data.days"),
        (changed(kind="case.extended", data={"days": 10**9}), "bad_data", "data.days"),
        (changed(kind="case.suspended", data={"ground": "lunch"}), "bad_data", "data.ground"),
        (changed(kind="case.suspended", data={"ground": ["hearing"]}), "bad_data", "data.ground"),
        (changed(kind="case.suspended", data={}), "bad_data", "data.ground"),
        (changed(kind="case.suspended", data={"ground": "hearing", "days": 0}), "bad_data", "data.days"),
        (changed(kind="case.stage_started", data={}), "bad_data", "data.stage"),
        (changed(kind="case.stage_finished", data={"stage": 1}), "bad_data", "data.stage"),
        (changed(kind="case.decided", data={"result": "maybe"}), "bad_data", "data.result"),
        (changed(kind="rating.given", data={"level": 6}), "bad_data", "data.level"),
        (changed(kind="fee.charged", data={"amount": "five"}), "bad_data", "data.amount"),
        (changed(kind="leave.granted", staff="p", data={"from": "2026-03-02"}), "wrong_type", "data.to"),
        (
            changed(kind="leave.granted", staff="p", data={"from": "2026-03-02", "to": "2026-03-01"}),
            "bad_data",
            "data.to",
        ),
        (changed(data={"note": "a\x00b"}), "nul_byte", "data.note"),
        (changed(case="c\x00"), "nul_byte", "case"),
        (changed(data={"note": "\ud800"}), "bad_text", "data.note"),
        (changed(data={"note": "x" * 70_000}), "too_large", "data.note"),
        (changed(data={"note": float("nan")}), "bad_number", "data.note"),
        (changed(data={"deep": nested(30)}), "too_deep", None),
    ],
)
def test_each_defect_has_its_code_and_place(obj, code, field):
    error = refusal(obj)
    assert (error.code, error.field) == (code, field)
    assert error.exit_status == 2
    assert "\n" not in str(error)
    assert "\x00" not in str(error)


def test_a_day_in_the_future_is_refused_at_the_door_only():
    late = changed(occurred_at=(NOW + timedelta(hours=25)).isoformat())
    assert refusal(late, now=NOW).code == "future_time"
    assert parse_event(late).event_id == "e1"
    assert parse_event(changed(occurred_at=(NOW + timedelta(hours=23)).isoformat()), now=NOW)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b'{"a": 1} trailing', "bad_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a": \xff}', "not_utf8"),
        (b'{"event_id": "a\\u0000"}', "nul_byte"),
        (b'{"event_id": "a\x00"}', "nul_byte"),
        (b'{"data": {"x": "\\ud800"}}', "bad_text"),
        (b'{"data": {"x": NaN}}', "bad_number"),
        (b'{"data": {"x": -Infinity}}', "bad_number"),
        (b'{"data": {"x": ' + b"9" * 5000 + b"}}", "bad_number"),
        (b'{"event_id": "a", "event_id": "b"}', "duplicate_key"),
        (b'{"data": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        (b'"' + b"x" * 2_000_000 + b'"', "too_large"),
        (b"42", "not_an_object"),
    ],
)
def test_lines_that_cannot_be_read(line, code):
    with pytest.raises(EventError) as caught:
        parse_line(line)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T09:30:00+08:00", datetime(2026, 3, 2, 1, 30, tzinfo=UTC)),
        ("2026-03-02T01:30:00Z", datetime(2026, 3, 2, 1, 30, tzinfo=UTC)),
        ("2026-03-02t01:30:00z", datetime(2026, 3, 2, 1, 30, tzinfo=UTC)),
        ("2026-03-02 01:30:00.25Z", datetime(2026, 3, 2, 1, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-03-02T01:30:00.123456789Z", datetime(2026, 3, 2, 1, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T20:30:00-05:00", datetime(2026, 3, 2, 1, 30, tzinfo=UTC)),
    ],
)
def test_moments_with_any_offset(text, moment):
    assert parse_event(changed(occurred_at=text)).occurred_at == moment


def test_only_what_a_rule_needs_is_required():
    for kind, data in {
        "case.refused": {}, "case.supplement_requested": {}, "case.extended": {"days": 1}, "case.withdrawn": None,
        "fee.charged": {"amount": "12.50"}, "case.accepted": {"legal_deadline": None}, "case.suspended": {"ground": "other", "days": None},
    }.items():  # fmt: skip
        assert parse_event(changed(kind=kind, data=data)).kind == kind


def test_every_kind_of_the_contract_is_known():
    assert len(KINDS) >= 33
    assert parse_event({**GOOD, "kind": "queue.called", "case": None}).case is None


def test_unknown_fields_are_kept():
    event = parse_event({**GOOD, "colour": "red"})
    assert event.data["_extra"] == {"colour": "red"}
    again = parse_event(event_to_json(event))
    assert again == event
    odd = parse_event({**GOOD, "colour": "red", "data": {"_extra": 5}})
    assert odd.data["_extra"] == {"data": 5, "colour": "red"}


def test_empty_optional_codes_count_as_absent():
    event = parse_event({**GOOD, "window": "", "item": None})
    assert (event.window, event.item) == (None, None)


def test_content_is_what_is_said_not_how_or_when_it_came():
    base = content_hash(parse_event(GOOD))
    same = [
        {**GOOD, "occurred_at": "2026-03-02T01:30:00Z"},
        {**GOOD, "received_at": "2026-03-02T09:31:00+08:00"},
        {**GOOD, "data": None},
        dict(reversed(GOOD.items())),
    ]
    assert all(content_hash(parse_event(row)) == base for row in same)
    other = [
        {**GOOD, "occurred_at": "2026-03-02T01:30:01Z"},
        {**GOOD, "item": "A-002"},
        {**GOOD, "source": "other"},
        {**GOOD, "data": {"type": "x"}},
        {**GOOD, "entered_at": "2026-03-02T09:31:00+08:00"},
        {**GOOD, "colour": "red"},
    ]
    assert base not in {content_hash(parse_event(row)) for row in other}


def test_an_event_survives_its_json():
    event = parse_event({**GOOD, "kind": "case.suspended", "data": {"ground": "hearing", "days": 3}})
    assert parse_line(json.dumps(event_to_json(event))) == event


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*GOOD, "entered_at", "staff", "x"]), json_values))
def test_any_json_is_an_event_or_has_a_reason(changes):
    try:
        event = parse_event({**GOOD, **changes}, centre="530502", now=NOW)
    except EventError:
        return
    content_hash(event)
    event_to_json(event)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_reason(raw):
    with pytest.raises(EventError):
        parse_line(raw)


@pytest.mark.parametrize("number", ["1e400", "-1e999"])
def test_a_number_beyond_all_bounds_is_refused_where_it_stands(number: str) -> None:
    """JSON has no infinity, but a decoder makes one of these; the log would then hold a line nobody can read."""
    line = f'{{"event_id": "e", "kind": "fee.charged", "occurred_at": "2026-03-02T09:30:00+08:00", "source": "s", "data": {{"amount": {number}}}}}'
    with pytest.raises(EventError) as caught:
        parse_line(line)
    assert caught.value.code == "bad_number"
