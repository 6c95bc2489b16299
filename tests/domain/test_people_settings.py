"""Sections and keys for ratings, complaints, staffing, intermediaries and trading; data of their kinds."""

from __future__ import annotations

import pytest

from domain.centre import Centre, Rules
from domain.centre_file import parse_centre
from domain.errors import CentreFileError, EventError
from domain.events import parse_event
from domain.rules.complaints import ComplaintSettings

SECTIONS = ("ratings", "complaints", "staffing", "attendance", "intermediaries", "trading", "blind")
HEAD = "centre: {id: x}\npeople: [{id: p, name: P}, {id: q, name: Q}]\n"


def parse(tail):
    return parse_centre(HEAD + tail)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_family_is_off_without_its_section_and_on_with_an_empty_one(section):
    assert getattr(parse("").rules, section) is None
    on = getattr(parse(f"rules: {{{section}: {{}}}}").rules, section)
    assert on is not None
    assert on.shadow is False


def test_a_file_without_the_sections_is_written_as_before():
    row = parse("windows: [{id: A01}]").model_dump(mode="json")
    assert not set(row["rules"]) & set(SECTIONS)
    assert not {"roster", "lunch", "pair", "ab_posts", "queues"} & row["windows"][0].keys()
    assert set(SECTIONS) <= Rules.model_fields.keys()


def test_the_keys_of_a_window_are_read_and_survive_being_kept():
    centre = parse(
        "windows:\n"
        " - {id: A01, pair: A02, queues: [tax], ab_posts: [{a: p, b: q}],\n"
        '    roster: [{staff: [p], days: [mon, 2026-03-07], hours: ["09:00-12:00"]}],\n'
        '    lunch: {hours: ["12:00-14:00"], days: [tue]}}\n'
        " - {id: A02}\n"
    )
    again = Centre.model_validate(centre.model_dump(mode="json"))
    assert again == centre
    assert str(again.windows[0].roster[0].days[1]) == "2026-03-07"


@pytest.mark.parametrize(
    ("tail", "line", "words"),
    [
        ("windows:\n - {id: A01, pair: A09}", 4, "no other window 'A09'"),
        ("windows:\n - {id: A01, pair: A01}", 4, "no other window 'A01'"),
        ("windows:\n - {id: A01, roster: [{staff: [z]}]}", 4, "no person 'z'"),
        ("windows:\n - {id: A01, ab_posts: [{a: p, b: z}]}", 4, "no person 'z'"),
        ("windows:\n - {id: A01, rooster: []}", 4, "roster"),
        ('windows:\n - {id: A01, lunch: {hours: ["14:00-12:00"], days: [mon]}}', 4, "does not end after it begins"),
        ("rules:\n  complaints: {dais: 5}", 4, "days"),
        ("rules:\n  trading: {traits: [colour]}", 4, "traits"),
        ("rules:\n  blind: {calendar_from: 13-01}", 4, "calendar_from"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(tail, line, words):
    with pytest.raises(CentreFileError, match=words) as caught:
        parse(tail)
    assert f"{line}" in str(caught.value)


def test_the_ladder_of_hunan_and_single_keys_beside_it():
    hunan = ComplaintSettings.model_validate({"profile": "hunan-2018"})
    assert (hunan.notice_before, hunan.yellow_over, hunan.criticism_over, hunan.red_over) == (2, 0, None, 1)
    own = ComplaintSettings.model_validate({"profile": "hunan-2018", "notice_before": 3})
    assert (own.notice_before, own.red_over) == (3, 1)
    assert ComplaintSettings().red_over is None, "no law makes it red"
    # What is kept of it is read back the same.
    assert ComplaintSettings.model_validate(own.model_dump(mode="json")) == own


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("commission.started", {}, "commission"),
        ("commission.started", {"commission": "k", "days": 0}, "days"),
        ("commission.started", {"commission": "k", "days": True}, "days"),
        ("commission.started", {"commission": "k", "unit": "week"}, "unit"),
        ("commission.delivered", {"commission": " "}, "commission"),
        ("bid.submitted", {"tender": "t", "bidder": "b", "price": "ten"}, "price"),
        ("bid.submitted", {"tender": "t", "bidder": "b", "opens_at": "2026-03-01T10:00"}, "opens_at"),
        ("bid.submitted", {"tender": "x" * 257, "bidder": "b"}, "tender"),
        ("bid.judged", {"tender": "t", "result": "perhaps"}, "result"),
        ("rating.fixed", {}, "rating"),
        ("rating.excluded", {"rating": 7}, "rating"),
        ("complaint.returned", {"complaint": None}, "complaint"),
    ],
)
def test_data_a_rule_cannot_do_without(kind, data, field):
    row = {
        "event_id": "1", "kind": kind, "occurred_at": "2026-03-02T10:00:00+08:00", "source": "s", "data": data,
    }  # fmt: skip
    with pytest.raises(EventError) as caught:
        parse_event(row)
    assert caught.value.field == f"data.{field}"


@pytest.mark.parametrize(
    "kind", ["rating.fixed", "complaint.returned", "complaint.opened", "complaint.answered"]
)
def test_the_case_names_a_rating_or_complaint_too(kind):
    row = {
        "event_id": "1",
        "kind": kind,
        "occurred_at": "2026-03-02T10:00:00+08:00",
        "source": "s",
        "case": "c1",
    }
    assert parse_event(row).case == "c1"
