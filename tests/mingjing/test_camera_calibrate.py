from __future__ import annotations

import base64
import json
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera_adapters.references import CameraMemory
from detectors.presence.nets.net import Person
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.references import Limits
from domain.clock import Clock
from mingjing.camera.calibrate import REFUSED
from mingjing.camera.calibration import Truth, calibrate, chosen_limits
from mingjing.camera.calibration_server import answer, make_server
from mingjing.camera.calibration_text import as_text
from mingjing.cli import main
from tests.detectors.presence.scenes import POST, gain, noisy, room, with_somebody

PRESENT = ((10.0, 25.0), (35.0, 50.0))
TRUTH = Truth(present=PRESENT)


ROOM = room(width=480, height=270)


def pictures(change=lambda im: im):
    for i in range(60):
        there = any(begin <= i < end for begin, end in PRESENT)
        yield Picture(noisy(change(with_somebody(ROOM, 0.5, i) if there else ROOM.copy()), i), float(i))


def measured(posts=(POST,), change=lambda im: im, truth=TRUTH, **more):
    return calibrate("C1", posts, pictures(change), truths=[truth] * len(posts), **more)


def codes(report):
    return [each.code for each in (*report.refused, *report.posts[0].refused)]


def box_post(name, x0, y0, x1, y1):
    return Post(name, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def test_a_post_that_is_seen_well_has_thresholds_and_an_estimate_of_error():
    report = measured()
    (post,) = report.posts
    assert report.good
    assert codes(report) == []
    assert (post.false_absent.wrong, post.false_present.wrong) == (0, 0)
    assert post.false_absent.looks >= 20
    assert 0 < post.false_absent.highest < 0.2
    assert post.left_out == 5
    assert max(post.empties) < post.limits.leave < post.limits.enter < min(post.occupied)
    assert post.fill > 0.3
    assert 0.5 < post.noise < 4


@pytest.mark.parametrize(
    ("code", "post", "change"),
    [
        ("too_small", box_post("p", 0.5, 0.4, 0.52, 0.9), lambda im: im),
        ("fill", box_post("p", 0.02, 0.02, 0.98, 0.98), lambda im: im),
        (
            "no_texture",
            box_post("p", 0.02, 0.3, 0.25, 0.7),
            lambda im: cv2.rectangle(im, (0, 60), (140, 230), (150,) * 3, -1),
        ),
        ("too_dark", POST, lambda im: gain(im, 0.08)),
    ],
)
def test_a_post_that_is_not_seen_well_is_refused_with_a_sentence(code, post, change):
    report = measured([post], change)
    assert code in codes(report)
    text = as_text(report)
    assert "✗" in text
    assert "refused" in text


def test_posts_that_overlap_are_refused():
    report = measured([box_post("a", 0.3, 0.2, 0.6, 0.8), box_post("b", 0.45, 0.2, 0.75, 0.8)])
    assert [r.code for post in report.posts for r in post.refused if r.code == "overlap"] == ["overlap"] * 2


def test_pictures_that_come_too_seldom_are_refused():
    assert "interval" in codes(measured(fresh=5.0, interval=[8.0] * 10))
    assert codes(measured(fresh=10.0, interval=[2.0] * 10)) == []


def test_without_any_empty_picture_it_says_what_to_do():
    report = measured(truth=Truth())
    assert codes(report) == ["no_empty"]
    assert "--empty" in as_text(report)


def test_a_covered_camera_is_refused_as_a_whole():
    report = calibrate(
        "C1",
        [POST],
        [Picture(np.zeros((270, 480, 3), np.uint8), float(i)) for i in range(20)],
        truths=[Truth()],
    )
    assert report.refused[0].code == "unfit"
    assert report.reasons == {"dark": 20}


class Net:
    """Finds the drawn figure by its colour."""

    def fit(self, image):
        return image

    def find(self, images):
        return [
            [Person((0.36, 0.2, 0.28, 0.78), 0.9)] if (abs(im[150:156, 230:250].astype(int) - (60, 40, 90)) < 30).mean() > 0.5 else []
            for im in images
        ]  # fmt: skip


def test_a_detector_tells_empty_from_occupied_where_nobody_has_said():
    report = measured(truth=Truth(), net=Net())
    (post,) = report.posts
    assert report.good
    assert post.fill_from == "detector"
    assert len(post.occupied) >= 20


@pytest.mark.parametrize(
    ("empties", "occupied", "chosen"),
    [
        ([0.01] * 30, [0.6] * 30, True),
        ([0.01] * 5, [0.6] * 30, False),
        ([0.01] * 30, [0.02] * 30, False),
    ],
)
def test_thresholds_lie_between_what_was_measured(empties, occupied, chosen):
    limits, found = chosen_limits(empties, occupied)
    assert found is chosen
    assert limits == Limits() or max(empties) < limits.leave < limits.enter < min(occupied)


def test_errors_are_counted_on_visits_that_had_no_part_in_choosing():
    def change(image):
        return image

    def mixed():
        for picture in pictures(change):
            # In the second visit the person is all but invisible: the limits of the first do not find her.
            yield Picture(noisy(ROOM, int(picture.t)), picture.t) if 35 <= picture.t < 50 else picture

    report = calibrate("C1", [POST], mixed(), truths=[TRUTH])
    (post,) = report.posts
    assert post.false_absent.wrong >= 10
    assert "errors" in codes(report)


# -- the command -------------------------------------------------------------------------------------------------------

PUBLIC = [[0.0, 0.8], [1.0, 0.8], [1.0, 1.0], [0.0, 1.0]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 1.0, (480, 270))
    for picture in pictures():
        writer.write(picture.image)
    writer.release()
    return path


def centre_file(folder: Path) -> Path:
    corners = [list(corner) for corner in POST.polygon]
    post = {"name": "desk", "window": "A01", "polygon": corners, "public": PUBLIC}
    camera = {"id": "C1", "url": "rtsp://127.0.0.1:1/x", "posts": [post]}
    row = {"centre": {"id": "530502"}, "windows": [{"id": "A01"}], "cameras": [camera]}
    path = folder / "centre.yaml"
    path.write_text(json.dumps(row))
    return path


def run(*words) -> int:
    with pytest.raises(SystemExit) as end:
        main(["camera", "calibrate", *map(str, words)])
    return int(end.value.code or 0)


def test_a_recording_with_its_posts(clip, tmp_path, capsys):
    posts = tmp_path / "posts.json"
    polygon = [[x * 480, y * 270] for x, y in POST.polygon]
    row = {"name": "desk", "polygon": polygon, "present": [list(span) for span in PRESENT]}
    posts.write_text(json.dumps({"width": 480, "height": 270, "posts": [row]}))
    page = tmp_path / "page.html"
    status = run(clip, "--posts", posts, "--method", "correlation", "--out", page, "--data", tmp_path)
    assert status == 0, capsys.readouterr()
    assert "desk: ✓" in capsys.readouterr().out
    text = page.read_text()
    assert "校准" in text
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)  # nothing from outside
    row["polygon"] = [[10, 10], [18, 10], [18, 200], [10, 200]]
    posts.write_text(json.dumps({"width": 480, "height": 270, "posts": [row]}))
    assert (
        run(clip, "--posts", posts, "--method", "correlation", "--out", page, "--data", tmp_path) == REFUSED
    )
    assert "narrower side needs" in capsys.readouterr().out


