"""A small RTSP server for tests: one H.264 stream, interleaved over TCP, with the faults that cameras have."""

from __future__ import annotations

import base64
import io
import re
import socketserver
import struct
import threading
import time

import av
import numpy as np


def encode(images, fps: int = 25, keyframe_every: int = 10, slices: int = 1) -> list[list[bytes]]:
    """H.264 access units (lists of NAL units) of the images; a keyframe every so many."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height = images[0].shape[1], images[0].shape[0]
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "tune": "zerolatency",
            "x264-params": f"keyint={keyframe_every}:min-keyint={keyframe_every}:scenecut=0:sliced-threads=0:aud=1:slices={slices}",
        }
        for image in images:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    units: list[list[bytes]] = []
    for nal in re.split(rb"\x00\x00\x00?\x01", buffer.getvalue())[1:]:
        if nal[0] & 31 == 9:  # a delimiter begins the next access unit
            units.append([])
        else:
            units[-1].append(nal)
    return units


class FakeCamera:
    """Serves the units in a loop at ``fps``.

    Args:
        silent: accepts the connection and never says a word.
        stall_after: sends so many access units and then nothing more, with the connection open.
        login: (user, password) asked for by basic authentication.
        sdp: what it says it sends, instead of the truth.
        mangle: gets the number of an access unit and its NAL units; returns what is sent of it.
        ahead: seconds its clock is ahead, by its sender reports; None: it sends none.
    """

    def __init__(
        self, units, *, fps=25, silent=False, stall_after=None, login=None, sdp=None, mangle=None, ahead=None
    ):
        self.says, self.mangle, self.ahead = sdp, mangle or (lambda number, nals: nals), ahead
        self.units, self.fps, self.silent, self.stall_after, self.login = (
            units,
            fps,
            silent,
            stall_after,
            login,
        )
        self.stop = threading.Event()
        self.clients = 0
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                camera.clients += 1
                if camera.silent:
                    camera.stop.wait(30)
                    return
                camera.serve(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def url(self, userinfo=""):
        return f"rtsp://{userinfo}127.0.0.1:{self.port}/Streaming/Channels/101"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, rfile, wfile):
        while not self.stop.is_set():
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = rfile.readline()
                if not line:
                    return
                head += line
            text = head.decode()
            method, sequence = text.split(" ", 1)[0], re.search(r"CSeq: *(\d+)", text).group(1)

            def answer(status="200 OK", extra="", body="", sequence=sequence):
                length = f"Content-Length: {len(body)}\r\n" if body else ""
                wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{extra}{length}\r\n{body}".encode())

            if method != "OPTIONS" and not self.admits(text):
                answer("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"\r\n')
            elif method == "OPTIONS":
                answer(extra="Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n")
            elif method == "DESCRIBE":
                answer(extra="Content-Type: application/sdp\r\n", body=self.sdp())
            elif method == "SETUP":
                answer(extra="Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n")
            elif method == "PLAY":
                answer(extra="Session: 7\r\nRange: npt=0.000-\r\n")
                self.play(wfile)
                return
            else:
                answer()

    def admits(self, text):
        if self.login is None:
            return True
        token = base64.b64encode(":".join(self.login).encode()).decode()
        return f"Authorization: Basic {token}" in text

    def sdp(self):
        if self.says is not None:
            return self.says
        sets = [nal for nal in self.units[0] if nal[0] & 31 in (7, 8)]
        sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            "a=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}\r\n"
        )

    def play(self, wfile):
        number = 0
        sequence = 0
        began = time.monotonic()
        while not self.stop.is_set():
            if self.stall_after is not None and number >= self.stall_after:
                self.stop.wait(30)
                return
            nals = self.mangle(number, self.units[number % len(self.units)])
            if self.ahead is not None and number % 5 == 0:
                report = sender_report(
                    time.time() + self.ahead, (number * 90000 // self.fps) & 0xFFFFFFFF, number
                )
                try:
                    wfile.write(b"$\x01" + struct.pack(">H", len(report)) + report)
                except OSError:
                    return
            for position, nal in enumerate(nals):
                parts = list(fragments(nal))
                for index, payload in enumerate(parts):
                    last = position == len(nals) - 1 and index == len(parts) - 1
                    header = struct.pack(
                        ">BBHII", 0x80, 96 | (0x80 if last else 0), sequence & 0xFFFF,
                        (number * 90000 // self.fps) & 0xFFFFFFFF, 1,
                    )  # fmt: skip
                    sequence += 1
                    try:
                        wfile.write(
                            b"$\x00" + struct.pack(">H", len(header) + len(payload)) + header + payload
                        )
                    except OSError:
                        return
            number += 1
            self.stop.wait(max(0.0, began + number / self.fps - time.monotonic()))


def sender_report(unix, timestamp, packets):
    """RTCP: this moment of the camera's clock is this time stamp of its pictures (RFC 3550, 6.4.1)."""
    ntp = int((unix + 2208988800) * 2**32)
    return struct.pack(">BBHIQIII", 0x80, 200, 6, 1, ntp, timestamp, packets, packets)


def fragments(nal: bytes, size: int = 1300):
    """A NAL unit as RTP payloads: whole, or in FU-A fragments."""
    if len(nal) <= size:
        yield nal
        return
    kind, body = nal[0], nal[1:]
    for at in range(0, len(body), size):
        begins, ends = at == 0, at + size >= len(body)
        yield bytes([(kind & 0xE0) | 28, (begins << 7) | (ends << 6) | (kind & 31)]) + body[at : at + size]


def pictures(count: int, width: int = 320, height: int = 180):
    """A bar that walks, so that every picture is another one."""
    for i in range(count):
        image = np.full((height, width, 3), 60 + i % 60, np.uint8)
        image[:, (i * 7) % width : (i * 7) % width + 30] = (40, 200, 90)
        yield image
