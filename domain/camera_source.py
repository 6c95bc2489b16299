"""The keys of a camera that tell how its pictures are had; all optional (docs/cameras.md)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain.model import Model, added

CameraKind = Literal[
    "auto", "stream", "snapshot", "mjpeg", "recording", "folder", "device", "simulated", "onvif"
]
#: Which addresses each kind can be had from: schemes, ``file`` standing for a plain path, too.
SCHEMES: dict[CameraKind, tuple[str, ...]] = {
    "stream": ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https"),
    "snapshot": ("http", "https"),
    "mjpeg": ("http", "https"),
    "recording": ("file",),
    "folder": ("file",),
    "device": ("v4l2", "file"),
    "simulated": ("sim",),
    "onvif": ("onvif", "onvifs"),
}


class CameraSource(Model):
    """How a camera is read.

    ``kind``: auto goes by the address (rtsp: a stream, http: still pictures unless its path says otherwise).
    ``transport``: of RTSP's pictures; UDP loses some under load, TCP delays them.
    ``verify``: the certificate of an encrypted address is checked, against ``ca_file`` (PEM, the camera's own or its
    authority's) if given, else the machine's authorities; ``verify: false`` believes anybody.
    ``onvif``: where its ONVIF service answers (host, host:port or address), for its clock; needs no login for that.
    ``taken_at``: pictures of files carry the time of playing, or the ``recorded`` one of their names or files.
    ``gb_id``: its 20 digits in GB/T 28181, for the record; the pictures come through a gateway's address.
    """

    url: str
    kind: CameraKind = added("auto")
    transport: Literal["tcp", "udp"] = added("tcp")
    ca_file: Annotated[str, Field(min_length=1)] | None = added()
    verify: bool = added(True)
    onvif: Annotated[str, Field(min_length=1, max_length=512)] | None = added()
    taken_at: Literal["now", "recorded"] = added("now")
    gb_id: Annotated[str, Field(pattern=r"^[0-9]{20}$")] | None = added()

    @model_validator(mode="after")
    def _had(self) -> CameraSource:
        match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", self.url)
        scheme = match.group(1).lower() if match else "file"
        schemes = SCHEMES.get(self.kind)
        if schemes is not None and scheme not in schemes:
            wanted = " or ".join("a path" if each == "file" else f"{each}://" for each in schemes)
            raise ValueError(f"kind: a camera of kind {self.kind} has an address that begins with {wanted}")
        if self.transport == "udp" and scheme in ("rtsps", "rtmp", "rtmps"):
            raise ValueError(f"transport: {scheme} goes over tcp only")
        if self.ca_file is not None and not self.verify:
            raise ValueError("ca_file: says whom to believe, and verify: false says everybody")
        return self
