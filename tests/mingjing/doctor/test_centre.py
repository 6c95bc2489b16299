"""What people forget to write into the centre file, and calendars that end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mingjing.doctor import cameras, centre, gateway

POLYGON = [[0, 0], [1, 0], [1, 1]]


def camera(**more):
    return {
        "id": "c1",
        "url": "rtsp://127.0.0.1:1/x",
        "posts": [{"name": "p", "window": "A01", "polygon": POLYGON}],
    } | more


def test_a_file_that_is_well_is_counted(patient):
    said = patient.ask(centre.centre_file)["centre.file"]
    assert (said.verdict, said.en) == ("ok", "某中心: 1 windows, 1 items, 0 cameras")
    for check in centre.CHECKS:
        assert {each.verdict for each in patient.ask(check).values()} <= {"ok"}, check


def test_a_broken_file_is_named_with_its_line(patient):
    (patient.folder / "centre.yaml").write_text("centre: {id: '1'}\nwidows: []\n")
    said = patient.ask(centre.centre_file)["centre.file"]
    assert said.verdict == "fault"
    assert "centre.yaml:2" in said.en
    (patient.folder / "centre.yaml").unlink()
    assert "MINGJING_CENTRE" in patient.ask(centre.centre_file)["centre.file"].mend


def test_a_folder_names_every_broken_file(patient):
    folder = patient.folder / "centres"
    folder.mkdir()
    (folder / "a.yaml").write_text("centre: {id: a}\nwindows: [{id: A01}]\n")
    (folder / "b.yaml").write_text("centre: {id: b}\nwidows: []\n")
    (folder / "note.txt").write_text("x")
    said = patient.ask(centre.centre_file, centre=folder)
    assert said["centre.file"].verdict == "fault"
    assert "b.yaml:2" in said["centre.file"].en
    assert "note.txt" in said["centre.ignored"].en


@pytest.mark.parametrize(
    ("now", "base", "expected"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), "CN", {"calendar.this_year": "ok"}),
        (
            datetime(2026, 11, 2, tzinfo=UTC),
            "CN",
            {"calendar.this_year": "ok", "calendar.next_year": "warning"},
        ),
        (datetime(2025, 11, 2, tzinfo=UTC), "CN", {"calendar.this_year": "ok", "calendar.next_year": "ok"}),
        (datetime(2031, 6, 1, tzinfo=UTC), "CN", {"calendar.this_year": "fault"}),
        (datetime(2031, 12, 1, tzinfo=UTC), "none", {"calendar.this_year": "ok", "calendar.next_year": "ok"}),
    ],
)
def test_a_calendar_that_ends_is_seen_before_the_new_year(patient, now, base, expected):
    patient.now = now
    patient.write({"calendar": {"base": base}})
    assert {name: each.verdict for name, each in patient.ask(centre.calendar).items()} == expected


@pytest.mark.parametrize(
    ("changes", "check", "name", "verdict", "word"),
    [
        ({"centre": {"id": "1", "office_hours": ["09:00-11:00"]}}, centre.office_hours, "centre.office_hours", "warning", "2 h"),
        ({"items": [{"code": "B-9"}]}, centre.limits, "centre.limits", "warning", "B-9"),
        ({"items": [{"code": "B-9", "legal_limit": {"days": 5}, "promised_limit": {"days": 9}}]}, centre.limits, "centre.limits", "warning", "longer"),
        ({"windows": [{"id": "A01"}, {"id": "A02"}], "cameras": [camera()]}, centre.posts, "centre.posts", "warning", "A02"),
        ({"windows": [{"id": "A01", "handler": "p9"}]}, centre.centre_file, "centre.file", "fault", "no person 'p9'"),
        ({"windows": [{"id": "A03"}]}, centre.people, "centre.responsible", "warning", "A03"),
        ({"cameras": [camera(every=12)]}, cameras.interval, "camera.interval", "fault", "c1 (12 s > 10 s)"),
        ({"cameras": [camera(every=6)]}, cameras.interval, "camera.interval", "warning", "c1 (6 s)"),
        ({"cameras": [camera()]}, cameras.interval, "camera.interval", "ok", ""),
        ({"cameras": [camera(url="rtsp://u:p@127.0.0.1:1/x")]}, cameras.credentials, "camera.password", "warning", "c1"),
        ({"cameras": [camera(password_env="NOT_SET_ANYWHERE")]}, cameras.credentials, "camera.password", "warning", "NOT_SET"),
        ({"cameras": [camera()]}, cameras.answers, "camera.answers", "fault", "1 of 1"),
        ({"cameras": [camera(url="file:///not/there.mp4")]}, cameras.answers, "camera.answers", "fault", "no such file"),
        ({"windows": [{"id": "A01", "name": "不动产\u2060登记", "handler": "p1"}]}, gateway.message_texts, "sms.spaces", "warning", "windows.A01.name"),
    ],
)  # fmt: skip
def test_what_people_forget(patient, changes, check, name, verdict, word):
    patient.write(changes)
    said = patient.ask(check)[name]
    assert said.verdict == verdict
    assert word in said.en


def test_a_message_that_gets_too_long_is_counted(patient):
    patient.write({"windows": [{"id": "A01", "name": "窗" * 40, "handler": "p1"}]})
    said = patient.ask(gateway.message_texts, base_url="https://" + "a" * 200 + ".example.cn")
    assert said["sms.length"].verdict == "warning"
    assert said["sms.length"].en.endswith(")")
    assert (
        patient.ask(gateway.message_texts, base_url="https://zwfw.example.cn")["sms.template"].verdict == "ok"
    )


def test_a_simulated_clock_has_no_business_here(patient):
    assert patient.ask(centre.clock_setting, clock="sim:0:0:60")["clock.setting"].verdict == "warning"
    patient.now = datetime(2020, 1, 1, tzinfo=UTC)
    assert patient.ask(centre.clock_setting)["clock.setting"].verdict == "fault"
