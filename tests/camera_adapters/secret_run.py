"""Every kind of source, in order and failing, with a password that must not be seen; run as a program by the test.

Whatever can be said is said: all loggers at DEBUG, FFmpeg's own lines at their most talkative, tracebacks, metrics.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler

from prometheus_client import CollectorRegistry, generate_latest

from camera_adapters.factory import open_source
from camera_adapters.knock import knock_for
from camera_adapters.metrics import CameraCollector
from camera_adapters.runner import CameraRunner, cameras_of
from camera_adapters.source import SourceError
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock
from tests.camera_adapters.fake_http import Http, admits_basic, admits_digest, jpeg_of, send
from tests.camera_adapters.fake_onvif import FakeOnvif
from tests.camera_adapters.fake_rtsp import FakeCamera, encode, pictures

USER = "inspector"


def centre(urls):
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    cameras = [
        {
            "id": name,
            "url": url,
            "user": USER,
            "password_env": "CAMERA_PASSWORD",
            "posts": [post],
            "every": 0.2,
        }
        | more
        for name, (url, more) in urls.items()
    ]
    return Centre.model_validate({"centre": {"id": "c"}, "windows": [{"id": "A01"}], "cameras": cameras})


def web(login):
    def behave(handler: BaseHTTPRequestHandler):
        kind = handler.path.strip("/").split("/")[0]
        admitted = (admits_basic if kind == "basic" else admits_digest)(handler, *login)
        if not admitted:
            ask = "Basic" if kind == "basic" else "Digest"
            send(handler, b"", 401, WWW_Authenticate=f'{ask} realm="cam", nonce="abc", qop="auth"')
        elif "mjpg" in handler.path:
            handler.send_response(200)
            handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
            handler.end_headers()
            for _ in range(20):
                handler.wfile.write(b"--x\r\n\r\n" + jpeg_of() + b"\r\n")
                time.sleep(0.02)
            handler.close_connection = True
        elif "away" in handler.path:
            send(handler, b"", 302, Location="http://elsewhere.invalid/")
        else:
            send(handler, jpeg_of() if "half" not in handler.path else jpeg_of()[:500])

    return behave


def main() -> None:
    password = sys.stdin.readline().rstrip("\n")
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    with contextlib.suppress(ImportError):
        import av.logging

        av.logging.set_level(av.logging.TRACE)
    units = encode(list(pictures(30)))
    right, wrong = (USER, password), (USER, "something else")
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        good, bad = enter(FakeCamera(units, fps=50, login=right)), enter(FakeCamera(units, login=wrong))
        http, shut = enter(Http(web(right))), enter(Http(web(wrong)))
        stream = good.url().replace("127.0.0.1", "10.9.9.9")
        device = enter(FakeOnvif(stream, login=right, ahead=100))
        closed = enter(FakeOnvif(stream, login=wrong))
        digest = enter(FakeOnvif(stream, login=wrong, http_digest=True))
        found = centre(
            {
                "stream": (good.url(), {"onvif": device.at}),
                "stream-shut": (bad.url(), {}),
                "stream-gone": ("rtsp://127.0.0.1:9/x", {}),
                "stream-nowhere": ("rtsp://camera.invalid/x", {}),
                "flv": (f"{shut.host}/basic/live.flv", {}),
                "digest": (f"{http.host}/digest/picture", {}),
                "basic": (f"{http.host}/basic/picture", {}),
                "basic-half": (f"{http.host}/basic/half", {}),
                "away": (f"{http.host}/basic/away", {}),
                "shut": (f"{shut.host}/basic/picture", {}),
                "shut-digest": (f"{shut.host}/digest/picture", {}),
                "mjpeg": (f"{http.host}/basic/mjpg/video.mjpg", {}),
                "mjpeg-shut": (f"{shut.host}/digest/mjpg/video.mjpg", {}),
                "onvif": (f"onvif://{device.at}/?profile=2", {}),
                "onvif-profile": (f"onvif://{device.at}/?profile=nine", {}),
                "onvif-shut": (f"onvif://{closed.at}/", {}),
                "onvif-digest": (f"onvif://{digest.at}/", {}),
                "file": ("/nowhere/a.mp4", {}),
                "strange": ("gopher://camera.invalid/x", {}),
            }
        )
        for camera in found.cameras:
            try:
                source = open_source(camera, Clock())
                try:
                    frames = source.frames()
                    for _ in range(2):
                        next(frames)
                    print(camera.id, "shows", source)
                finally:
                    source.close()
            except SourceError as error:
                print(camera.id, error.reason, error, repr(error))
                traceback.print_exc()
            knock = knock_for(camera.url)
            if knock is not None:
                print(camera.id, "knocks", knock())
        stop = threading.Event()
        said = []
        runner = CameraRunner(
            cameras_of(Centres((found,))),
            Clock(),
            said.extend,
            wait=stop.wait,
        )
        registry = CollectorRegistry()
        registry.register(CameraCollector(runner))
        run = threading.Thread(
            target=runner.run,
            args=(lambda name, target: threading.Thread(target=target, name=name, daemon=True).start(),),
            daemon=True,
        )
        run.start()
        give_up = time.monotonic() + 15
        while time.monotonic() < give_up and not all(
            posting.reader.link.up or posting.reader.link.reason for posting in runner.postings
        ):
            time.sleep(0.1)
        print(generate_latest(registry).decode())
        print(said)
        print(repr(found), found.model_dump_json())
        stop.set()
        run.join(5)
        print("done")


if __name__ == "__main__":
    main()
