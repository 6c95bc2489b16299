"""Streams of JPEG pictures, written as oddly as cameras write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_adapters.mjpeg import MjpegSource, Parts
from camera_adapters.source import SourceError
from camera_adapters.web import WebCamera
from domain.clock import FakeClock
from tests.camera_adapters.fake_http import Http, jpeg_of, send

CLOCK = FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


def grey(level):
    return jpeg_of(np.full((60, 80, 3), level, np.uint8))


def part(body, boundary=b"--cam", length=True, end=b"\r\n", more=b""):
    head = b"Content-Type: image/jpeg\r\n" + more
    if length:
        head += f"Content-Length: {len(body)}\r\n".encode()
    return boundary + end + head.replace(b"\r\n", end) + end + body + end


WRITTEN = {
    "plain": ("multipart/x-mixed-replace; boundary=cam", {}),
    "quoted": ('multipart/x-mixed-replace;boundary="cam"', {}),
    "with hyphens in the head": ("multipart/x-mixed-replace; boundary=--cam", {}),
    "no length": ("multipart/x-mixed-replace; boundary=cam", {"length": False}),
    "no length, hyphens": ("multipart/x-mixed-replace; boundary=--cam", {"length": False}),
    "bare line ends": ("multipart/x-mixed-replace; boundary=cam", {"end": b"\n"}),
    "bare, no length": ("multipart/x-mixed-replace; boundary=cam", {"end": b"\n", "length": False}),
    "more head": ("multipart/x-mixed-replace;charset=x; boundary=cam", {"more": b"X-Time: 1\r\n"}),
}


@pytest.mark.parametrize("way", WRITTEN)
@given(st.lists(st.integers(1, 400), max_size=12))
def test_parts_come_out_whole_however_they_are_cut(way, cuts):
    kind, options = WRITTEN[way]
    bodies = [grey(level) for level in (0, 90, 180, 250)]
    sent = b"preamble\r\n" + b"".join(part(body, **options) for body in bodies) + b"--cam--\r\n"
    parts, got, at = Parts(kind), [], 0
    for cut in [*cuts, len(sent)]:
        got += parts.feed(sent[at : at + cut])
        at += cut
    assert [body.rstrip(b"\r\n") for body in got] == [body.rstrip(b"\r\n") for body in bodies]


@pytest.mark.parametrize("kind", ["", "multipart/x-mixed-replace", "multipart/x-mixed-replace; boundary="])
def test_without_a_boundary_it_is_no_stream(kind):
    with pytest.raises(ValueError, match="boundary"):
        Parts(kind)


def test_a_head_without_an_end_is_given_up():
    with pytest.raises(ValueError, match="head"):
        Parts("x; boundary=cam").feed(b"--cam\r\n" + b"x" * 100_000)


def streaming(*pieces, kind="multipart/x-mixed-replace; boundary=cam", pause=0.0, hold=0.0):
    def behave(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)
        time.sleep(hold)
        handler.close_connection = True

    return behave


def watch(server, timeout=0.6, every=0.0, user="", **options):
    url = server.url.replace("://", f"://{user}")
    return MjpegSource(
        lambda: WebCamera(url, CLOCK, timeout=timeout), CLOCK, every=every, timeout=timeout, **options
    )


def everything(source):
    """(levels of the pictures, the error at the end)."""
    levels = []
    try:
        for frame in source.frames():
            levels.append(round(float(frame.image.mean())))
    except SourceError as error:
        return levels, error
    finally:
        source.close()
    return levels, None


def test_only_the_newest_picture_is_decoded_and_only_when_wanted():
    burst = b"".join(part(grey(level)) for level in range(0, 200, 2))
    with Http(streaming(burst, part(grey(200)), pause=0.2)) as server:
        levels, error = everything(watch(server))
    assert 0 < len(levels) < 20
    assert levels[-1] == 200
    assert error.reason == "no_frame"
    now = iter(range(10_000))
    with Http(streaming(*(part(grey(level)) for level in range(0, 250, 5)), pause=0.005)) as server:
        # Each look at the clock takes a second: a picture every thousand of them is one.
        levels, _ = everything(watch(server, timeout=5, every=1000.0, monotonic=lambda: next(now) * 0.01))
    assert len(levels) == 1


def test_half_pictures_are_left_out_and_counted():
    good, bad = part(grey(120)), part(grey(50)[:400], length=False)
    with Http(streaming(good, bad, b"--cam\r\n", good, pause=0.05)) as server:
        source = watch(server)
        levels, _ = everything(source)
    assert levels == [120, 120]
    assert source.broken == 1


def test_a_stream_without_one_whole_picture_ends_in_time():
    bad = part(grey(50)[:400])
    with Http(streaming(*[bad] * 40, pause=0.05)) as server:
        began = time.monotonic()
        levels, error = everything(watch(server))
        assert time.monotonic() - began < 1.6
    assert levels == []
    assert error.reason == "undecodable"


@pytest.mark.parametrize("sent", [b"", part(grey(9))[:300]])
def test_a_stall_ends_in_time(sent):
    with Http(streaming(part(grey(10)), sent, hold=1.2)) as server:
        began = time.monotonic()
        levels, error = everything(watch(server))
        assert time.monotonic() - began < 1.2
    assert levels == [10]
    assert error.reason == "no_frame"


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (lambda h: send(h, jpeg_of(), Content_Type="image/jpeg"), "undecodable"),
        (lambda h: send(h, b"<html>", Content_Type="text/html"), "undecodable"),
        (lambda h: send(h, b"", 503), "refused"),
        (lambda h: send(h, b"", 401, WWW_Authenticate='Digest realm="c", nonce="n"'), "unauthorised"),
    ],
)
def test_what_is_no_stream_is_an_error_with_its_reason(behave, reason):
    with Http(behave) as server:
        levels, error = everything(watch(server, user="admin:hush@"))
    assert levels == []
    assert error.reason == reason
    assert "hush" not in str(error)


def test_it_signs_in_by_digest_and_by_basic():
    from tests.camera_adapters.fake_http import admits_basic, admits_digest

    for admits, asks in ((admits_digest, "Digest"), (admits_basic, "Basic")):

        def behave(handler, admits=admits, asks=asks):
            if admits(handler):
                streaming(part(grey(77)), pause=0.1)(handler)
            else:
                send(handler, b"", 401, WWW_Authenticate=f'{asks} realm="cam", nonce="abc", qop="auth"')

        with Http(behave) as server:
            assert everything(watch(server, user="admin:s3cret@"))[0] == [77]
