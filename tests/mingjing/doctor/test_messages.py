"""Roles that nobody can be reached for, empty shifts, channels that are not there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from domain.events import Event
from mingjing.doctor import messages

PEOPLE = [
    {"id": "p1", "name": "张三", "phone": "13800000001", "email": "p1@example.cn"},
    {"id": "p2", "name": "李四", "phone": "13800000002"},
    {"id": "j1", "name": "王五"},
]
WINDOWS = [{"id": "A01", "handler": "p1", "superior": "p2"}, {"id": "A02", "handler": "p2"}]
#: Two weeks of working days: no week of the Dragon Boat Festival in them.
NOW = datetime(2026, 6, 29, 4, tzinfo=UTC)  # a Monday, noon in China
CHANNELS = """\
sms: {hook: http_map, url: "http://gateway/send", fields: {to: "{to}"}}
post: {hook: email, host: mail.example, sender: mingjing@gov.example}
group: {hook: wecom, url: "https://robot.example/secret"}
"""


@pytest.fixture
def office(patient):
    patient.now = NOW
    file = patient.folder / "channels.yaml"
    file.write_text(CHANNELS, "utf-8")
    patient.given["channels_file"] = file

    def ask(check: Any, said: dict[str, Any], **changes: Any):
        patient.write({"people": PEOPLE, "windows": WINDOWS, "messages": said, **changes})
        return patient.ask(check)

    return ask


@pytest.mark.parametrize(
    ("said", "name", "verdict", "words"),
    [
        ({}, "messages.reach", "ok", ""),
        ({"inspectors": ["j1"]}, "messages.reach", "warning", ": inspectors (j1)"),
        ({"inspectors": ["j1"]}, "messages.address", "warning", ": j1 (sms: phone)"),
        ({"inspectors": ["j1"], "channels": ["group"]}, "messages.reach", "ok", ""),
        ({"channels": ["post"]}, "messages.reach", "warning", "A02 handler (p2), A01 superior (p2)"),
        ({"channels": ["post", "sms"]}, "messages.address", "warning", ": p2 (post: email)"),
        ({"routes": [{"id": "r", "to": ["j1"]}]}, "messages.reach", "warning", ": j1"),
        ({"routes": [{"id": "r", "to": ["p1"], "escalate": [{"after": 5, "to": ["p2"], "channels": ["post"]}]}]},
         "messages.reach", "warning", ": p2"),
        ({"digest": {"at": "17:30", "to": ["j1"]}}, "messages.reach", "warning", ": j1"),
    ],
)  # fmt: skip
def test_whom_no_message_reaches(office, said, name, verdict, words) -> None:
    found = office(messages.reach, said)[name]
    assert (found.verdict, found.en.endswith(words)) == (verdict, True), found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"channels": ["sms", "pigeon"]}, "messages.yellow: pigeon"),
        ({"routes": [{"id": "r", "to": ["p1"], "channels": ["fax"]}]}, "messages.routes.r: fax"),
        ({"routes": [{"id": "r", "to": ["p1"], "escalate": [{"after": 5, "to": ["p2"], "channels": ["tube"]}]}]},
         "messages.routes.r.escalate: tube"),
        ({"channels": ["sms", "post", "log"]}, None),
    ],
)  # fmt: skip
def test_channels_that_are_not_there(office, said, words) -> None:
    found = office(messages.channels, said)
    assert (words is None) == (not found)
    assert words is None or words in found["messages.channels"].en


def test_a_window_without_a_handler(office) -> None:
    bare = [*WINDOWS, {"id": "A03", "superior": "p1"}]
    assert office(messages.handlers, {}, windows=bare)["messages.handler"].en.endswith(": A03")
    assert not office(messages.handlers, {})
    assert not office(
        messages.handlers, {"notice": [], "yellow": ["superior"], "red": ["superior"]}, windows=bare
    )
    assert not office(messages.handlers, {"duty": [{"role": "handler", "person": "p1"}]}, windows=bare)


def test_a_number_that_no_gateway_takes(office) -> None:
    wrong = [*PEOPLE, {"id": "p4", "name": "某", "phone": "0875-2120000"}]
    assert office(messages.numbers, {}, people=wrong)["messages.numbers"].en.endswith(": p4")
    assert not office(messages.numbers, {})


def test_somebody_hears_that_the_system_is_in_trouble(office) -> None:
    assert "messages.operators" in office(messages.operators, {})
    assert not office(messages.operators, {"operators": ["p1"]})


NIGHTS = {"role": "operators", "person": "p1", "days": ["working"], "hours": ["17:00-09:00"]}


def test_empty_shifts_of_the_next_two_weeks(office) -> None:
    said = office(messages.shifts, {"duty": [NIGHTS]})["messages.shifts"]
    assert "operators 06-29 12:00 – 06-29 17:00, operators 06-30 09:00 – 06-30 17:00" in said.en
    days = {**NIGHTS, "hours": ["09:00-17:00"]}
    weekend = {"role": "operators", "person": "p2", "days": ["rest"]}
    said = office(messages.shifts, {"duty": [NIGHTS, days, weekend]})["messages.shifts"]
    # Sunday's duty ends at midnight, and Monday's begins at nine.
    assert said.en.endswith(": operators 07-06 00:00 – 07-06 09:00, operators 07-13 00:00 – 07-13 09:00")
    assert not office(messages.shifts, {"duty": [NIGHTS], "operators": ["p1"]})
    assert not office(messages.shifts, {"inspectors": ["j1"]})


def test_leave_that_is_granted_already_makes_a_shift_empty(patient, monkeypatch) -> None:
    patient.now = NOW
    patient.write({"people": PEOPLE, "windows": WINDOWS, "messages": {"inspectors": ["j1"]}})
    scene = patient.scene()
    away = Event(
        "E1", "leave.granted", NOW, "oa", staff="j1", data={"from": "2026-07-02", "to": "2026-07-03"}
    )
    monkeypatch.setattr(type(scene), "connection", SimpleNamespace())
    monkeypatch.setattr(messages, "roster_events", lambda connection, centre, now: [away])
    (said,) = messages.shifts(scene)
    assert said.en.endswith(": inspectors 07-02 00:00 – 07-04 00:00")


def test_a_centre_that_is_well(patient) -> None:
    for check in messages.CHECKS:
        assert {each.verdict for each in patient.ask(check).values()} <= {"ok"}, check


def test_of_a_file_of_channels_that_cannot_be_read_the_gateways_check_speaks(patient) -> None:
    broken = patient.folder / "channels.yaml"
    broken.write_text("sms: [")
    for check in (messages.reach, messages.channels):
        assert not patient.ask(check, channels_file=broken)