def test_what_is_accepted_is_what_the_runner_uses(clip, tmp_path, capsys):
    centre_file(tmp_path)
    words = ("C1", "--recording", clip, "--empty", "0-8", "--method", "correlation", "--data", tmp_path)
    assert run(*words, "--accept") == 0, capsys.readouterr()
    memory = CameraMemory(tmp_path / "references", "530502", "C1", [POST], Clock())
    kept = memory.load("desk")
    assert kept
    assert {each.why for each in kept} == {"operator"}
    assert all(each.at and each.by for each in kept)
    assert memory.limits("desk") is not None
    view = memory.load_view()
    assert view is not None
    assert not view.known[150:].any()  # the public side
    pages = list((tmp_path / "calibration").glob("*.html"))
    assert [page.stem for page in pages] == ["530502-C1"]
    for blob in re.findall(r"base64,([^\"]*)", pages[0].read_text()):
        image = cv2.imdecode(np.frombuffer(base64.b64decode(blob), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[0] <= 0.6 * 270  # cut to the staff side and its margin


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["C9"], "there is no camera 'C9'"),
        ([], "name a camera or a recording"),
        (["C1", "--empty", "5"], "is no span of seconds"),
        (["C1", "--empty", "5-2"], "must be seconds that rise"),
        (["C1", "--recording", "no.mp4"], "no.mp4"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, capsys, words, says):
    centre_file(tmp_path)
    assert run(*words, "--data", tmp_path) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_the_pages_are_served_on_this_machine_only(tmp_path):
    (tmp_path / "530502-C1.html").write_text("<!doctype html>page", "utf-8")
    (tmp_path / "secret.txt").write_text("no")
    with make_server(tmp_path, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{base}/") as reply:
            assert "530502-C1" in reply.read().decode()
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        with urllib.request.urlopen(f"{base}/calibration/530502-C1") as reply:
            assert reply.read() == b"<!doctype html>page"
        foreign = urllib.request.Request(f"{base}/", headers={"Host": "evil.example:80"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(foreign)
        server.shutdown()
    assert answer(tmp_path, "/../secret.txt") is None
    assert answer(tmp_path, "/calibration/secret") is None
