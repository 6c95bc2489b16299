"""Sources on a real RTSP server: both codecs and transports, logins, encryption; paused, killed and brought back."""

from __future__ import annotations

import threading
import time

import pytest

from camera_adapters.backoff import Backoff
from camera_adapters.media import Access
from camera_adapters.reader import Reader
from camera_adapters.slot import Slot
from camera_adapters.source import SourceError
from camera_adapters.stream import StreamSource
from detectors.presence.watcher import PostWatcher
from domain.clock import Clock
from mingjing.watch_live import watch_live
from tests.camera_adapters.certificates import certificate, other_certificate  # noqa: F401
from tests.detectors.presence.scenes import POST

pytestmark = pytest.mark.process
SMALL = {"size": (320, 180), "gop": 10, "seconds": 2}


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


def stream(url, **access):
    return StreamSource(url, Clock(), access=Access(**{"timeout": (4.0, 1.0)} | access))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_keyframes_and_nothing_else(rtsp, codec, transport):
    url = rtsp.publish(f"source-{codec}", codec=codec, **SMALL)
    frames = take(stream(url, transport=transport), 4)
    assert all(frame.keyframe for frame in frames)
    assert frames[0].image.shape == (180, 320, 3)
    # Ten pictures at 25 a second lie between two keyframes.
    assert (frames[-1].t - frames[1].t) / 2 == pytest.approx(0.4, abs=0.15)


def test_its_sender_reports_tell_the_time(rtsp):
    source = stream(rtsp.publish("clock", **SMALL), timeout=(4.0, 4.0))
    give_up = time.monotonic() + 15
    for _ in source.frames():
        if source.clock_offset() is not None or time.monotonic() > give_up:
            break
    offset = source.clock_offset()
    source.close()
    assert offset == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("digest", [True, False])
def test_logins(rtsp_server, digest):
    server = rtsp_server(login=("viewer", "p@ss: wörd/1"), digest=digest)
    url = server.publish("camera", **SMALL)
    assert len(take(stream(url), 1)) == 1
    with pytest.raises(SourceError) as caught:
        take(stream(server.url("camera", userinfo="viewer:hush-hush@")), 1)
    assert caught.value.reason == "unauthorised"
    assert "hush" not in str(caught.value)


def test_encrypted_streams_are_believed_only_with_their_certificate(
    rtsp_server,
    certificate,  # noqa: F811
    other_certificate,  # noqa: F811
):
    url = rtsp_server(certificate=certificate).publish("camera", **SMALL)
    assert len(take(stream(url, ca_file=str(certificate)), 1)) == 1
    assert len(take(stream(url, verify=False), 1)) == 1
    for wrong in ({}, {"ca_file": str(other_certificate)}):
        with pytest.raises(SourceError):
            take(stream(url, **wrong), 1)


def test_a_name_that_is_not_served_is_an_error(rtsp):
    with pytest.raises(SourceError) as caught:
        take(stream(rtsp.url("nobody")), 1)
    assert caught.value.reason == "unreachable"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_silence_is_noticed_within_the_limit(rtsp_server, transport):
    server = rtsp_server()
    url = server.publish("camera", **SMALL)
    source = stream(url, transport=transport)
    frames = source.frames()
    next(frames)
    server.pause()
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        for _ in frames:
            pass
    # What had come before the silence may still be read first.
    assert time.monotonic() - began < 2.0
    assert caught.value.reason == "no_frame"
    source.close()
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        take(stream(url, transport=transport, timeout=(1.0, 1.0)), 1)
    assert time.monotonic() - began < 2.0
    assert caught.value.reason == "no_frame"


def test_a_killed_camera_comes_back_by_itself(rtsp_server):
    server = rtsp_server()
    url = server.publish("camera", **SMALL)
    stop, slot = threading.Event(), Slot()

    def soon(seconds):
        return stop.wait(min(seconds, 0.2))

    reader = Reader("C1", lambda: stream(url), slot, wait=soon, backoff=Backoff(lambda: 0.5))
    threading.Thread(target=reader.run, daemon=True).start()
    try:
        wait_for(lambda: slot.received > 1)
        server.kill()
        wait_for(lambda: not reader.link.up)
        before = slot.received
        server.start()
        wait_for(lambda: reader.link.up and slot.received > before)
        server.withdraw("camera")
        wait_for(lambda: not reader.link.up)
    finally:
        stop.set()


def test_watching_goes_on_through_a_failure_and_ends_when_told(rtsp_server):
    server = rtsp_server()
    url = server.publish("camera", **SMALL)
    stop = threading.Event()
    watcher = PostWatcher([POST], None, window=1.0, period=0.1)
    ticks = watch_live(
        url, watcher, period=0.1, stop=stop, make_source=lambda: stream(url, timeout=(3.0, 0.5))
    )
    try:
        assert next(ticks).t == 0.0
        reasons = collect(ticks, lambda reason: reason == "learning")
        server.kill()
        reasons += collect(ticks, lambda reason: reason in ("refused", "no_frame", "unreachable"))
        server.start()
        reasons += collect(ticks, lambda reason: reason == "learning")
        assert "learning" in reasons
        stop.set()
        assert len(list(ticks)) <= 1
    finally:
        stop.set()


class Hurried(threading.Event):
    """Ten seconds of looks in one."""

    def wait(self, timeout=None):
        return super().wait(None if timeout is None else timeout / 10)


@pytest.mark.parametrize(
    ("source", "reason"),
    [("color=black", "dark"), ("color=gray", "flat"), ("smptebars", "frozen")],
)
def test_a_picture_in_which_nothing_can_be_seen_says_nothing(rtsp, source, reason):
    url = rtsp.publish(f"picture-{reason}", source=source, **SMALL)

    def hurried():
        return time.monotonic() * 10

    stop = Hurried()
    ticks = watch_live(
        url,
        PostWatcher([POST], None, window=1.0, period=0.5),
        period=0.5,
        stop=stop,
        monotonic=hurried,
        make_source=lambda: StreamSource(url, Clock(), monotonic=hurried),
    )
    try:
        collect(ticks, lambda said: said == reason)
    finally:
        stop.set()


def test_an_address_that_never_worked_is_an_error_and_not_waited_for(rtsp):
    watcher = PostWatcher([POST], None, window=1.0, period=0.1)
    with pytest.raises(SourceError):
        next(watch_live(rtsp.url("nobody"), watcher, period=0.1, stop=threading.Event()))


def collect(ticks, enough, seconds=20):
    give_up, reasons = time.monotonic() + seconds, []
    for tick in ticks:
        reasons.append(tick.states[0].reason)
        if enough(reasons[-1]):
            return reasons
        assert time.monotonic() < give_up, reasons[-5:]
    raise AssertionError("it ended")


def wait_for(fact, seconds=20):
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up
        time.sleep(0.02)
