"""Pictures out of folders and recordings, with their recorded time; a camera at this machine (faked: tests have none)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from camera_adapters.device import DeviceSource
from camera_adapters.factory import kind_of, open_source
from camera_adapters.folder import FolderSource
from camera_adapters.recorded_time import recorded_time
from camera_adapters.source import SourceError
from domain.centre import Camera
from domain.clock import FakeClock
from tests.camera_adapters.test_sources import recording, take  # noqa: F401

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
CLOCK = FakeClock(NOW)
CHINA = ZoneInfo("Asia/Shanghai")
HALF_NINE = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def picture(path, level):
    cv2.imwrite(str(path), np.full((60, 80, 3), level, np.uint8))


def levels(frames):
    return [round(float(frame.image.mean())) for frame in frames]


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / "b_20261122093000.jpg", 100)
    picture(tmp_path / "a_20261122093002.png", 200)
    picture(tmp_path / "c 2026-11-22 09-29-58.bmp", 50)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def shown(folder, **options):
    return FolderSource(folder, CLOCK, **{"wait": lambda _: False, "zone": CHINA} | options)


def test_a_folder_is_shown_in_the_order_of_recording_over_and_over(folder):
    frames = take(shown(folder), 7)
    assert levels(frames) == [50, 100, 200, 50, 100, 200, 50]
    assert {frame.taken_at for frame in frames} == {NOW}
    assert levels(take(shown(folder, loop=False), 99)) == [50, 100, 200]


def test_recorded_times_are_those_of_the_names(folder):
    frames = take(shown(folder, recorded=True, loop=False), 99)
    assert [frame.taken_at - HALF_NINE for frame in frames] == [timedelta(seconds=s) for s in (-2, 0, 2)]


def test_pictures_may_come_and_half_ones_wait(folder):
    source = shown(folder)
    frames = source.frames()
    next(frames)
    whole = (folder / "b_20261122093000.jpg").read_bytes()
    (folder / "d_20261122093004.jpg").write_bytes(whole[: len(whole) // 2])
    picture(folder / "e_20261122093005.jpg", 250)
    assert levels([next(frames) for _ in range(6)]) == [100, 200, 50, 100, 200, 250]
    assert source.broken == 1
    source.close()


def test_a_folder_that_shows_nothing_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no such folder") as caught:
        take(shown(tmp_path / "nowhere"), 1)
    assert caught.value.reason == "unreachable"
    with pytest.raises(SourceError, match="holds no pictures"):
        take(shown(tmp_path), 1)
    (tmp_path / "x.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match="not one picture") as caught:
        take(shown(tmp_path), 1)
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ch01_20261122093000.jpg", HALF_NINE),
        ("2026-11-22_09-30-00.mp4", HALF_NINE),
        ("192.168.1.64_01_20261122093000250_MOTION.jpg", HALF_NINE + timedelta(milliseconds=250)),
        ("20261122T093000.mp4", HALF_NINE),
        ("camera 2026.11.22 09.30.00.avi", HALF_NINE),
        ("20261322093000.jpg", None),  # no thirteenth month
        ("1234567890123456789012.jpg", None),
        ("plain.jpg", None),
    ],
)
def test_names_tell_times_and_files_their_last_change(tmp_path, name, told):
    path = tmp_path / name
    path.write_bytes(b"x")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    changed = datetime.fromtimestamp(1_700_000_000, UTC)
    assert recorded_time(path, CHINA) == (told or changed)


def test_a_recording_carries_its_recorded_time(recording, tmp_path):  # noqa: F811
    def play(path):
        asked = camera(str(path), taken_at="recorded")
        return take(open_source(asked, CLOCK, wait=lambda _: False, monotonic=lambda: 0.0), 25)

    named = tmp_path / "20261122093000.mp4"
    named.write_bytes(recording.read_bytes())
    frames = play(named)
    assert frames[0].taken_at == HALF_NINE
    assert frames[10].taken_at - HALF_NINE == pytest.approx(timedelta(seconds=1), abs=timedelta(seconds=0.01))
    assert frames[20].taken_at == HALF_NINE  # it begins anew
    changed = tmp_path / "clip.mp4"
    changed.write_bytes(recording.read_bytes())
    os.utime(changed, (1_700_000_002, 1_700_000_002))
    # Two seconds long, and last changed at its end.
    began = datetime.fromtimestamp(1_700_000_000, UTC)
    assert abs(play(changed)[0].taken_at - began) < timedelta(seconds=0.05)


# -- a device of this machine -----------------------------------------------------------------------------------------


class Webcam:
    """Ten pictures a second of a clock the test moves; counts what is decoded."""

    def __init__(self, pictures=100, opened=True, good=True):
        self.left, self.opened, self.good = pictures, opened, good
        self.decoded = self.released = 0
        self.now, self.asked = 0.0, {}

    def isOpened(self):
        return self.opened

    def set(self, key, value):
        self.asked[key] = value
        return True

    def grab(self):
        self.now += 0.1
        self.left -= 1
        return self.left >= 0

    def retrieve(self):
        self.decoded += 1
        level = min(255, round(self.now * 10))
        return self.good, np.full((48, 64, 3), level, np.uint8) if self.good else None

    def release(self):
        self.released += 1


def plugged(webcam, address="/dev/video0", every=1.0):
    return DeviceSource(address, CLOCK, every=every, monotonic=lambda: webcam.now, opener=lambda path: webcam)


def test_a_device_gives_its_newest_picture_and_decodes_no_other():
    webcam = Webcam()
    frames = take(plugged(webcam), 4)
    assert webcam.decoded == 4
    assert [frame.t for frame in frames] == pytest.approx([0.1, 1.1, 2.1, 3.1], abs=0.11)
    assert levels(frames) == [round(frame.t * 10) for frame in frames]
    assert webcam.released == 1


@pytest.mark.parametrize(
    ("webcam", "reason"),
    [
        (Webcam(opened=False), "unreachable"),
        (Webcam(pictures=0), "no_frame"),
        (Webcam(good=False), "undecodable"),
    ],
)
def test_a_device_that_fails_is_an_error_and_let_go(webcam, reason):
    with pytest.raises(SourceError, match="/dev/video0") as caught:
        take(plugged(webcam), 3)
    assert caught.value.reason == reason
    assert webcam.released == 1


def test_a_device_that_is_pulled_out_ends():
    webcam = Webcam(pictures=25)
    frames = plugged(webcam, every=0.5).frames()
    with pytest.raises(SourceError) as caught:
        for _ in frames:
            pass
    assert caught.value.reason == "no_frame"


def test_size_and_rate_are_asked_for_and_nothing_else():
    webcam = Webcam()
    source = plugged(webcam, "v4l2:///dev/video2?size=1280x720&fps=10")
    assert source.name == "/dev/video2"
    take(source, 1)
    assert webcam.asked == {
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 10.0,
    }
    for wrong in ("size=big", "zoom=2"):
        with pytest.raises(SourceError, match="size"):
            plugged(webcam, f"v4l2:///dev/video2?{wrong}")


def test_no_device_here_is_said_so():
    with pytest.raises(SourceError) as caught:
        take(DeviceSource("/dev/video97", CLOCK), 1)
    assert caught.value.reason == "unreachable"


# -- which kind it is --------------------------------------------------------------------------------------------------


def camera(url, **more):
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    return Camera.model_validate({"id": "C1", "url": url, "posts": [post], **more})


@pytest.mark.parametrize(
    ("url", "more", "kind"),
    [
        ("rtsps://10.0.0.8/x", {}, "stream"),
        ("http://10.0.0.8/mjpg/video.mjpg", {}, "mjpeg"),
        ("http://10.0.0.8/video", {"kind": "mjpeg"}, "mjpeg"),
        ("http://10.0.0.8/video", {}, "snapshot"),
        ("onvif://10.0.0.8", {}, "onvif"),
        ("/dev/video0", {}, "device"),
        ("v4l2:///dev/video0", {}, "device"),
        ("a.mp4", {}, "recording"),
        ("sim://x", {}, "simulated"),
    ],
)
def test_the_address_tells_the_kind_unless_the_file_does(url, more, kind):
    assert kind_of(camera(url, **more)) == kind


def test_a_path_to_a_folder_is_a_folder(tmp_path):
    assert kind_of(camera(str(tmp_path))) == "folder"
    assert isinstance(open_source(camera(str(tmp_path)), CLOCK), FolderSource)


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("rtsp://h/x", {"kind": "mjpeg"}, "begins with http:// or https://"),
        ("rtsps://h/x", {"transport": "udp"}, "tcp only"),
        ("rtsp://h/x", {"gb_id": "3402"}, "gb_id"),
        ("rtsps://h/x", {"ca_file": "a.pem", "verify": False}, "ca_file"),
        ("rtsp://h/x", {"transprot": "udp"}, "transprot"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(url, more, said):
    with pytest.raises(ValueError, match=said):
        camera(url, **more)
