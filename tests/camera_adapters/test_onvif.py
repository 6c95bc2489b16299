"""ONVIF: addresses and the camera's clock, from a device that may be wrong about both."""

from __future__ import annotations

import pytest

from camera_adapters.factory import open_source
from camera_adapters.onvif import messages
from camera_adapters.onvif.device import OnvifDevice, service_address
from camera_adapters.onvif.source import MEASURE_EVERY, ClockedSource
from camera_adapters.source import SourceError
from camera_adapters.web import WebCamera
from domain.centre import Camera
from domain.clock import Clock
from tests.camera_adapters.fake_http import Http, admits_digest, jpeg_of, send
from tests.camera_adapters.fake_onvif import FakeOnvif
from tests.camera_adapters.fake_rtsp import FakeCamera, encode, pictures

CLOCK = Clock()
LOGIN = ("admin", "s3cret")


def device(server, login=None, timeout=5.0):
    userinfo = ":".join(login) + "@" if login else ""
    address = service_address(f"onvif://{userinfo}{server.at}/")
    return OnvifDevice(address, lambda url: WebCamera(url, CLOCK, timeout=timeout), CLOCK)


def camera(url, **more):
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    return Camera.model_validate({"id": "C1", "url": url, "posts": [post], **more})


@pytest.mark.parametrize("ahead", [0, 75, -7200])
def test_the_clock_is_told_without_a_login(ahead):
    with FakeOnvif(ahead=ahead, login=LOGIN) as server:
        assert device(server).measure_clock() == pytest.approx(ahead, abs=1.0)
        assert server.calls == ["GetSystemDateAndTime"]


def test_half_the_way_there_and_back_is_taken_off():
    now = iter([0.0, 2.0])
    with FakeOnvif() as server:
        quick = device(server).measure_clock()
        slow = OnvifDevice(
            service_address(server.at),
            lambda url: WebCamera(url, CLOCK),
            CLOCK,
            monotonic=lambda: next(now),
        ).measure_clock()
    # A whole second to the device and one back: it would seem a second ahead of what it is.
    assert slow == pytest.approx(quick - 1.0, abs=1.1)
    assert slow < quick + 0.2


@pytest.mark.parametrize("http_digest", [False, True])
@pytest.mark.parametrize("ahead", [0, 900])
def test_the_login_is_dated_by_the_devices_own_clock(http_digest, ahead):
    with FakeOnvif(ahead=ahead, login=LOGIN, http_digest=http_digest) as server:
        asked = device(server, LOGIN)
        profile = asked.profile(None)
        assert profile == messages.Profile("Profile_1", "profile_1", (1920, 1080), "H264")
        assert asked.stream_address(profile) == "rtsp://127.0.0.1:554/Streaming/Channels/101"


@pytest.mark.parametrize("http_digest", [False, True])
def test_a_wrong_password_is_said_so_and_not_shown(http_digest):
    with FakeOnvif(login=LOGIN, http_digest=http_digest) as server, pytest.raises(SourceError) as caught:
        device(server, ("admin", "hush")).profiles()
    assert caught.value.reason == "unauthorised"
    assert "hush" not in str(caught.value)


def test_profiles_are_had_by_token_name_and_number():
    with FakeOnvif() as server:
        asked = device(server)
        for wanted in ("Profile_2", "profile_2", "2"):
            assert asked.profile(wanted).token == "Profile_2"
        with pytest.raises(SourceError, match="no profile 'main' \\(has Profile_1, Profile_2\\)"):
            asked.profile("main")


