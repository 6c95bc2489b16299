"""Speaking RTSP over TCP with a camera as far as one stream of pictures needs it (RFC 2326), reading in large pieces.

FFmpeg reads each of some four hundred packets a second by six calls of the kernel, which cost as much as decoding the
pictures that are looked at. What is met here and not understood is left to FFmpeg: :class:`Unspoken`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from camera_adapters.addresses import masked, without_credentials
from camera_adapters.source import SourceError

PORT = 554
SESSION_SECONDS = 60.0
"""For which a session lives without a word from us, where the camera names no other time."""
_ROOM = 1 << 17
"""Bytes taken at once; an interleaved packet has at most 65 539."""
_RECEIVE_BUFFER = 1 << 18
_LONGEST_TALK = 1 << 16
_DOLLAR = ord("$")
_CODECS = {"H264": "h264", "H265": "hevc"}


class Unspoken(Exception):
    """The camera says or wants something that is not spoken here."""


@dataclass(frozen=True, slots=True)
class Video:
    """The stream of pictures as the camera describes it.

    ``codec`` as FFmpeg names it, ``payload`` type of its RTP packets, ``rate`` of their time stamps per second,
    ``sets``: parameter sets (Annex B), empty where they come with the pictures.
    """

    codec: str
    payload: int
    rate: int
    sets: bytes
    control: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A camera's answer; names of the headers in small letters."""

    status: int
    headers: list[tuple[str, str]]
    body: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class RtspSession:
    """One stream of pictures over one connection: opened, played, kept alive, ended.

    Args:
        address: with the credentials in it, percent-encoded; never shown.
        timeout: seconds for the whole opening and for each read.

    Raises:
        SourceError: it cannot be opened.
        Unspoken: FFmpeg should be asked.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: tuple[float, float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = masked(address)
        self._timeout, self._monotonic = timeout, monotonic
        self._url, self._user, self._password = without_credentials(address)
        self._data = bytearray(_ROOM)
        self._view = memoryview(self._data)
        self._filled = self._done = 0
        self._number = 0
        self._challenge: str | None = None
        self._session = ""
        self._keep_alive = "OPTIONS"
        self._pause = SESSION_SECONDS / 2
        self._deadline = monotonic() + timeout[0]
        self.channel = 0
        """Of the pictures' packets; their sender's reports come on the next one."""
        try:
            parts = urlsplit(self._url)
            place = (parts.hostname or "", parts.port or PORT)
        except ValueError as error:
            raise Unspoken(str(error)) from None
        if not (place[0] and self._url.isascii() and self._url.isprintable() and " " not in self._url):
            raise Unspoken("the address is not plain")
        try:
            self._socket = socket.create_connection(place, timeout=timeout[0])
        except OSError as error:
            raise self._failure(error) from None
        try:
            # What comes while the reader sleeps has to find room.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self.video = self._play()
            self._socket.settimeout(timeout[1])
        except OSError as error:
            self._socket.close()
            raise self._failure(error) from None
        except BaseException:
            self._socket.close()
            raise
        self._alive_at = monotonic() + self._pause

    @property
    def buffer(self) -> int:
        """Bytes that the machine keeps for us while nothing is read."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def receive(self) -> tuple[list[tuple[int, memoryview]], int]:
        """Waits for what comes and takes what is there, as far as there is room.

        Returns:
            whole packets, each with its channel, valid until the next call; and how many bytes came, 0: it hung up.

        Raises:
            SourceError: nothing came in time, the connection broke, or what came makes no sense.
        """
        try:
            if self._monotonic() >= self._alive_at:
                self._alive_at = self._monotonic() + self._pause
                self._send(self._keep_alive, self._aggregate)
            got = self._receive()
        except OSError as error:
            raise self._failure(error) from None
        found: list[tuple[int, memoryview]] = []
        data, view, at, end = self._data, self._view, self._done, self._filled
        while end - at >= 4:
            if data[at] == _DOLLAR:
                after = at + 4 + (data[at + 2] << 8 | data[at + 3])
                if after > end:
                    break
                found.append((data[at + 1], view[at + 4 : after]))
            else:
                talk = self._talk(at)
                if talk is None:
                    break
                answer, after = talk
                if answer.status == 401 and self._challenged(answer):
                    self._alive_at = 0.0
            at = after
        self._done = at
        return found, got

    @property
    def full(self) -> bool:
        """There was no room for more, which may lie ready."""
        return self._filled >= _ROOM

    def close(self) -> None:
        """Says good-bye without waiting; may be called twice and from any thread."""
        with contextlib.suppress(OSError):
            self._socket.setblocking(False)
            self._send("TEARDOWN", self._aggregate)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _receive(self) -> int:
        """Reads once behind what is not done yet, which moves to the front."""
        if self._done:
            left = self._filled - self._done
            self._data[:left] = self._data[self._done : self._filled]
            self._filled, self._done = left, 0
        got = self._socket.recv_into(self._view[self._filled :])
        self._filled += got
        return got

    def _talk(self, at: int) -> tuple[Answer, int] | None:
        """An answer (or a question, which nobody heeds) between the packets, and where it ends; None while it is not whole.

        Raises:
            SourceError: it is none.
        """
        end = self._data.find(b"\r\n\r\n", at, self._filled)
        if not self._data[at : at + 1].isalpha() or (end < 0 and self._filled - at > _LONGEST_TALK):
            raise SourceError("undecodable", f"{self.name}: sends what is no RTSP")
        if end < 0:
            return None
        first, *lines = self._data[at:end].decode("latin-1").split("\r\n")
        headers = []
        for line in lines:
            key, _, value = line.partition(":")
            headers.append((key.strip().lower(), value.strip()))
        words = first.split(" ", 2)
        answers = words[0].startswith("RTSP/") and len(words) > 1 and words[1].isdigit()
        length = dict(headers).get("content-length", "0")
        body = end + 4
        after = body + (int(length) if length.isdigit() else 0)
        if after - at > _LONGEST_TALK:
            raise SourceError("undecodable", f"{self.name}: says too much")
        if after > self._filled:
            return None
        text = self._data[body:after].decode("utf-8", "replace")
        return Answer(int(words[1]) if answers else 0, headers, text), after

    # -- asking --------------------------------------------------------------------------------------------------------

    def _play(self) -> Video:
        self._aggregate = self._url
        asked = self._ask("OPTIONS", self._url)
        if "GET_PARAMETER" in (asked.header("public") or ""):
            self._keep_alive = "GET_PARAMETER"
        described = self._ask("DESCRIBE", self._url, "Accept: application/sdp")
        base = described.header("content-base") or described.header("content-location") or self._url
        video, self._aggregate = video_of(described.body, base)
        ready = self._ask("SETUP", video.control, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        transport, session = ready.header("transport") or "", ready.header("session") or ""
        channels = re.search(r"interleaved=(\d{1,3})", transport)
        if "TCP" not in transport.upper() or not session:
            raise Unspoken("no session over TCP")
        self.channel = int(channels[1]) if channels else 0
        self._session, _, rest = session.partition(";")
        if seconds := re.search(r"timeout=(\d+)", rest):
            self._pause = max(2.0, int(seconds[1]) / 2)
        self._ask("PLAY", self._aggregate, "Range: npt=0.000-")
        return video

    def _ask(self, method: str, url: str, header: str | None = None) -> Answer:
        answer = self._asked(method, url, header)
        if answer.status == 401 and self._challenged(answer):
            answer = self._asked(method, url, header)
        if answer.status in (401, 403):
            raise SourceError("unauthorised", f"{self.name}: user or password is not accepted")
        if 400 <= answer.status < 600 and answer.status not in (405, 461, 551):
            raise SourceError("unreachable", f"{self.name}: answers with status {answer.status}")
        if answer.status != 200 and method != "OPTIONS":
            raise Unspoken(f"status {answer.status}")
        return answer

    def _asked(self, method: str, url: str, header: str | None) -> Answer:
        self._send(method, url, header)
        while True:
            while self._filled > self._done:
                data, at = self._data, self._done
                if data[at] != _DOLLAR:
                    talk = self._talk(at)
                    if talk is None:
                        break
                    answer, self._done = talk
                    if answer.status >= 200 and answer.header("cseq") in (None, str(self._number)):
                        return answer
                elif self._filled - at >= 4 and self._filled >= (
                    after := at + 4 + (data[at + 2] << 8 | data[at + 3])
                ):
                    # Others already watch this stream: its packets may come before the answer.
                    self._done = after
                else:
                    break
            left = self._deadline - self._monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            if not self._receive():
                raise SourceError("unreachable", f"{self.name}: hangs up")

    def _send(self, method: str, url: str, header: str | None = None) -> None:
        self._number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._number}", "User-Agent: mingjing"]
        if self._challenge is not None and self._user is not None:
            login = (self._user, self._password or "")
            lines.append(f"Authorization: {authorization(self._challenge, login, method, url, self._number)}")
        lines += [f"Session: {self._session}"] if self._session else []
        lines += [header] if header else []
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def _challenged(self, answer: Answer) -> bool:
        """Takes up what a camera asks for; False where that brings nothing new."""
        asked = [value for key, value in answer.headers if key == "www-authenticate"]
        best = next((each for each in asked if each.lower().startswith("digest")), None)
        best = best or next((each for each in asked if each.lower().startswith("basic")), None)
        if self._user is None or best is None or best == self._challenge:
            return False
        self._challenge = best
        return True

    def _failure(self, error: OSError) -> SourceError:
        if isinstance(error, TimeoutError):
            return SourceError("no_frame", f"{self.name}: sends nothing")
        if isinstance(error, ConnectionRefusedError):
            return SourceError("refused", f"{self.name}: the connection is refused")
        return SourceError("unreachable", f"{self.name}: {masked(error.strerror or str(error))}")


