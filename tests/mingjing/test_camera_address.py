"""``mingjing camera address``: the makers' addresses, as their documents give them."""

from __future__ import annotations

import pytest

from camera_adapters.factory import kind_of
from camera_adapters.makers import MAKERS, camera_address
from domain.centre import Camera
from domain.errors import SettingsError
from mingjing.cli import main

ADDRESSES = [
    (("hikvision", {}), "rtsp://10.0.0.8/Streaming/Channels/101"),
    (("hikvision", {"channel": 17}), "rtsp://10.0.0.8/Streaming/Channels/1701"),
    (("hikvision", {"sub": True}), "rtsp://10.0.0.8/Streaming/Channels/102"),
    (("hikvision", {"snapshot": True}), "http://10.0.0.8/ISAPI/Streaming/channels/101/picture"),
    (("hikvision-old", {}), "rtsp://10.0.0.8/h264/ch1/main/av_stream"),
    (("hikvision-old", {"channel": 33, "sub": True}), "rtsp://10.0.0.8/h264/ch33/sub/av_stream"),
    (("dahua", {}), "rtsp://10.0.0.8/cam/realmonitor?channel=1&subtype=0"),
    (("dahua", {"channel": 3, "sub": True}), "rtsp://10.0.0.8/cam/realmonitor?channel=3&subtype=1"),
    (("dahua", {"snapshot": True}), "http://10.0.0.8/cgi-bin/snapshot.cgi?channel=1"),
    (("uniview", {"sub": True}), "rtsp://10.0.0.8/media/video2"),
    (("uniview-recorder", {"channel": 10}), "rtsp://10.0.0.8/unicast/c10/s0/live"),
    (("onvif", {"snapshot": True}), "onvif://10.0.0.8/?profile=1&snapshot"),
]


@pytest.mark.parametrize(("asked", "address"), ADDRESSES)
def test_addresses_are_those_of_the_makers_and_can_be_opened(asked, address):
    maker, options = asked
    assert camera_address(maker, "10.0.0.8", **options) == address
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    camera = Camera.model_validate({"id": "C1", "url": address, "posts": [post]})
    wanted = "onvif" if maker == "onvif" else "snapshot" if options.get("snapshot") else "stream"
    assert kind_of(camera) == wanted


@pytest.mark.parametrize(
    ("maker", "options", "said"),
    [
        ("uniview", {"snapshot": True}, "ONVIF has one"),
        ("hikvision", {"channel": 0}, "--channel"),
        ("hikvision", {"host": "admin:hush@10.0.0.8"}, "holds no login"),
        ("hikvision", {"host": ""}, "--host"),
    ],
)
def test_what_cannot_be_is_refused(maker, options, said):
    with pytest.raises(SettingsError, match=said):
        camera_address(maker, **{"host": "10.0.0.8"} | options)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["camera", "address", *arguments])
    return end.value.code, *capsys.readouterr()


def test_the_command_prints_the_address_and_nothing_else(capsys):
    code, out, _ = run(capsys, "--maker", "dahua", "--host", "10.0.0.8:8554", "--channel", "2", "--sub")
    assert (code, out) == (0, "rtsp://10.0.0.8:8554/cam/realmonitor?channel=2&subtype=1\n")
    code, _, err = run(capsys, "--maker", "panasonic", "--host", "10.0.0.8")
    assert code == 2
    assert "hikvision" in err
    assert all(each in err for each in MAKERS)
