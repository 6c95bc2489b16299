"""The invented centre: believable, the same at every call, one set of events for past and present."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from detectors.cases import judge_case
from domain.centre import Centre, load_centre
from domain.events import KINDS, event_to_json, parse_event
from domain.findings import Finding
from mingjing.demo.cases import World
from mingjing.demo.centre import make_centre, write_centre
from mingjing.demo.hall import hall_events
from mingjing.demo.incidents import LATE_CASES
from mingjing.demo.simulator import HISTORY_CHUNK, Progress, Simulator

ZONE = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 11, 20, 8, 50, tzinfo=ZONE)
EVENING = datetime(2026, 11, 20, 17, 5, tzinfo=ZONE)


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Centre:
    path = tmp_path_factory.mktemp("demo") / "centre.yaml"
    write_centre(path, make_centre(12, (), path.parent))
    return load_centre(path)


@pytest.fixture(scope="module")
def world(centre: Centre) -> World:
    return World(centre)


@pytest.fixture(scope="module")
def past(world: World) -> list:
    return [event for day in world.history(MORNING, 30) for event in day]


def open_at(events, centre: Centre, now: datetime) -> list[Finding]:
    cases = defaultdict(list)
    for event in events:
        cases[event.case].append(event)
    return [
        finding
        for own in cases.values()
        for finding in judge_case(own, centre, now).findings
        if finding.state == "open"
    ]


def test_thirty_working_days_have_about_a_hundred_cases_each(past):
    began = Counter(
        event.occurred_at.astimezone(ZONE).date() for event in past if event.kind == "case.received"
    )
    assert len(began) == 30
    assert all(60 <= count <= 150 for count in began.values())
    assert 85 <= sum(began.values()) / 30 <= 120


def test_the_past_ends_where_the_present_begins_and_nothing_is_in_both(world, past):
    live = world.between(MORNING, EVENING)
    assert max(event.occurred_at for event in past) <= MORNING < min(event.occurred_at for event in live)
    ids = [event.event_id for event in past + live]
    assert len(ids) == len(set(ids))


def test_two_pieces_of_time_are_the_same_events_as_the_whole(world):
    noon = MORNING + timedelta(hours=3.3)
    assert world.between(MORNING, noon) + world.between(noon, EVENING) == world.between(MORNING, EVENING)


def test_another_process_tells_the_same_lives(centre, world):
    assert World(centre).cases_of(date(2026, 11, 19)) == world.cases_of(date(2026, 11, 19))


def test_every_event_is_one_the_door_would_take(world, past, centre):
    for event in past[:2000] + world.between(MORNING, EVENING) + hall_events(world, MORNING.date()):
        taken = parse_event(event_to_json(event), centre=centre.centre.id, windows=centre.window_ids)
        assert taken.kind in KINDS


def test_the_past_shows_every_kind_of_case_event_that_a_centre_knows(past):
    kinds = {event.kind for event in past}
    assert {
        "case.suspended",
        "case.resumed",
        "case.extended",
        "case.supplement_requested",
        "case.refused",
    } <= kinds
    assert {"case.withdrawn", "case.delivered", "case.stage_finished", "rating.given"} <= kinds
    notices = [event.data for event in past if event.kind == "case.suspended"]
    assert all(data["notice_no"] and data["days"] >= 1 for data in notices)


def test_nothing_happens_on_a_rest_day_or_at_night(world, past):
    for event in past + world.between(MORNING, EVENING):
        local = event.occurred_at.astimezone(ZONE)
        assert world.is_working(local.date()), event
        assert 9 <= local.hour < 18, event


def test_few_are_late_and_most_of_the_wall_is_green_in_the_morning(past, centre):
    worst = [finding for finding in open_at(past, centre, MORNING) if finding.severity != "notice"]
    assert len(worst) <= 4
    assert not [finding for finding in worst if finding.severity == "red"]


def test_late_cases_turn_yellow_and_red_at_their_hours_and_are_closed_again(world, past, centre):
    live = world.between(MORNING, EVENING)

    def worst(hour: float) -> set[str]:
        now = datetime.combine(MORNING.date(), datetime.min.time(), ZONE) + timedelta(hours=hour)
        events = [
            event for event in past + live if event.case and "-L" in event.case and event.occurred_at <= now
        ]
        return {finding.severity for finding in open_at(events, centre, now)}

    assert worst(9.5) <= {"notice"}
    assert "yellow" in worst(9.95)
    assert "red" in worst(10.6)
    assert worst(11.5) <= {"notice"}
    assert "red" in worst(14.2)


def test_the_past_is_free_of_incidents_and_the_first_day_has_all_of_them(world, past):
    assert {event.case for event in past if event.case and "-L" in event.case} == {
        f"530502-20261120-L{number:03d}" for number in range(1, len(LATE_CASES) + 1)
    }


def test_people_and_numbers_are_marked_as_invented(centre):
    assert all(person.invented and "虚构" in person.name for person in centre.people)
    assert all(person.phone.startswith("1550000") for person in centre.people)


@pytest.mark.parametrize("count", [1, 5, 12, 60])
def test_any_number_of_windows_is_a_valid_centre(count, tmp_path: Path):
    write_centre(tmp_path / "centre.yaml", make_centre(count, (), tmp_path))
    centre = load_centre(tmp_path / "centre.yaml")
    assert len(centre.windows) == count
    assert {post.window for camera in centre.cameras for post in camera.posts} == centre.window_ids
    assert World(centre).cases_of(date(2026, 11, 19))


def test_a_real_camera_takes_the_place_of_a_simulated_post(tmp_path: Path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    made = make_centre(12, (f"A03={clip}",), tmp_path)
    watching = {post["window"]: camera for camera in made["cameras"] for post in camera["posts"]}
    assert watching["A03"]["url"] == str(clip)
    assert watching["A04"]["url"].startswith("sim:")
    assert len(watching) == 12


def test_a_password_in_a_camera_address_goes_into_a_private_file(tmp_path: Path):
    made = make_centre(12, ("A03=rtsp://guard:s3cret%21@10.0.0.9/live",), tmp_path)
    assert "s3cret" not in yaml.safe_dump(made)
    camera = next(camera for camera in made["cameras"] if camera["id"] == "real-A03")
    assert (camera["url"], camera["user"]) == ("rtsp://10.0.0.9/live", "guard")
    kept = Path(camera["password_file"])
    assert kept.read_text() == "s3cret!"
    assert kept.stat().st_mode & 0o077 == 0


class Log:
    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.broken = False

    def publish(self, topic, messages):
        if self.broken:
            raise OSError("the log is away")
        self.values += [value for _, value in messages]


def begin(world: World, log: Log, folder: Path) -> Simulator:
    midnight = MORNING.replace(hour=0, minute=0)
    return Simulator(world, log, Progress.load(folder / "simulator.json", midnight))


def test_the_first_look_tells_the_live_day_before_the_past(world, tmp_path):
    log = Log()
    assert begin(world, log, tmp_path).step(MORNING + timedelta(minutes=30)) > HISTORY_CHUNK
    first = log.values[0].decode()
    assert "2026-11-20" in first or "2026-11-19T2" in first


def test_a_restart_goes_on_where_it_was(world, tmp_path):
    once, twice = Log(), Log()
    whole = begin(world, once, tmp_path / ".")
    for minute in range(0, 60, 10):
        whole.step(MORNING + timedelta(minutes=minute))
    other = tmp_path / "other"
    other.mkdir()
    for minute in range(0, 60, 10):
        begin(world, twice, other).step(MORNING + timedelta(minutes=minute))
    live = [value for value in once.values if b'"received_at": "2026-11-20' in value]
    assert [value for value in twice.values if b'"received_at": "2026-11-20' in value] == live


def test_nothing_is_forgotten_when_the_log_is_away(world, tmp_path):
    log = Log()
    simulator = begin(world, log, tmp_path)
    log.broken = True
    with pytest.raises(OSError, match="away"):
        simulator.step(MORNING + timedelta(minutes=30))
    log.broken = False
    begin(world, log, tmp_path).step(MORNING + timedelta(minutes=30))
    expected = len(world.between(MORNING.replace(hour=0, minute=0), MORNING + timedelta(minutes=30)))
    assert sum(b'"source": "demo-approval"' in value for value in log.values) >= expected


def test_a_damaged_note_is_a_beginning_and_not_an_end(world, tmp_path):
    (tmp_path / "simulator.json").write_text("{half")
    begin(world, Log(), tmp_path).step(MORNING)


def test_the_past_comes_case_by_case_with_the_end_first(world, tmp_path):
    log = Log()
    simulator = begin(world, log, tmp_path)
    while not simulator.past_is_in:
        simulator.step(MORNING)
    stops: set[str] = set()
    rows = [json.loads(value) for value in log.values]
    for row in rows:
        if row["kind"] in ("case.decided", "case.refused"):
            stops.add(row["case"])
    seen: set[str] = set()
    for row in rows:
        if row["occurred_at"] > "2026-11-19T16" or row["case"] not in stops:
            continue
        if row["kind"] in ("case.decided", "case.refused"):
            seen.add(row["case"])
        if row["kind"] in ("case.received", "case.accepted"):
            assert row["case"] in seen, row