def video_of(sdp: str, base: str) -> tuple[Video, str]:
    """The first stream of pictures of a description (RFC 4566), and the address of the whole.

    Args:
        base: the address that others are relative to.

    Raises:
        Unspoken: it has none, or of a kind that is not known here.
    """
    whole, *media = re.split(r"(?m)^m=", sdp.replace("\r\n", "\n"))
    if (control := _attribute(whole, "control")) and control != "*":
        base = _joined(base, control)
    for part in media:
        words = part.split("\n", 1)[0].split()
        if len(words) < 4 or words[0] != "video" or not words[3].isdigit():
            continue
        form = re.search(rf"(?m)^a=rtpmap:{words[3]} +([\w.-]+)/(\d+)", part)
        codec = _CODECS.get(form[1].upper()) if form else None
        options = _attribute(part, f"fmtp:{words[3]}", " ") or ""
        if form is None or codec is None or "packetization-mode=2" in options:
            raise Unspoken("another way of coding")
        sets = b"".join(
            b"\0\0\0\1" + each
            for name in ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
            for each in _decoded(options, name)
        )
        control = _joined(base, _attribute(part, "control") or "*")
        return Video(codec, int(words[3]), int(form[2]) or 90_000, sets, control), base
    raise Unspoken("no pictures")


