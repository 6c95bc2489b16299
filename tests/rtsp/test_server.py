"""The RTSP server of the tests itself: real streams of both codecs, killed, paused and brought back."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from tests.rtsp.server import RtspServer

pytestmark = pytest.mark.process


def pictures(url, count, *, transport="tcp", **options):
    """Decoded pictures of a stream: (coder, [is a keyframe], first picture)."""
    options = {"rtsp_transport": transport} | options
    with av.open(url, options=options, timeout=(5, 5)) as container:
        taken = list(itertools.islice(container.decode(video=0), count))
        return (
            container.streams.video[0].codec_context.name,
            [f.key_frame for f in taken],
            taken[0].to_ndarray(format="bgr24"),
        )


@pytest.mark.parametrize(("codec", "name"), [("h264", "h264"), ("h265", "hevc")])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_it_serves_both_codecs_over_both_transports(rtsp, codec, name, transport):
    url = rtsp.publish(f"serves-{codec}", size=(320, 180), gop=10, seconds=2, codec=codec)
    coder, keyframes, picture = pictures(url, 21, transport=transport)
    assert coder == name
    # One picture in ten is a keyframe, and none comes twice.
    first = keyframes.index(True)
    assert [i for i, key in enumerate(keyframes[first:]) if key] == list(range(0, 21 - first, 10))
    assert picture.shape == (180, 320, 3)
    assert picture.std() > 20


def test_a_killed_server_comes_back_where_it_was(rtsp_server):
    server = rtsp_server()
    url = server.publish("camera", size=(320, 180), gop=10, seconds=2)
    also = server.alias("other", "camera")
    assert len(pictures(also, 2)[1]) == 2
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        pictures(url, 1)
    server.start()
    assert len(pictures(also, 2)[1]) == 2
    server.withdraw("other")
    with pytest.raises(av.error.HTTPNotFoundError):
        pictures(also, 1)
    assert len(pictures(url, 2)[1]) == 2


def test_only_who_knows_the_login_sees_anything(rtsp_server):
    for digest in (True, False):
        server = rtsp_server(login=("viewer", "pä@ss/w"), digest=digest)
        url = server.publish("camera", size=(320, 180), gop=10, seconds=2)
        assert len(pictures(url, 2)[1]) == 2
        for userinfo in ("", "viewer:wrong@"):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                pictures(server.url("camera", userinfo=userinfo), 1)


def test_many_cameras_of_one_clip_cost_little(rtsp_server):
    """What the benchmarks stand on: the server must leave the machine to those who watch."""
    server: RtspServer = rtsp_server()
    server.publish("one", size=(320, 180), gop=25, seconds=4)
    urls = [server.alias(f"{n}", "one") for n in range(6)]
    before = server.cpu_seconds()
    watchers = [
        av.open(url, options={"rtsp_transport": "tcp", "fpsprobesize": "0"}, timeout=(5, 5)) for url in urls
    ]
    try:
        for watcher in watchers:
            assert len(list(itertools.islice(watcher.demux(video=0), 25))) == 25
        assert server.clients() == len(urls)
    finally:
        for watcher in watchers:
            watcher.close()
    # Six streams of some seconds: an encoder alone would take as long as this.
    assert server.cpu_seconds() - before < 2.0


def test_whoever_ends_takes_the_server_along():
    root = Path(__file__).resolve().parents[2]
    code = (
        "import os; from tests.rtsp.server import RtspServer;"
        "s = RtspServer(); s.start(); print(s.pid, flush=True); os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    give_up = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < give_up
        time.sleep(0.05)