def test_addresses_stay_on_the_host_that_was_asked():
    evil = "rtsp://thief.example:9999/collect?a=1&b=2"
    with FakeOnvif(stream=evil) as server:
        asked = device(server)
        assert asked.stream_address(asked.profile(None)) == "rtsp://127.0.0.1:9999/collect?a=1&b=2"


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (lambda h: send(h, b"<html>", 404), "refused"),
        (lambda h: send(h, b"not XML"), "refused"),
        (lambda h: send(h, b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'), "refused"),
        (lambda h: send(h, '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16")), "refused"),
        (lambda h: send(h, messages.envelope("<a/>")), "refused"),
        (lambda h: send(h, messages.envelope("")), "refused"),
        (lambda h: send(h, b"", 401), "unauthorised"),
    ],
)
def test_what_is_no_answer_is_an_error_with_its_reason(behave, reason):
    with Http(behave) as server:
        server.at = server.host.removeprefix("http://")
        with pytest.raises(SourceError) as caught:
            device(server).measure_clock()
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.8", "http://10.0.0.8/onvif/device_service"),
        ("10.0.0.8:8000", "http://10.0.0.8:8000/onvif/device_service"),
        ("onvif://10.0.0.8/?profile=2", "http://10.0.0.8/onvif/device_service"),
        ("onvifs://10.0.0.8", "https://10.0.0.8/onvif/device_service"),
        ("http://10.0.0.8/other/service", "http://10.0.0.8/other/service"),
    ],
)
def test_the_service_has_a_usual_address(text, address):
    assert service_address(text) == address


# -- as sources ----------------------------------------------------------------------------------------------------------


def test_a_camera_is_watched_by_its_onvif_address_alone():
    units = encode(list(pictures(30)))
    with (
        FakeCamera(units, fps=50, login=LOGIN) as stream,
        FakeOnvif(stream.url().replace("127.0.0.1", "192.168.1.64"), ahead=120, login=LOGIN) as server,
    ):
        source = open_source(
            camera(f"onvif://{server.at}/?profile=Profile_2", user="admin", password_env="PW"),
            CLOCK,
            environ={"PW": LOGIN[1]},
        )
        frames = source.frames()
        assert next(frames).image.shape == (180, 320, 3)
        assert source.clock_offset() == pytest.approx(120, abs=1.5)
        source.close()
        source.close()


def test_its_still_picture_may_be_asked_for_instead():
    def picture(handler):
        if admits_digest(handler):
            send(handler, jpeg_of())
        else:
            send(handler, b"", 401, WWW_Authenticate='Digest realm="cam", nonce="abc", qop="auth"')

    with FakeOnvif(login=LOGIN, pictures=picture, ahead=-40) as server:
        source = open_source(
            camera(f"onvif://{server.at}/?snapshot", user="admin", password_env="PW", every=0.01),
            CLOCK,
            environ={"PW": LOGIN[1]},
        )
        assert next(source.frames()).image.shape == (90, 160, 3)
        assert source.clock_offset() == pytest.approx(-40, abs=1.5)
        source.close()


class Pictures:
    """A source that shows as many pictures as it is asked for."""

    def open(self):
        pass

    def frames(self):
        while True:
            yield object()

    def close(self):
        pass


def test_a_clock_is_asked_for_anew_now_and_then_and_not_more_often():
    now = [0.0]
    with FakeOnvif(ahead=10) as server:
        source = ClockedSource(Pictures(), lambda: device(server), monotonic=lambda: now[0])
        source.open()
        frames = source.frames()
        for _ in range(50):
            next(frames)
        assert server.calls == ["GetSystemDateAndTime"]
        assert source.clock_offset() == pytest.approx(10, abs=1.5)
        # Somebody sets the camera's clock.
        server.ahead = 300
        now[0] += MEASURE_EVERY
        next(frames)
        next(frames)
        assert source.clock_offset() == pytest.approx(300, abs=1.5)


def test_a_clock_that_cannot_be_had_does_not_stop_the_looks(caplog):
    with Http(lambda h: send(h, b"", 404)) as server:
        server.at = server.host.removeprefix("http://")
        now = [0.0]
        source = ClockedSource(Pictures(), lambda: device(server), monotonic=lambda: now[0])
        source.open()
        frames = source.frames()
        next(frames)
        now[0] += MEASURE_EVERY
        next(frames)
        next(frames)
    assert source.clock_offset() is None
    assert caplog.text.count("clock is not known") == 1
