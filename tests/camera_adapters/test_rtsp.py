"""Talking RTSP with cameras of several kinds; what is not understood is left to FFmpeg, and nothing is said of passwords."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
from itertools import count

import pytest

from camera_adapters.rtsp import RtspSession, Unspoken, authorization, video_of
from camera_adapters.source import SourceError

SDP = (
    "v=0\r\ns=x\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\na=control:audio\r\n"
    "m=video 0 RTP/AVP 98\r\na=rtpmap:98 H264/90000\r\na=control:video\r\n"
    "a=fmtp:98 packetization-mode=1;sprop-parameter-sets=Z0I=,aM4=\r\n"
)


class Camera:
    """Answers each request by what ``answers`` makes of (method, address, headers); plays what is given."""

    def __init__(self, answers, after_play=b""):
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self._answers, self._after_play = answers, after_play
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._door.getsockname()[1]}/live?channel=1"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            # Wakes who still waits for somebody to come.
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(2)

    def _serve(self):
        with contextlib.suppress(OSError):
            line, _ = self._door.accept()
            with line, line.makefile("rb") as coming:
                while (request := self._request(coming)) is not None:
                    self.asked.append(request)
                    number = request[2]["cseq"]
                    line.sendall(self._answers(*request).replace("CSEQ", number).encode("latin-1"))
                    if request[0] == "PLAY":
                        line.sendall(self._after_play)

    @staticmethod
    def _request(coming):
        first = coming.readline().decode()
        if not first:
            return None
        headers = {}
        while line := coming.readline().decode().strip():
            key, _, value = line.partition(":")
            headers[key.lower()] = value.strip()
        method, url, _ = first.split()
        return method, url, headers


def answer(status="200 OK", headers="", body=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {status}\r\nCSeq: CSEQ\r\n{headers}{length}\r\n{body}"


def usual(method, url, headers, *, sdp=SDP, session="42;timeout=8", public="OPTIONS, GET_PARAMETER"):
    if method == "OPTIONS":
        return answer(headers=f"Public: {public}\r\n")
    if method == "DESCRIBE":
        return answer(headers=f"Content-Base: {url}/\r\n", body=sdp)
    if method == "SETUP":
        return answer(headers=f"Session: {session}\r\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n")
    return answer()


def opened(camera, userinfo="", **options):
    return RtspSession(camera.url.replace("//", f"//{userinfo}"), **{"timeout": (2.0, 0.3)} | options)


def packet(channel, data):
    return bytes([0x24, channel]) + len(data).to_bytes(2, "big") + data


def test_it_asks_for_the_pictures_and_nothing_else():
    with Camera(usual, packet(4, b"one") + packet(5, b"two")) as camera:
        session = opened(camera)
        assert session.video.codec == "h264"
        assert session.video.payload == 98
        assert session.video.sets == b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce"
        packets, got = session.receive()
        assert [(channel, bytes(data)) for channel, data in packets] == [(4, b"one"), (5, b"two")]
        assert session.channel == 4
        assert got == 14
        session.close()
    assert [method for method, *_ in camera.asked] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert camera.asked[2][1] == f"{camera.url}/video"
    assert camera.asked[3][2]["session"] == "42"


def test_pieces_are_put_together_and_answers_between_them_passed_over():
    said = b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: 3\r\n\r\n$$$"
    coming = packet(4, b"a" * 40) + said + packet(4, b"b") + packet(4, b"c" * 60_000) * 5 + packet(4, b"d")
    with Camera(usual, coming) as camera:
        session = opened(camera)
        found: list[bytes] = []
        while found[-1:] != [b"d"]:
            found += [bytes(data) for _, data in session.receive()[0]]
        session.close()
    assert found == [b"a" * 40, b"b", *[b"c" * 60_000] * 5, b"d"]


def test_packets_before_the_answer_are_others():
    def early(method, url, headers):
        before = packet(4, b"$RTSP" * 3).decode("latin-1") if method == "PLAY" else ""
        return before + usual(method, url, headers)

    with Camera(early, packet(4, b"mine")) as camera:
        session = opened(camera)
        assert [bytes(data) for _, data in session.receive()[0]] == [b"mine"]
        session.close()


@pytest.mark.parametrize(
    ("public", "word"), [("OPTIONS, GET_PARAMETER", "GET_PARAMETER"), ("OPTIONS", "OPTIONS")]
)
def test_a_session_is_kept_alive_within_half_its_time(public, word):
    now = [0.0]
    with Camera(lambda *asked: usual(*asked, public=public), packet(4, b"x")) as camera:
        session = opened(camera, monotonic=lambda: now[0])
        session.receive()
        assert len(camera.asked) == 4
        now[0] = 4.1
        packets, got = session.receive()
        assert got > 0
        assert packets == [], "the answer is no packet"
        session.close()
    assert camera.asked[4][0] == word
    assert camera.asked[4][2]["session"] == "42"


def digest_camera(algorithm, qop):
    nonces = count(1)
    now = [f"n{next(nonces)}"]
    make = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5

    def hashed(text):
        return make(text.encode()).hexdigest()

    def answers(method, url, headers):
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', headers.get("authorization", "")))
        if given:
            who, what = hashed("ädmin:cam:p@ss"), hashed(f"{method}:{url}")
            middle = f"{given['nc']}:{given['cnonce']}:auth:" if qop else ""
            right = given["response"] == hashed(f"{who}:{now[0]}:{middle}{what}") and given["uri"] == url
            if right:
                return usual(method, url, headers)
        extra = (f', qop="{qop}"' if qop else "") + (f", algorithm={algorithm}" if algorithm else "")
        return answer(
            "401 Unauthorized",
            f'WWW-Authenticate: Basic realm="cam"\r\nWWW-Authenticate: Digest realm="cam", nonce="{now[0]}"{extra}\r\n',
        )

    return answers


@pytest.mark.parametrize(("algorithm", "qop"), [("", ""), ("MD5", "auth,auth-int"), ("SHA-256", "auth")])
def test_it_signs_in_by_digest(algorithm, qop):
    with Camera(digest_camera(algorithm, qop)) as camera:
        opened(camera, "%C3%A4dmin:p%40ss@").close()
    # Asked once, then every request is signed.
    assert [method for method, *_ in camera.asked][:3] == ["OPTIONS", "OPTIONS", "DESCRIBE"]
    assert not any("p@ss" in str(each) or "p%40ss" in str(each) for each in camera.asked)


@pytest.mark.parametrize("userinfo", ["", "%C3%A4dmin:wrong@"])
def test_who_is_not_let_in_is_told_once(userinfo):
    with Camera(digest_camera("MD5", "auth")) as camera, pytest.raises(SourceError) as caught:
        opened(camera, userinfo)
    assert caught.value.reason == "unauthorised"
    assert "wrong" not in str(caught.value)
    assert len(camera.asked) == (2 if userinfo else 1), "some cameras lock an account after a few attempts"


def test_a_digest_that_is_as_in_the_standard():
    # RFC 2617, 3.5, but for the client's own nonce.
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    found = authorization(challenge, ("Mufasa", "Circle Of Life"), "GET", "/dir/index.html", 1)
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in found
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in found


@pytest.mark.parametrize(
    "change",
    [
        {"DESCRIBE": answer("302 Moved", "Location: rtsp://127.0.0.1/other\r\n")},
        {"SETUP": answer("461 Unsupported Transport")},
        {"SETUP": answer(headers="Session: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n")},
        {"DESCRIBE": answer(body=SDP.replace("H264", "VP8"))},
        {"DESCRIBE": answer(body=SDP.replace("packetization-mode=1", "packetization-mode=2"))},
        {"DESCRIBE": answer(body="v=0\r\n")},
    ],
)
def test_what_is_not_understood_is_left_to_others(change):
    def strange(method, url, headers):
        return change.get(method) or usual(method, url, headers)

    with Camera(strange) as camera, pytest.raises(Unspoken):
        opened(camera)


@pytest.mark.parametrize(
    "address", ["rtsp://127.0.0.1:99999/x", "rtsp:///x", "rtsp://127.0.0.1/a b", "rtsp://127.0.0.1/é"]
)
def test_an_address_that_is_not_plain_is_left_to_others(address):
    with pytest.raises(Unspoken):
        RtspSession(address, timeout=(0.2, 0.2))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"DESCRIBE": answer("404 Not Found")}, "unreachable"),
        ({"PLAY": answer("503 Service Unavailable")}, "unreachable"),
        ({"SETUP": answer("403 Forbidden")}, "unauthorised"),
        ({"OPTIONS": "HELLO\r\n" * 20_000}, "undecodable"),
        ({"OPTIONS": "\x00\x01\x02\x03\x04"}, "undecodable"),
    ],
)
def test_refusals_have_their_reasons(change, reason):
    def refusing(method, url, headers):
        return change.get(method) or usual(method, url, headers)

    with Camera(refusing) as camera, pytest.raises(SourceError) as caught:
        opened(camera)
    assert caught.value.reason == reason


def test_silence_has_its_limits():
    with Camera(lambda *_: "") as silent, pytest.raises(SourceError) as caught:
        opened(silent, timeout=(0.2, 0.2))
    assert caught.value.reason == "no_frame"
    with Camera(usual) as camera:
        session = opened(camera)
        with pytest.raises(SourceError) as caught:
            session.receive()
        session.close()
        session.close()
    assert caught.value.reason == "no_frame"


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("track1", "rtsp://c/live/track1"),
        ("rtsp://c/other/track1", "rtsp://c/other/track1"),
        ("rtsp://admin:secret@c/t", "rtsp://c/t"),
        ("*", "rtsp://c/live"),
    ],
)
def test_addresses_of_the_streams_are_relative_to_the_whole(control, expected):
    sdp = f"v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 h265/90000\na=control:{control}\na=fmtp:96 sprop-vps=QAE=; sprop-sps=%%%\n"
    video, whole = video_of(sdp, "rtsp://c/live")
    assert video.control == expected
    assert whole == "rtsp://c/live"
    assert video.codec == "hevc"
    assert video.sets == b"\0\0\0\1\x40\x01"
