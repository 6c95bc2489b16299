"""From a camera of the centre file to its source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from camera_adapters.addresses import masked, scheme_of, with_credentials
from camera_adapters.media import Access
from camera_adapters.recording import RecordingSource
from camera_adapters.simulated import Script, SimulatedSource
from camera_adapters.snapshot import SnapshotSource
from camera_adapters.source import Source, SourceError
from camera_adapters.stream import StreamSource
from domain.centre import Camera
from domain.clock import Clock

STREAMS = ("rtsp", "rtsps", "rtmp", "rtmps")
STREAM_ENDINGS = (".flv", ".m3u8", ".ts", ".mp4", ".mpegts")
FASTEST_SIMULATION = 0.25
"""Real seconds between pictures of a drawn camera at least, however fast the house's clock runs."""


def is_simulated(camera: Camera) -> bool:
    """True if the camera's time is the house's clock and not the machine's."""
    return scheme_of(camera.url) == "sim"


def look_period(camera: Camera, clock: Clock) -> float:
    """Seconds between looks: of the house's clock for a drawn camera, real ones for all others."""
    return max(camera.every, FASTEST_SIMULATION * clock.speed) if is_simulated(camera) else camera.every


def open_source(
    camera: Camera,
    clock: Clock,
    *,
    script: Script | None = None,
    wait: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    environ: Mapping[str, str] = os.environ,
) -> Source:
    """The source for a camera, by the scheme of its address; opened when its frames are asked for.

    ``rtsp(s)``, ``rtmp(s)`` and http addresses of streams (.flv, .m3u8, .ts) are decoded keyframes only; other http(s)
    addresses are still pictures; ``file:`` or a path is played over and over; ``sim://counter?windows=A01,A02`` is drawn.

    Raises:
        SourceError: the address is of no known kind, or its password cannot be had.
    """
    scheme = scheme_of(camera.url)
    if scheme == "sim":
        asked = parse_qs(urlsplit(camera.url).query).get("windows", [""])[0]
        windows = [w for w in asked.split(",") if w] or [post.window for post in camera.posts]
        return SimulatedSource(camera.id, windows, clock, script, every=look_period(camera, clock), wait=wait)
    if scheme == "file":
        path = unquote(urlsplit(camera.url).path) if camera.url.startswith("file:") else camera.url
        return RecordingSource(Path(path).expanduser(), clock, wait=wait, monotonic=monotonic)
    address = with_credentials(camera.url, camera.user, password_of(camera, environ))
    if scheme in STREAMS or (
        scheme in ("http", "https") and urlsplit(camera.url).path.endswith(STREAM_ENDINGS)
    ):
        return StreamSource(address, clock, monotonic=monotonic, access=access_of(camera))
    if scheme in ("http", "https"):
        return SnapshotSource(address, clock, every=camera.every, wait=wait, monotonic=monotonic)
    raise SourceError(
        "undecodable", f"camera {camera.id}: {masked(camera.url)} is of no kind that can be opened"
    )


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
