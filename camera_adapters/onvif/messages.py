"""SOAP messages to ONVIF devices and what is read of the answers. Pure.

Sources: ONVIF Core and Media Service specifications; WS-Security UsernameToken Profile 1.0 (digest).
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
CONTENT_TYPE = "application/soap+xml; charset=utf-8"


class OnvifFault(Exception):
    """The device says no, or something that is no answer. ``unauthorised``: for want of a right login."""

    def __init__(self, text: str, *, unauthorised: bool = False) -> None:
        self.unauthorised = unauthorised
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile: ``size`` (width, height) of its pictures, None where it does not say."""

    token: str
    name: str
    size: tuple[int, int] | None
    coding: str | None


def envelope(body: str, header: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def login(user: str, password: str, created: datetime, nonce: bytes) -> str:
    """The header that proves the password without saying it. ``created`` is compared with the device's own clock."""
    moment = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    # SHA-1 is what the profile asks for.
    digest = hashlib.sha1(nonce + moment.encode() + password.encode(), usedforsecurity=False).digest()
    return (
        f'<w:Security xmlns:w="{_OASIS}-wssecurity-secext-1.0.xsd" s:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{escape(user)}</w:Username>"
        f'<w:Password Type="{_OASIS}-username-token-profile-1.0#PasswordDigest">{_base64(digest)}</w:Password>'
        f'<w:Nonce EncodingType="{_OASIS}-soap-message-security-1.0#Base64Binary">{_base64(nonce)}</w:Nonce>'
        f'<u:Created xmlns:u="{_OASIS}-wssecurity-utility-1.0.xsd">{moment}</u:Created>'
        f"</w:UsernameToken></w:Security>"
    )


def get_time() -> str:
    return f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'


def get_capabilities() -> str:
    return f'<GetCapabilities xmlns="{DEVICE}"><Category>Media</Category></GetCapabilities>'


def get_profiles() -> str:
    return f'<GetProfiles xmlns="{MEDIA}"/>'


def get_stream(profile: str) -> str:
    return (
        f'<GetStreamUri xmlns="{MEDIA}"><StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
        f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        f"<ProfileToken>{escape(profile)}</ProfileToken></GetStreamUri>"
    )


def get_snapshot(profile: str) -> str:
    return f'<GetSnapshotUri xmlns="{MEDIA}"><ProfileToken>{escape(profile)}</ProfileToken></GetSnapshotUri>'


def read(answer: bytes) -> ElementTree.Element:
    """The content of an answer's body.

    Raises:
        OnvifFault: it is a fault, or no SOAP at all.
    """
    try:
        text = answer.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise OnvifFault("an answer with a document type, which SOAP forbids")
        # Without a document type there are no entities, which is what makes XML from strangers dangerous.
        body = ElementTree.fromstring(text).find(f"{{{_SOAP}}}Body")  # noqa: S314
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError) as error:
        raise OnvifFault("an answer that is no XML") from error
    if body is None or len(body) == 0:
        raise OnvifFault("an answer without a body")
    if body[0].tag == f"{{{_SOAP}}}Fault":
        codes = [(each.text or "").rpartition(":")[2] for each in body[0].iterfind(f".//{{{_SOAP}}}Value")]
        unauthorised = any(code in ("NotAuthorized", "FailedAuthentication") for code in codes)
        raise OnvifFault(f"the fault {'/'.join(codes) or '?'}", unauthorised=unauthorised)
    return body[0]


def read_time(answer: bytes) -> datetime:
    """The device's time. Without a UTC one its local time, which is then taken for UTC as the device gives no offset."""
    content = read(answer)
    moment = content.find(f".//{{{SCHEMA}}}UTCDateTime")
    if moment is None:
        raise OnvifFault("an answer without UTC time")
    names = ("Date/Year", "Date/Month", "Date/Day", "Time/Hour", "Time/Minute", "Time/Second")
    try:
        numbers = [int(_text(moment, name)) for name in names]
        return datetime(*numbers[:5], min(numbers[5], 59), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise OnvifFault("an answer without a possible time") from error


def read_media_address(answer: bytes) -> str:
    return _needed(read(answer), f".//{{{SCHEMA}}}Media/{{{SCHEMA}}}XAddr", "the address of its media")


def read_profiles(answer: bytes) -> list[Profile]:
    found = []
    for each in read(answer).iterfind(f"{{{MEDIA}}}Profiles"):
        coder = each.find(f"{{{SCHEMA}}}VideoEncoderConfiguration")
        size = None
        if coder is not None:
            width, height = _text(coder, "Resolution/Width"), _text(coder, "Resolution/Height")
            size = (int(width), int(height)) if width.isdigit() and height.isdigit() else None
        coding = (_text(coder, "Encoding") or None) if coder is not None else None
        found.append(Profile(each.get("token", ""), _text(each, "Name"), size, coding))
    if not found:
        raise OnvifFault("an answer without profiles")
    return found


def read_address(answer: bytes) -> str:
    return _needed(read(answer), f".//{{{SCHEMA}}}Uri", "an address")


def _needed(content: ElementTree.Element, path: str, what: str) -> str:
    found = content.find(path)
    if found is None or not (found.text or "").strip():
        raise OnvifFault(f"an answer without {what}")
    return str(found.text).strip()


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.find("/".join(f"{{{SCHEMA}}}{name}" for name in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
