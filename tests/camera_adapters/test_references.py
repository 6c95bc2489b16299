from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from camera_adapters.quiet_hours import nobody_can_be_there, quiet_hours
from camera_adapters.references import CENTRE_FILE, CameraMemory, empty_pictures, safe_name
from camera_adapters.runner import CameraRunner, Watched
from camera_adapters.source import Frame
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.references import Limits
from detectors.presence.watcher import PostWatcher
from domain.centre import Centre
from tests.detectors.presence.scenes import POST, moved, noisy, room, with_somebody


class Clock:
    speed, spec = 1.0, "fake"

    def __init__(self, at: str = "2026-11-16T10:00+08:00") -> None:
        self.at = datetime.fromisoformat(at)

    def now(self) -> datetime:
        return self.at.astimezone(UTC)

    def monotonic(self) -> float:
        return self.at.timestamp()


def memory(folder, posts=(POST,)) -> CameraMemory:
    return CameraMemory(folder, "530502", "C1", posts, Clock())


def watcher(folder, **more) -> PostWatcher:
    return PostWatcher([POST], None, window=10, period=2, keeper=memory(folder), **more)


def run(eyes, images, start=0.0, every=2.0):
    return [eyes.look(Picture(image, start + i * every))[0] for i, image in enumerate(images)]


def test_what_was_learned_at_night_is_known_after_a_restart(tmp_path):
    run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(40)])
    eyes = watcher(tmp_path)
    assert run(eyes, [noisy(room(), 60 + i) for i in range(6)])[-1].state == "absent"
    assert (
        run(eyes, [noisy(with_somebody(room(), 0.5, i), 70 + i) for i in range(6)], 12.0)[-1].state
        == "present"
    )
    (row,) = [json.loads(p.read_text()) for p in (tmp_path / "530502" / "C1").glob("desk-*.json")]
    assert (row["why"], row["at"], row["post"]) == ("closed_hours", "2026-11-16T02:00:00+00:00", "desk")


def test_only_the_staff_polygon_is_on_the_disk(tmp_path):
    slanted = Post("desk", ((0.4, 0.2), (0.7, 0.3), (0.6, 0.8), (0.3, 0.7)))
    eyes = PostWatcher(
        [slanted], None, window=10, period=2, keeper=memory(tmp_path, [slanted]), nobody=lambda: True
    )
    run(eyes, [noisy(room(), i) for i in range(40)])
    kept = cv2.imread(str(tmp_path / "530502" / "C1" / "desk-1.png"), cv2.IMREAD_GRAYSCALE)
    inside = slanted.mask(320, 180)[36:145, 96:225]
    assert kept.shape == inside.shape
    assert kept[~inside].max() == 0
    assert kept[inside].min() > 0


def test_a_camera_that_was_moved_while_we_were_away_is_noticed_and_comes_back(tmp_path):
    run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(40)])
    eyes = watcher(tmp_path)
    turned = run(eyes, [noisy(moved(room(), 130), 60 + i) for i in range(8)])
    assert {(s.state, s.reason) for s in turned} == {("unknown", "moved")}
    assert run(eyes, [noisy(room(), 90 + i) for i in range(10)], 16.0)[-1].state == "absent"


def test_the_public_side_is_not_part_of_the_view_that_is_kept(tmp_path):
    public = ((0.0, 0.76), (1.0, 0.76), (1.0, 1.0), (0.0, 1.0))
    run(watcher(tmp_path, hidden=[public]), [noisy(room(), i) for i in range(40)])
    view = cv2.imread(str(tmp_path / "530502" / "C1" / "view.png"), cv2.IMREAD_GRAYSCALE)
    assert view[140:].max() == 0
    assert view.max() > 0


def test_another_polygon_makes_what_was_learned_useless(tmp_path, caplog):
    run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(40)])
    redrawn = Post("desk", ((0.30, 0.25), (0.65, 0.25), (0.65, 0.75), (0.30, 0.75)))
    assert memory(tmp_path, [redrawn]).load("desk") == []
    assert "another polygon" in caplog.text


@pytest.mark.parametrize("blob", [b"", b"{", b"[]", b'{"polygon": 3}', b"\xff\xfe"])
def test_a_broken_file_is_named_and_left_out(tmp_path, caplog, blob):
    run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(40)])
    for name in ("desk-1.json", "view.json", "limits.json"):
        (tmp_path / "530502" / "C1" / name).write_bytes(blob)
    kept = memory(tmp_path)
    assert (kept.load("desk"), kept.load_view(), kept.limits("desk")) == ([], None, None)
    assert "desk-1.json" in caplog.text


