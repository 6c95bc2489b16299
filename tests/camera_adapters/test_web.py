"""A camera's web server misbehaves: every answer is bounded, and the login goes nowhere else."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from camera_adapters.snapshot import SnapshotSource
from camera_adapters.source import SourceError
from camera_adapters.web import WebCamera
from detectors.presence.watcher import PostWatcher
from domain.clock import Clock
from mingjing.watch_live import watch_live
from tests.camera_adapters.certificates import certificate, other_certificate  # noqa: F401
from tests.camera_adapters.fake_http import Http, jpeg_of, send, with_digest
from tests.detectors.presence.scenes import POST, noisy, room

CLOCK = Clock()


def source(url, user="", timeout=0.5, **web):
    address = url.replace("://", f"://{user}")
    return SnapshotSource(
        lambda: WebCamera(address, CLOCK, timeout=timeout, **web), CLOCK, wait=lambda _: False, every=0
    )


def one(source):
    try:
        return next(source.frames())
    finally:
        source.close()


def drip_head(handler):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nX-Nothing: " + b"x" * 40:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


def drip_body(handler):
    body = jpeg_of()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body[:60]:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize("behave", [drip_head, drip_body])
def test_a_byte_now_and_then_does_not_hold_us(behave):
    began = time.monotonic()
    with Http(behave) as server:
        with pytest.raises(SourceError) as caught:
            one(source(server.url))
        assert time.monotonic() - began < 1.5
    assert caught.value.reason == "no_frame"


def test_more_than_a_picture_can_be_is_not_read(monkeypatch):
    monkeypatch.setattr("camera_adapters.web.LARGEST_BYTES", 100_000)
    sent = []

    def flood(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 34))
        handler.end_headers()
        while True:
            handler.wfile.write(b"\xff\xd8" + b"x" * 65536)
            sent.append(1)

    with Http(flood) as server, pytest.raises(SourceError, match="more than 100000 bytes") as caught:
        one(source(server.url, timeout=5))
    assert caught.value.reason == "undecodable"
    assert len(sent) < 1000


@pytest.mark.parametrize("status", [401, 403])
def test_not_admitted_is_said_so(status):
    with Http(lambda h: send(h, b"", status)) as server, pytest.raises(SourceError) as caught:
        one(source(server.url, "admin:hush@"))
    assert caught.value.reason == "unauthorised"
    assert "hush" not in str(caught.value)


def test_redirects_are_followed_on_the_camera_only():
    with Http(lambda h: send(h, jpeg_of())) as other:

        def behave(handler):
            if handler.path == "/moved":
                send(handler, jpeg_of())
            elif handler.path == "/away":
                # The same machine by another name is another host to us.
                send(handler, b"", 302, Location=other.url.replace("127.0.0.1", "localhost"))
            elif handler.path == "/round":
                send(handler, b"", 302, Location="/round")
            else:
                send(handler, b"", 302, Location="/moved")

        with Http(behave) as server:
            assert one(source(server.url, "admin:hush@")).image.shape == (90, 160, 3)
            for path, said in (("/away", "another host"), ("/round", "from one address to the next")):
                with pytest.raises(SourceError, match=said) as caught:
                    one(source(server.host + path, "admin:hush@"))
                assert caught.value.reason == "refused"
            assert len(server.asked) < 12
        assert other.asked == []


def test_the_login_is_proved_again_after_a_redirect():
    def behave(handler):
        if handler.path == "/start":
            send(handler, b"", 307, Location="/picture")
        else:
            with_digest(handler)

    with Http(behave) as server:
        assert one(source(f"{server.host}/start", "admin:s3cret@")).image.shape == (90, 160, 3)


def test_encrypted_cameras_are_believed_only_with_their_certificate(certificate, other_certificate):  # noqa: F811
    with Http(lambda h: send(h, jpeg_of()), certificate=certificate) as server:
        good = source(server.url, ca_file=str(certificate), timeout=5)
        assert one(good).image.shape == (90, 160, 3)
        assert one(source(server.url, verify=False, timeout=5)).image.shape == (90, 160, 3)
        for wrong in ({}, {"ca_file": str(other_certificate)}):
            with pytest.raises(SourceError, match="certificate is not trusted") as caught:
                one(source(server.url, timeout=5, **wrong))
            assert caught.value.reason == "refused"
        with pytest.raises(SourceError, match="cannot be read"):
            one(source(server.url, ca_file="/nowhere/ca.pem", timeout=5))


def test_nobody_there_and_no_name_are_unreachable():
    for url in ("http://127.0.0.1:9/x.jpg", "http://camera.invalid/x.jpg"):
        with pytest.raises(SourceError) as caught:
            one(source(url, timeout=3))
        assert caught.value.reason == "unreachable"


@pytest.mark.parametrize("ahead", [0, 95, -3600])
def test_the_cameras_clock_is_read_from_its_answers(ahead):
    def behave(handler):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
        handler.send_response_only(200)
        handler.send_header("Date", date)
        body = jpeg_of()
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with Http(behave) as server:
        camera = source(server.url, timeout=5)
        assert camera.clock_offset() is None
        frames = camera.frames()
        next(frames)
        assert camera.clock_offset() == pytest.approx(ahead, abs=1.0)
        camera.close()


def test_a_clock_that_is_no_date_is_not_known():
    def behave(handler):
        handler.send_response_only(200)
        handler.send_header("Date", "yesterday")
        handler.send_header("Content-Length", str(len(jpeg_of())))
        handler.end_headers()
        handler.wfile.write(jpeg_of())

    with Http(behave) as server:
        camera = source(server.url)
        next(camera.frames())
        assert camera.clock_offset() is None
        camera.close()


def test_a_stream_of_pictures_where_one_was_expected_names_the_remedy():
    def behave(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        handler.end_headers()

    with Http(behave) as server, pytest.raises(SourceError, match="kind: mjpeg"):
        one(source(server.url))


class Hurried(threading.Event):
    """Ten seconds of looks in one."""

    def wait(self, timeout=None):
        return super().wait(None if timeout is None else timeout / 10)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_same_picture_for_too_long_says_nothing(frozen):
    asked = itertools.count()
    first = jpeg_of(room())

    def behave(handler):
        send(handler, first if frozen else jpeg_of(noisy(room(), next(asked))))

    def hurried():
        return time.monotonic() * 10

    stop = Hurried()
    with Http(behave) as server:
        camera = SnapshotSource(
            lambda: WebCamera(server.url, CLOCK), CLOCK, every=0.5, wait=stop.wait, monotonic=hurried
        )
        watcher = PostWatcher([POST], None, window=1.0, period=0.5)
        ticks = watch_live(
            server.url, watcher, period=0.5, stop=stop, monotonic=hurried, make_source=lambda: camera
        )
        reasons = [tick.states[0].reason for tick in itertools.islice(ticks, 40)]
        stop.set()
    assert (reasons[-1] == "frozen") == frozen
    assert ("frozen" in reasons) == frozen
