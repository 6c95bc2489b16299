from __future__ import annotations

import time
from datetime import UTC, datetime

import av
import cv2
import numpy as np
import pytest

from camera_adapters.addresses import masked, with_credentials, without_credentials
from camera_adapters.factory import open_source
from camera_adapters.media import Access
from camera_adapters.recording import RecordingSource
from camera_adapters.simulated import SimulatedSource
from camera_adapters.snapshot import SnapshotSource
from camera_adapters.source import SourceError
from camera_adapters.stream import StreamSource
from camera_adapters.web import WebCamera
from domain.centre import Camera
from domain.clock import FakeClock
from tests.camera_adapters.fake_http import Http, jpeg_of, send, with_basic, with_digest
from tests.camera_adapters.fake_rtsp import FakeCamera, encode, pictures

CLOCK = FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
QUICK = (0.4, 0.4)


@pytest.fixture(scope="module")
def units():
    return encode(list(pictures(30)))


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


# -- RTSP ----------------------------------------------------------------------------------------------------------


def test_it_decodes_keyframes_only_from_an_rtsp_camera(units):
    with FakeCamera(units, fps=100) as camera:
        frames = take(StreamSource(camera.url(), CLOCK, access=Access((3, 3))), 3)
        assert [f.keyframe for f in frames] == [True] * 3
        assert frames[0].image.shape == (180, 320, 3)
        # Every tenth picture is a keyframe, and the bar walks 70 pixels between two of them.
        bars = [int(np.argmax(f.image[90, :, 1])) for f in frames]
        assert len(set(bars)) > 1
        every = take(StreamSource(camera.url(), CLOCK, access=Access((3, 3)), every_frame=True), 12)
        assert sum(f.keyframe for f in every) < len(every)


def test_the_time_of_a_picture_is_that_of_its_arrival(units):
    ticks = iter(range(100))
    with FakeCamera(units, fps=100) as camera:
        frames = take(
            StreamSource(camera.url(), CLOCK, monotonic=lambda: float(next(ticks)), access=Access((3, 3))), 3
        )
    assert [f.t for f in frames] == [0.0, 1.0, 2.0]
    assert frames[0].taken_at == CLOCK.now()


def test_a_camera_that_stalls_ends_in_time_and_can_be_opened_again(units):
    with FakeCamera(units, fps=200, stall_after=25) as camera:
        source = StreamSource(camera.url(), CLOCK, access=Access((3, 0.4)))
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(SourceError) as caught:
                take(source, 100)
            assert caught.value.reason == "no_frame"
            assert time.monotonic() - began < 4
        assert camera.clients == 2


def test_a_silent_camera_does_not_hold_us(units):
    with FakeCamera(units, silent=True) as camera:
        began = time.monotonic()
        with pytest.raises(SourceError):
            take(StreamSource(camera.url(), CLOCK, access=Access(QUICK)), 1)
        assert time.monotonic() - began < 3


def test_a_password_with_reserved_letters_reaches_the_camera_but_no_message(units):
    secret = "p@ss/w:rd #1"
    with FakeCamera(units, fps=100, login=("admin", secret)) as camera:
        good = StreamSource(with_credentials(camera.url(), "admin", secret), CLOCK, access=Access((3, 3)))
        assert len(take(good, 1)) == 1
        with pytest.raises(SourceError) as caught:
            take(
                StreamSource(with_credentials(camera.url(), "admin", "wr@ng"), CLOCK, access=Access((3, 3))),
                1,
            )
    assert caught.value.reason == "unauthorised"
    assert "wr" not in str(caught.value)
    assert "admin" not in str(caught.value)


def test_nobody_there_is_said_so():
    with pytest.raises(SourceError) as caught:
        take(StreamSource("rtsp://127.0.0.1:9/x", CLOCK, access=Access(QUICK)), 1)
    assert caught.value.reason == "refused"


# -- still pictures by HTTP ------------------------------------------------------------------------------------------


def snapshots(url, user="admin:s3cret@", timeout=0.4, **options):
    options = {"every": 0.0, "wait": lambda _: False} | options
    address = url.replace("://", f"://{user}")
    return SnapshotSource(lambda: WebCamera(address, CLOCK, timeout=timeout), CLOCK, **options)


@pytest.mark.parametrize("behave", [with_digest, with_basic])
def test_it_signs_in_as_the_camera_asks(behave):
    with Http(behave) as server:
        frames = take(snapshots(server.url), 3)
        assert [f.image.shape for f in frames] == [(90, 160, 3)] * 3
        assert len(server.asked) <= 5  # signed in once, not anew for every picture


@pytest.mark.parametrize("behave", [with_digest, with_basic])
def test_a_wrong_password_is_said_so_and_not_shown(behave):
    with Http(behave) as server, pytest.raises(SourceError) as caught:
        take(snapshots(server.url, "admin:hush@"), 1)
    assert caught.value.reason == "unauthorised"
    assert "hush" not in str(caught.value)