def test_a_full_disk_does_not_stop_the_looks(tmp_path, caplog):
    (tmp_path / "530502").write_text("in the way")
    states = run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(45)])
    assert states[-1].state == "absent"
    assert "cannot be kept" in caplog.text


def test_pictures_of_the_centre_file_are_not_copied(tmp_path):
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), room())
    eyes = watcher(tmp_path)
    for picture in empty_pictures([str(path), str(tmp_path / "none.png")]):
        eyes.learn_empty(picture, 0, by=CENTRE_FILE)
    assert run(eyes, [noisy(room(), i) for i in range(6)])[-1].state == "absent"
    assert not list((tmp_path / "530502" / "C1").glob("desk-*"))


def test_limits_are_kept(tmp_path):
    memory(tmp_path).save_limits({"desk": Limits(0.3, 0.12)})
    assert memory(tmp_path).limits("desk") == Limits(0.3, 0.12)
    assert memory(tmp_path).limits("other") is None


@pytest.mark.parametrize(("name", "kept"), [("A07", True), ("一号窗口", True), ("a/b", False), ("..", False)])
def test_names_become_safe_names_that_stay_apart(name, kept):
    safe = safe_name(name)
    assert (safe == name) is kept
    assert "/" not in safe
    assert not safe.startswith(".")


CENTRE = Centre.model_validate(
    {"centre": {"id": "530502"}, "windows": [{"id": "A01"}, {"id": "A02", "open_hours": ["09:00-20:00"]}]}
)


@pytest.mark.parametrize(
    ("at", "windows", "nobody"),
    [
        ("2026-11-16T03:00", ["A01"], True),  # a Monday night
        ("2026-11-16T07:59", ["A01"], True),
        ("2026-11-16T08:00", ["A01"], False),  # the first may come
        ("2026-11-16T12:45", ["A01"], False),  # at noon people rest at their desks
        ("2026-11-16T17:59", ["A01"], False),
        ("2026-11-16T18:00", ["A01"], True),
        ("2026-11-16T18:00", ["A01", "A02"], False),  # the next window is open longer
        ("2026-11-15T10:00", ["A01"], True),  # a Sunday
        ("2026-10-10T10:00", ["A01"], False),  # a Saturday that is worked
    ],
)
def test_nobody_can_be_there_only_at_night_and_on_rest_days(at, windows, nobody):
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert nobody_can_be_there(CENTRE, windows, moment) is nobody


def test_the_question_follows_the_clock():
    clock = Clock("2026-11-16T07:59:50+08:00")
    nobody = quiet_hours(CENTRE, ["A01"], clock)
    assert nobody()
    clock.at = datetime.fromisoformat("2026-11-16T08:00:30+08:00")
    assert not nobody()
    assert np.isfinite(clock.monotonic())


def test_the_runner_uses_what_was_learned_and_draws_hidden_areas_from_the_centre_file(tmp_path):
    corners = [list(corner) for corner in POST.polygon]
    post = {
        "name": "desk",
        "window": "A01",
        "polygon": corners,
        "public": [[0, 0.8], [1, 0.8], [1, 1], [0, 1]],
    }
    camera = {"id": "C1", "url": "rtsp://127.0.0.1:1/x", "every": 1, "posts": [post]}
    centre = Centre.model_validate(
        {
            "centre": {"id": "530502"},
            "windows": [{"id": "A01"}],
            "cameras": [camera],
            "presence": {"method": "correlation"},
        }
    )
    run(watcher(tmp_path, nobody=lambda: True), [noisy(room(), i) for i in range(40)])
    (tmp_path / "530502" / "C1" / "view.json").unlink()
    clock = Clock()
    published = []
    runner = CameraRunner(
        [Watched(centre, centre.cameras[0], "C1")],
        clock,
        published.extend,
        wait=lambda seconds: True,
        monotonic=clock.monotonic,
        open_source=lambda camera: None,
        learned=tmp_path,
    )
    (posting,) = runner.postings
    for i in range(50):
        posting.slot.put(Frame(noisy(room(), 200 + i), clock.monotonic(), clock.now()))
        clock.at += timedelta(seconds=1)
        published += posting.station.step()
    assert [o.state for o in published if o.kind == "post.state"][-1] == "absent"
    view = memory(tmp_path).load_view()
    assert view is not None
    assert not view.known[145:].any()
