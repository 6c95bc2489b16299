"""From pictures to findings: people counted at a post and people waiting before one, through the real store, live and judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from camera_adapters.reader import Link
from camera_adapters.slot import Slot
from camera_adapters.source import Frame
from camera_adapters.station import Station, Timebase
from detectors.absence import judge_absence
from detectors.presence.nets.net import Person
from detectors.presence.posts import Post
from detectors.presence.watcher import PostWatcher
from domain.centre import Centre
from domain.clock import FakeClock
from domain.observations import observation_from_json, observation_to_json
from store.connection import Connection, connect
from store.judging import presence_spans
from store.observations import posts_of, write_observations
from streams.rule_loop import RuleLoop
from tests.detectors.presence.scenes import noisy, room
from tests.streams.test_rule_loop import CODE, WATCHED, day

pytestmark = pytest.mark.postgres

EVERY = 5.0
PAIR = [[0.05, 0.2], [0.45, 0.2], [0.45, 0.8], [0.05, 0.8]]
DESK = [[0.55, 0.1], [0.95, 0.1], [0.95, 0.4], [0.55, 0.4]]
FLOOR = [[0.55, 0.45], [0.95, 0.45], [0.95, 0.95], [0.55, 0.95]]
CENTRE = Centre.model_validate(
    WATCHED.model_dump(mode="json")
    | {
        "windows": [{"id": "A01"}, {"id": "A02"}],
        "rules": {"staffing": {}, "absence": {"notice_waiting": 4}},
        "cameras": [
            {
                "id": "K1", "url": "rtsp://k", "every": EVERY,
                "posts": [
                    {"name": "pair", "window": "A01", "polygon": PAIR, "required": 2},
                    {"name": "desk", "window": "A02", "polygon": DESK, "public": FLOOR},
                ],
            }
        ],
    }
)  # fmt: skip
FIRST, SECOND = (0.07, 0.25, 0.16, 0.5), (0.27, 0.25, 0.16, 0.5)
CITIZEN = (0.6, 0.5, 0.2, 0.45)


class Net:
    """Sees whom the test says."""

    def __init__(self) -> None:
        self.people: list[Any] = []

    def fit(self, image: Any) -> Any:
        return image[::4, ::4]

    def find(self, images: Any) -> list[list[Person]]:
        return [[Person(box, 0.9) for box in self.people] for _ in images]


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def test_too_few_at_a_post_and_somebody_waiting_before_an_empty_one(database: str, db: Connection) -> None:
    begin = day("11-20 09:00")
    clock, net, slot = FakeClock(begin), Net(), Slot()
    camera = CENTRE.cameras[0]
    posts = [
        Post(p.name, tuple(p.polygon), public=tuple(p.public) if p.public else None, required=p.required)
        for p in camera.posts
    ]
    station = Station(
        CODE, camera, PostWatcher(posts, net, window=25, period=EVERY), slot, clock,
        timebase=Timebase(clock.monotonic), link=lambda: Link(True), period=EVERY, fresh=10,
    )  # fmt: skip
    loop = RuleLoop(database, CENTRE, FakeClock(begin))
    for step in range(int(18 * 60 / EVERY)):
        minute = step * EVERY / 60
        net.people = [FIRST] if 3 <= minute < 15 else [FIRST, SECOND]
        if 6 <= minute < 9:
            net.people.append(CITIZEN)
        slot.put(Frame(noisy(room(), step), clock.monotonic(), clock.now()))
        found = [observation_from_json(observation_to_json(each)) for each in station.step()]
        if found:
            write_observations(db, found, now=clock.now(), posts=posts_of(CENTRE))
            if step % 3 == 0:
                loop.tick(clock.now())
        clock.advance(EVERY)
    loop.close()

    rows = db.execute(
        "select rule, opened_at, closed_at, explain from finding where centre = %s and window_id is not null"
        " and rule in ('staffing.short', 'absence.notice') order by rule",
        [CODE],
    ).fetchall()
    assert [row[0] for row in rows] == ["absence.notice", "staffing.short"]
    _, opened, closed, explain = rows[0]
    # Somebody is seen waiting from 09:06 on; the centre wants to know after four minutes of absence, at ten without him.
    assert timedelta(minutes=6) <= opened - begin <= timedelta(minutes=6, seconds=30)
    assert explain["seen_waiting"]["since"].startswith("2026-11-20T09:06")
    assert closed is None
    _, opened, closed, explain = rows[1]
    assert timedelta(minutes=13) <= opened - begin <= timedelta(minutes=13, seconds=30)
    assert timedelta(minutes=15) <= closed - begin <= timedelta(minutes=15, seconds=30)
    assert (explain["required"], explain["seen"]) == (2, 1)

    # The state of the desk is as old as its absence, though who waits before it came and went.
    since = db.execute("select since from window_state where window_id = 'A02'").fetchone()
    assert since is not None
    assert since[0] - begin < timedelta(minutes=1)
    # Judged anew from what is kept, the same comes out.
    spans = presence_spans(db, CODE, {"A01": begin, "A02": begin})
    again = {
        finding.rule: finding
        for window in spans
        for finding in judge_absence(window, spans[window], [], CENTRE, clock.now()).findings
    }
    assert {rule: (again[rule].opened_at, again[rule].closed_at) for rule, *_ in rows} == {
        rule: (opened, closed) for rule, opened, closed, _ in rows
    }
    assert again["absence.notice"].explain["seen_waiting"] == rows[0][3]["seen_waiting"]
