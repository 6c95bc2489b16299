"""From a camera of the centre file to its source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from camera_adapters.addresses import masked, scheme_of, with_credentials, without_credentials
from camera_adapters.device import DeviceSource
from camera_adapters.folder import FolderSource
from camera_adapters.media import Access
from camera_adapters.mjpeg import MjpegSource
from camera_adapters.onvif.device import OnvifDevice, service_address
from camera_adapters.onvif.source import ClockedSource, OnvifSource
from camera_adapters.recording import RecordingSource
from camera_adapters.simulated import Script, SimulatedSource
from camera_adapters.snapshot import SnapshotSource
from camera_adapters.source import Source, SourceError
from camera_adapters.stream import StreamSource
from camera_adapters.web import WebCamera
from domain.camera_source import SCHEMES, CameraKind
from domain.centre import Camera
from domain.clock import Clock

CHINA = ZoneInfo("Asia/Shanghai")
STREAM_ENDINGS = (".flv", ".m3u8", ".ts", ".mp4", ".mpegts")
MJPEG_WORDS = ("mjpg", "mjpeg")
FASTEST_SIMULATION = 0.25
"""Real seconds between pictures of a drawn camera at least, however fast the house's clock runs."""


def is_simulated(camera: Camera) -> bool:
    """True if the camera's time is the house's clock and not the machine's."""
    return scheme_of(camera.url) == "sim"


def look_period(camera: Camera, clock: Clock) -> float:
    """Seconds between looks: of the house's clock for a drawn camera, real ones for all others."""
    return max(camera.every, FASTEST_SIMULATION * clock.speed) if is_simulated(camera) else camera.every


def kind_of(camera: Camera) -> CameraKind:
    """The kind a camera's file gives, or its address tells.

    Raises:
        SourceError: the address is of no known kind.
    """
    if camera.kind != "auto":
        return camera.kind
    scheme, path = scheme_of(camera.url), urlsplit(camera.url).path.lower()
    if scheme == "file":
        local = _path(camera)
        return "device" if str(local).startswith("/dev/") else "folder" if local.is_dir() else "recording"
    if scheme in ("http", "https"):
        if path.endswith(STREAM_ENDINGS):
            return "stream"
        return "mjpeg" if any(word in path for word in MJPEG_WORDS) else "snapshot"
    for kind, schemes in SCHEMES.items():
        if scheme in schemes:
            return kind
    raise SourceError(
        "undecodable", f"camera {camera.id}: {masked(camera.url)} is of no kind that can be opened"
    )


def open_source(
    camera: Camera,
    clock: Clock,
    *,
    script: Script | None = None,
    wait: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    environ: Mapping[str, str] = os.environ,
    zone: tzinfo = CHINA,
    every_frame: bool = False,
) -> Source:
    """The source for a camera, by its kind or the scheme of its address; opened when its frames are asked for.

    ``rtsp(s)``, ``rtmp(s)`` and http addresses of streams (.flv, .m3u8, .ts) are decoded keyframes only; http(s) addresses
    with mjpg or mjpeg in their path are streams of JPEG pictures, all others still pictures; ``onvif(s)://host`` asks the
    camera where its stream is; ``file:`` or a path is played over and over, a folder's pictures likewise;
    ``/dev/video0`` or ``v4l2://`` is a camera of this machine; ``sim://counter?windows=A01,A02`` is drawn.

    Args:
        zone: of the times in the names of files.
        every_frame: streams are decoded in whole, at ten times the cost.

    Raises:
        SourceError: the address is of no known kind, or its password cannot be had.
    """
    kind = kind_of(camera)
    every = camera.every
    if kind == "simulated":
        asked = parse_qs(urlsplit(camera.url).query).get("windows", [""])[0]
        windows = [w for w in asked.split(",") if w] or [post.window for post in camera.posts]
        return SimulatedSource(camera.id, windows, clock, script, every=look_period(camera, clock), wait=wait)
    recorded = camera.taken_at == "recorded"
    if kind == "recording":
        return RecordingSource(
            _path(camera), clock, wait=wait, monotonic=monotonic, recorded=recorded, zone=zone
        )
    if kind == "folder":
        return FolderSource(
            _path(camera), clock, every=every, wait=wait, monotonic=monotonic, recorded=recorded, zone=zone
        )
    if kind == "device":
        address = camera.url if camera.url.startswith("v4l2:") else str(_path(camera))
        return DeviceSource(address, clock, every=every, monotonic=monotonic)

    password = password_of(camera, environ)

    def make_web(address: str) -> WebCamera:
        return WebCamera(address, clock, monotonic=monotonic, ca_file=camera.ca_file, verify=camera.verify)

    def make_device(address: str) -> OnvifDevice:
        service = service_address(without_credentials(address)[0])
        login = with_credentials(service, *without_credentials(address)[1:])
        return OnvifDevice(login, make_web, clock, monotonic=monotonic)

    def network(kind: CameraKind, address: str) -> Source:
        if kind == "snapshot":
            return SnapshotSource(
                lambda: make_web(address), clock, every=every, wait=wait, monotonic=monotonic
            )
        if kind == "mjpeg":
            return MjpegSource(lambda: make_web(address), clock, every=every, monotonic=monotonic)
        return StreamSource(
            address, clock, monotonic=monotonic, access=access_of(camera), every_frame=every_frame
        )

    address = with_credentials(camera.url, camera.user, password)
    if kind == "onvif":
        return OnvifSource(
            address,
            make_device,
            lambda told, still: network("snapshot" if still else "stream", told),
            monotonic=monotonic,
        )
    source = network(kind, address)
    if camera.onvif is None:
        return source
    told = camera.onvif
    return ClockedSource(source, lambda: make_device(told), monotonic=monotonic)


def _path(camera: Camera) -> Path:
    path = unquote(urlsplit(camera.url).path) if camera.url.startswith("file:") else camera.url
    return Path(path).expanduser()


def access_of(camera: Camera) -> Access:
    """How a camera's stream is reached."""
    return Access(transport=camera.transport, ca_file=camera.ca_file, verify=camera.verify)


def password_of(camera: Camera, environ: Mapping[str, str]) -> str | None:
    """The camera's password from its environment variable or file, None if it names neither."""
    if camera.password_env is not None:
        if camera.password_env not in environ:
            raise SourceError("unauthorised", f"camera {camera.id}: {camera.password_env} is not set")
        return environ[camera.password_env]
    if camera.password_file is not None:
        try:
            return Path(camera.password_file).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(
                "unauthorised", f"camera {camera.id}: {camera.password_file} cannot be read"
            ) from error
    return None