def half(handler):
    body = jpeg_of()
    send(handler, body[: len(body) // 2])


def cut_connection(handler):
    body = jpeg_of()
    send(handler, body[: len(body) // 2], length=len(body))
    handler.close_connection = True
    handler.connection.close()


def stall(handler):
    body = jpeg_of()
    send(handler, body[:50], length=len(body))
    time.sleep(1.2)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (half, "undecodable"),
        (cut_connection, "undecodable"),
        (stall, "no_frame"),
        (lambda h: send(h, b"<html>busy</html>"), "undecodable"),
        (lambda h: send(h, b"\xff\xd8 not a picture \xff\xd9"), "undecodable"),
        (lambda h: send(h, b"", 503), "refused"),
        (lambda h: send(h, b"", 302, Location="http://example.org/"), "refused"),
    ],
)
def test_what_is_no_picture_is_an_error_with_its_reason(behave, reason):
    with Http(behave) as server, pytest.raises(SourceError) as caught:
        take(snapshots(server.url, ""), 1)
    assert caught.value.reason == reason


def test_it_asks_at_its_pace():
    waits = []
    with Http(lambda h: send(h, jpeg_of())) as server:
        take(snapshots(server.url, "", every=2.0, wait=lambda s: waits.append(s)), 3)
    assert len(waits) == 2
    assert all(1.0 < wait <= 2.0 for wait in waits)


# -- recordings and drawings ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a clip: 100%.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for image in pictures(20):
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def test_a_recording_plays_at_its_own_pace_over_and_over(recording):
    now = [0.0]

    def wait(seconds):
        now[0] += seconds
        return False

    frames = take(RecordingSource(recording, CLOCK, wait=wait, monotonic=lambda: now[0]), 45)
    assert len(frames) == 45
    steps = np.diff([f.t for f in frames])
    assert np.allclose(steps[:19], 0.1, atol=0.01)
    assert np.array_equal(frames[0].image, frames[20].image)


def test_a_recording_ends_when_told(recording):
    assert len(take(RecordingSource(recording, CLOCK, wait=lambda _: True, monotonic=lambda: 0.0), 99)) <= 1


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 300])
def test_a_file_that_is_no_video_is_an_error(tmp_path, content):
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.mp4"):
        take(RecordingSource(path, CLOCK, loop=False), 1)


class Script:
    def __init__(self, present=True, trouble=None):
        self.there, self.wrong = present, trouble

    def present(self, window, at):
        return self.there

    def trouble(self, camera, at):
        return self.wrong


def drawn(script):
    return SimulatedSource("C01", ["A01", "A02"], CLOCK, script, wait=lambda _: False)


def test_a_drawn_camera_shows_its_script():
    (there,), (away,) = take(drawn(Script()), 1), take(drawn(Script(False)), 1)
    post = (slice(100, 200), slice(120, 200))
    empty = drawn(Script()).empty_view().astype(int)
    assert np.abs(away.image[post].astype(int) - empty[post]).mean() < 8
    assert np.abs(there.image[post].astype(int) - empty[post]).mean() > 30
    assert there.t == CLOCK.monotonic()


def test_a_drawn_camera_fails_and_is_covered_when_the_script_says_so():
    with pytest.raises(SourceError):
        take(drawn(Script(trouble="fail")), 1)
    (covered,) = take(drawn(Script(trouble="cover")), 1)
    assert cv2.GaussianBlur(covered.image, (0, 0), 3).std() < 10


# -- addresses and the factory -----------------------------------------------------------------------------------------


def camera(url, **more):
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    return Camera.model_validate({"id": "C1", "url": url, "posts": [post], **more})


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://10.0.0.8/Streaming/Channels/101", StreamSource),
        ("http://10.0.0.8/live/1.flv", StreamSource),
        ("http://10.0.0.8/cgi-bin/snapshot.cgi?channel=1", SnapshotSource),
        ("/data/a clip.mp4", RecordingSource),
        ("file:///data/a%20clip.mp4", RecordingSource),
        ("sim://counter", SimulatedSource),
    ],
)
def test_the_address_tells_the_kind(url, kind):
    assert isinstance(open_source(camera(url), CLOCK), kind)


def test_an_address_of_no_known_kind_is_an_error_without_its_password():
    with pytest.raises(SourceError, match=r"gopher://\*\*\*@host") as caught:
        open_source(camera("gopher://u:hush@host/x"), CLOCK)
    assert "hush" not in str(caught.value)


def test_passwords_come_from_the_environment_or_a_file(tmp_path):
    (tmp_path / "pw").write_text("p@ss\n")
    asked = camera("http://10.0.0.8/x.jpg", user="u", password_file=str(tmp_path / "pw"))
    assert open_source(asked, CLOCK)._make_web()._password == "p@ss"
    asked = camera("http://10.0.0.8/x.jpg", user="u", password_env="PW")
    assert open_source(asked, CLOCK, environ={"PW": "q/q"})._make_web()._password == "q/q"
    with pytest.raises(SourceError, match="PW is not set"):
        open_source(asked, CLOCK, environ={})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p%40@h:554/x", "rtsp://***@h:554/x"),
        ("cannot open 'http://u:p@h/x?token=abc&n=1'", "cannot open 'http://***@h/x?token=***&n=1'"),
        ("rtsp://h/x", "rtsp://h/x"),
        ("password=abc", "password=***"),
    ],
)
def test_secrets_are_masked(text, shown):
    assert masked(text) == shown


def test_credentials_go_in_and_come_out_again():
    url = with_credentials("rtsp://h:554/a?b=c", "us er", "p@:/#")
    assert url == "rtsp://us%20er:p%40%3A%2F%23@h:554/a?b=c"
    assert without_credentials(url) == ("rtsp://h:554/a?b=c", "us er", "p@:/#")


def test_a_jpeg_with_trailing_bytes_is_whole():
    with Http(lambda h: send(h, jpeg_of() + b"\r\n")) as server:
        assert len(take(snapshots(server.url, ""), 1)) == 1


def test_closing_twice_is_harmless(recording):
    source = RecordingSource(recording, CLOCK, loop=False)
    source.open()
    source.close()
    source.close()
    assert len(take(source, 2)) == 2  # and it opens again
