"""An ONVIF device for tests: a real web server that answers in SOAP, checks logins by its own clock, and may be wrong."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

from tests.camera_adapters.fake_http import Http, admits_digest, send

SOAP = "http://www.w3.org/2003/05/soap-envelope"
TOLERANCE = timedelta(seconds=5)
"""How far a login's time may be from the device's own."""


class FakeOnvif(Http):
    """Serves the device and the media service.

    Args:
        stream, snapshot: the addresses it gives; ``{host}`` in the latter is its own.
        ahead: seconds its clock is ahead.
        login: (user, password), asked for in the SOAP header, or as HTTP digest with ``http_digest``.
        pictures: serves its still pictures: a handler's function.
    """

    def __init__(
        self,
        stream="rtsp://192.168.1.64:554/Streaming/Channels/10{n}",
        snapshot="{host}/snapshot?n={n}",
        *,
        ahead=0.0,
        login=None,
        http_digest=False,
        pictures=None,
        profiles=("Profile_1", "Profile_2"),
    ):
        super().__init__(self.behave)
        self.stream, self.snapshot, self.profiles = stream, snapshot, profiles
        self.ahead, self.login, self.http_digest, self.pictures = ahead, login, http_digest, pictures
        self.calls = []
        self.at = f"{self.host.removeprefix('http://')}"

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def behave(self, handler):
        if handler.command == "GET":
            self.pictures(handler)
            return
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length).decode()
        called = re.search(r"<s:Body><(\w+)", body)
        call = called.group(1) if called else "?"
        self.calls.append(call)
        if self.http_digest and not admits_digest(handler, *self.login):
            ask = 'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5'
            send(handler, b"", 401, WWW_Authenticate=ask)
            return
        if not self.http_digest and call != "GetSystemDateAndTime" and not self.admits(body):
            self.fault(handler, "NotAuthorized")
            return
        answer = getattr(self, call, None)
        if answer is None:
            self.fault(handler, "ActionNotSupported")
        else:
            self.reply(handler, answer(body))

    def admits(self, body):
        if self.login is None:
            return True
        user, password = self.login

        def given(name):
            found = re.search(rf"<\w+:{name}(?: [^>]*)?>([^<]*)<", body)
            return found.group(1) if found else ""

        if given("Username") != user:
            return False
        created = datetime.fromisoformat(given("Created").replace("Z", "+00:00"))
        if abs(created - self.now()) > TOLERANCE:
            return False
        secret = base64.b64decode(given("Nonce")) + given("Created").encode() + password.encode()
        return base64.b64encode(hashlib.sha1(secret).digest()).decode() == given("Password")

    def reply(self, handler, body, status=200):
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{SOAP}"'
            ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
            ' xmlns:tt="http://www.onvif.org/ver10/schema">'
            f"<e:Body>{body}</e:Body></e:Envelope>"
        )
        send(handler, text.encode(), status, Content_Type="application/soap+xml")

    def fault(self, handler, code):
        self.reply(
            handler,
            "<e:Fault><e:Code><e:Value>e:Sender</e:Value><e:Subcode>"
            f"<e:Value>ter:{code}</e:Value></e:Subcode></e:Code></e:Fault>",
            400,
        )

    # -- what it can be asked ----------------------------------------------------------------------------------------

    def GetSystemDateAndTime(self, _):
        t = self.now()
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{t.hour}</tt:Hour><tt:Minute>{t.minute}</tt:Minute><tt:Second>{t.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{t.year}</tt:Year><tt:Month>{t.month}</tt:Month><tt:Day>{t.day}</tt:Day></tt:Date>"
            "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def GetCapabilities(self, _):
        # An address of the inside of its network, as devices behind a translated address give.
        return (
            "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>"
            "http://192.168.1.64/onvif/Media</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    def GetProfiles(self, _):
        each = "".join(
            f'<trt:Profiles token="{token}"><tt:Name>{token.lower()}</tt:Name><tt:VideoEncoderConfiguration>'
            "<tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height>"
            "</tt:Resolution></tt:VideoEncoderConfiguration></trt:Profiles>"
            for token in self.profiles
        )
        return f"<trt:GetProfilesResponse>{each}</trt:GetProfilesResponse>"

    def GetStreamUri(self, body):
        return self._uri("GetStreamUri", self.stream, body)

    def GetSnapshotUri(self, body):
        return self._uri("GetSnapshotUri", self.snapshot, body)

    def _uri(self, call, address, body):
        token = re.search(r"<ProfileToken>([^<]*)<", body).group(1)
        uri = address.format(host=self.host, n=self.profiles.index(token) + 1).replace("&", "&amp;")
        return f"<trt:{call}Response><trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri></trt:{call}Response>"