def _attribute(part: str, name: str, separator: str = ":") -> str | None:
    match = re.search(rf"(?m)^a={re.escape(name)}{separator} *(.+)$", part)
    return match[1].strip() if match else None


def _joined(base: str, control: str) -> str:
    if control == "*":
        return base
    if re.match(r"(?i)rtsps?://", control):
        return without_credentials(control)[0]
    return f"{base.rstrip('/')}/{control.lstrip('/')}"


def _decoded(options: str, name: str) -> list[bytes]:
    match = re.search(rf"(?i)\b{name}=([^;\s]+)", options)
    try:
        return [_bytes_of(each) for each in match[1].split(",") if each] if match else []
    except (binascii.Error, ValueError):
        # The pictures bring their own as a rule.
        return []


def _bytes_of(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def authorization(challenge: str, login: tuple[str, str], method: str, url: str, number: int) -> str:
    """The header that answers a challenge: basic, or digest (RFC 2617 and 7616) without a body.

    Args:
        login: user and password. number: of the request; it rises.

    Raises:
        Unspoken: a digest of a kind that is not known here.
    """
    user, password = login
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic":
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    asked = {key.lower(): value for key, value in parse_keqv_list(parse_http_list(rest)).items()}
    algorithm = asked.get("algorithm", "MD5").upper()
    make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}.get(algorithm)
    offers = [each.strip() for each in asked.get("qop", "").split(",") if each.strip()]
    if make is None or "nonce" not in asked or (offers and "auth" not in offers):
        raise Unspoken("a digest of another kind")

    def hashed(text: str) -> str:
        return make(text.encode()).hexdigest()

    realm, nonce = asked.get("realm", ""), asked["nonce"]
    who, what = hashed(f"{user}:{realm}:{password}"), hashed(f"{method}:{url}")
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": url}
    if offers:
        count, own = f"{number:08x}", secrets.token_hex(8)
        fields |= {"cnonce": own, "response": hashed(f"{who}:{nonce}:{count}:{own}:auth:{what}")}
    else:
        fields["response"] = hashed(f"{who}:{nonce}:{what}")
    if "opaque" in asked:
        fields["opaque"] = asked["opaque"]
    text = ", ".join(f'{key}="{value}"' for key, value in fields.items())
    text += f", algorithm={asked['algorithm']}" if "algorithm" in asked else ""
    return f"Digest {text}, qop=auth, nc={number:08x}" if offers else f"Digest {text}"
