"""What cameras' streams do wrong, by a fake that can: half frames, wrong codecs, no pictures, wrong clocks."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from camera_adapters.media import Access
from camera_adapters.source import SourceError
from camera_adapters.stream import StreamSource
from domain.clock import Clock
from tests.camera_adapters.fake_rtsp import FakeCamera, encode, pictures

ACCESS = Access((3.0, 1.0))


@pytest.fixture(scope="module")
def units():
    return encode(list(pictures(30)))


@pytest.fixture(scope="module")
def sliced():
    """Pictures whose halves are black and white, each picture in four slices."""
    image = np.zeros((180, 320, 3), np.uint8)
    image[90:] = 255
    return encode([image] * 30, slices=4)


def take(source, count):
    frames = []
    try:
        for frame in source.frames():
            frames.append(frame)
            if len(frames) == count:
                return frames
    finally:
        source.close()
    return frames


def stream(camera, **options):
    return StreamSource(camera.url(), Clock(), **{"access": ACCESS} | options)


def is_slice(nal):
    return 1 <= nal[0] & 31 <= 5


def test_a_picture_that_lost_a_slice_on_the_way_is_no_picture(sliced):
    def lose(number, nals):
        # Of every second keyframe the last slice; the decoder would make one up and say nothing.
        return nals[:-1] if number % 20 == 10 else nals

    with FakeCamera(sliced, fps=200, mangle=lose) as camera:
        source = stream(camera)
        frames = source.frames()
        shown = [next(frames).image for _ in range(5)]
        broken = source.broken
        source.close()
    assert broken >= 3
    # The very first has nothing to be compared with.
    assert all(image[170:].min() > 200 for image in shown[1:])


def test_a_picture_cut_off_in_the_middle_is_no_picture(units):
    def cut(number, nals):
        return [nal[: len(nal) // 2] if is_slice(nal) and number % 20 == 10 else nal for nal in nals]

    with FakeCamera(units, fps=200, mangle=cut) as camera:
        source = stream(camera)
        frames = source.frames()
        shown = [next(frames).image for _ in range(5)]
        broken = source.broken
        source.close()
    assert broken >= 3
    assert all(image.std() > 5 for image in shown)


def test_a_camera_set_up_anew_with_fewer_slices_goes_on(units, sliced):
    def change(number, nals):
        return nals if number < 30 else units[number % 30]

    with FakeCamera(sliced, fps=200, mangle=change) as camera:
        assert len(take(stream(camera), 8)) == 8


def test_a_stream_without_keyframes_is_not_waited_for(units, monkeypatch):
    monkeypatch.setattr("camera_adapters.media.KEYFRAME_TIMEOUT", 0.5)

    def only_first(number, nals):
        return nals if number < 3 else units[number % 9 + 1]

    with FakeCamera(units, fps=50, mangle=only_first) as camera:
        began = time.monotonic()
        with pytest.raises(SourceError, match="stands by itself") as caught:
            take(stream(camera), 9)
        assert time.monotonic() - began < 5
    assert caught.value.reason == "undecodable"


AUDIO = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n"
WRONG = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {}/90000\r\na=control:trackID=1\r\n"


@pytest.mark.parametrize(
    "sdp", [AUDIO, WRONG.format("H265"), WRONG.format("X-SVAC"), "v=0\r\n", "not a word of it"]
)
def test_what_is_no_stream_we_can_show_is_said_so_in_time(units, sdp, monkeypatch):
    monkeypatch.setattr("camera_adapters.media.KEYFRAME_TIMEOUT", 0.5)
    began = time.monotonic()
    with FakeCamera(units, fps=100, sdp=sdp) as camera, pytest.raises(SourceError) as caught:
        take(stream(camera, access=Access((1.0, 1.0))), 1)
    assert time.monotonic() - began < 4
    assert caught.value.reason in ("undecodable", "no_frame")


@pytest.mark.parametrize("ahead", [0.0, 47.0, -3600.0])
def test_the_cameras_clock_is_known_by_its_sender_reports(units, ahead):
    with FakeCamera(units, fps=50, ahead=ahead) as camera:
        source = stream(camera)
        assert source.clock_offset() is None
        until(source.frames(), lambda: source.clock_offset() is not None)
        offset = source.clock_offset()
        source.close()
    assert offset == pytest.approx(ahead, abs=1.0)


def test_a_clock_that_jumps_is_followed_and_moves_no_picture(units):
    with FakeCamera(units, fps=50, ahead=0.0) as camera:
        source = stream(camera)
        coming = source.frames()
        frames = until(coming, lambda: source.clock_offset() is not None)
        camera.ahead = -86_400.0
        frames += until(coming, lambda: source.clock_offset() < -80_000)
        source.close()
    times = [frame.t for frame in frames]
    assert times == sorted(times)
    assert max(b.taken_at - a.taken_at for a, b in pairwise(frames)).total_seconds() < 2


def test_a_sender_that_counts_from_its_start_does_not_tell_the_time(units):
    with FakeCamera(units, fps=50, ahead=60.0 - time.time()) as camera:
        source = stream(camera)
        frames = source.frames()
        for _ in range(6):
            next(frames)
        assert source.clock_offset() is None
        source.close()


def test_without_sender_reports_the_clock_is_not_known(units):
    with FakeCamera(units, fps=200) as camera:
        source = stream(camera)
        frames = source.frames()
        for _ in range(4):
            next(frames)
        assert source.clock_offset() is None
        source.close()


def until(frames, enough, most=60):
    taken = []
    for frame in frames:
        taken.append(frame)
        if enough():
            return taken
        assert len(taken) < most
    raise AssertionError("the stream ended")


def test_an_ordinary_camera_needs_no_second_opinion(units, monkeypatch):
    def asked(*_, **__):
        raise AssertionError("FFmpeg reads every packet by itself, which costs more than the decoding")

    monkeypatch.setattr("camera_adapters.stream.Media", asked)
    with FakeCamera(units, fps=100) as camera:
        frames = take(stream(camera), 3)
        assert camera.clients == 1
    assert all(frame.image.shape == (180, 320, 3) for frame in frames)


def test_pictures_that_we_cannot_put_together_may_be_so_by_ffmpeg(units, monkeypatch):
    monkeypatch.setattr("camera_adapters.keyframes.PATIENCE", 0.2)
    monkeypatch.setattr("camera_adapters.rtp.KeyPictures.add", lambda *_: None)
    with FakeCamera(units, fps=100) as camera:
        assert len(take(stream(camera), 2)) == 2
        assert camera.clients == 2


def test_who_hangs_up_before_the_first_picture_has_no_picture(units):
    with FakeCamera(units, fps=100, mangle=lambda number, nals: []) as camera:
        threading.Timer(0.3, camera.stop.set).start()
        with pytest.raises(SourceError) as caught:
            take(stream(camera), 1)
    assert caught.value.reason == "no_frame"


def test_a_reader_that_slept_makes_no_picture_younger(units, monkeypatch):
    monkeypatch.setattr("camera_adapters.nap.Nap.after_all", lambda *_: 0.3)
    with FakeCamera(units, fps=50) as camera:
        source = stream(camera)
        found = []
        for frame in source.frames():
            found.append((frame.t, time.monotonic()))
            if len(found) == 4:
                break
        source.close()
    assert found[0][1] - found[0][0] < 0.05
    # Of the others nobody knows when in the sleep they came.
    assert all(0.29 < now - t < 0.5 for t, now in found[2:])
