"""A camera's web server for tests: a real one, whose behaviour each test gives."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


def jpeg_of(image=None):
    image = image if image is not None else np.random.default_rng(1).integers(0, 255, (90, 160, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


class Http:
    """A camera's web server: ``behave`` gets the handler and answers."""

    def __init__(self, behave, certificate=None):
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append(self.headers.get("Authorization"))
                behave(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that hangs up is none of ours."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"http{'s' if certificate else ''}://127.0.0.1:{self.server.server_address[1]}"
        self.url = f"{self.host}/ISAPI/Streaming/channels/101/picture"

    def __enter__(self):
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def send(handler, body, status=200, length=None, **headers):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def admits_digest(handler, user="admin", password="s3cret"):
    given = handler.headers.get("Authorization") or ""
    if not given.startswith("Digest "):
        return False
    f = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    ha1, ha2 = md5(f"{user}:cam:{password}"), md5(f"{handler.command}:{handler.path}")
    return md5(f"{ha1}:abc:{f['nc']}:{f['cnonce']}:auth:{ha2}") == f["response"]


def admits_basic(handler, user="admin", password="s3cret"):
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return handler.headers.get("Authorization") == f"Basic {token}"


def with_digest(handler):
    if admits_digest(handler):
        send(handler, jpeg_of())
    else:
        ask = 'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5'
        send(handler, b"", 401, WWW_Authenticate=ask)


def with_basic(handler):
    if admits_basic(handler):
        send(handler, jpeg_of())
    else:
        send(handler, b"", 401, WWW_Authenticate='Basic realm="cam"')
