"""Decoding recordings and streams with PyAV; OpenCV cannot decode keyframes only."""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import av
import av.error

from camera_adapters.addresses import masked, scheme_of
from camera_adapters.nap import AT_ONCE, Nap
from camera_adapters.source import SourceError
from camera_adapters.view import Scaler, View
from detectors.presence.picture import Image

OPEN_TIMEOUT = 5.0
READ_TIMEOUT = 5.0
KEYFRAME_TIMEOUT = 30.0
"""Seconds of packets without one picture that can be shown: an encoder that sends no keyframes (intra refresh)."""
LARGEST_PIXELS = 8192 * 8192
"""A header that promises more is broken, and decoding it would take the machine's memory."""
MACHINES_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

logging.getLogger("libav").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture; ``t`` in seconds of the media's own time.

    ``captured``: when the camera says it took it, seconds since 1970 by the camera's clock (RTCP sender reports); None
    where it does not say.
    """

    image: Image
    t: float
    keyframe: bool
    captured: float | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """How a live address is reached.

    Args:
        timeout: seconds for opening and for each read.
        transport: of RTSP.
        ca_file: PEM with the certificates to believe, None: the machine's authorities. verify: False believes anybody.
    """

    timeout: tuple[float, float] = (OPEN_TIMEOUT, READ_TIMEOUT)
    transport: Literal["tcp", "udp"] = "tcp"
    ca_file: str | None = None
    verify: bool = True

    def options(self) -> dict[str, str]:
        """FFmpeg's options."""
        options = {
            "rtsp_transport": self.transport,
            "fflags": "nobuffer",
            "allowed_media_types": "video",
            # Opening would watch twenty pictures go by to learn their rate, which nobody asks for: 0.3 s instead of 1.2 s.
            "fpsprobesize": "0",
        }
        if self.verify:
            options |= {"tls_verify": "1", "ca_file": self.ca_file or MACHINES_AUTHORITIES}
        return options


class Media:
    """An open recording or stream.

    Args:
        address: a path or an address that FFmpeg understands.
        keyframes_only: decode only pictures coded by themselves (a tenth of the work, one every second or two).
        live: a camera rather than a recording; then opening and reading are bounded in time.
        access: how a live one is reached.

    Raises:
        SourceError: it cannot be opened, or shows no video.
    """

    def __init__(
        self,
        address: str,
        *,
        keyframes_only: bool,
        live: bool,
        access: Access = Access(),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = masked(address)
        # What TCP holds back meanwhile is not lost; of UDP it would be.
        self._naps = (
            live and keyframes_only and access.transport == "tcp" and scheme_of(address) in ("rtsp", "rtsps")
        )
        self._sleep = sleep
        self._live, self._access, self._monotonic = live, access, monotonic
        # An address of another protocol inside a playlist must not make us read or fetch anything else.
        options = {"protocol_whitelist": "file" if scheme_of(address) == "file" else _LIVE_PROTOCOLS}
        if live:
            options |= access.options()
            if scheme_of(address) in ("rtsp", "rtsps"):
                # RTSP names its streams at once. FFmpeg's usual look at their first seconds costs five times the CPU of
                # opening and two seconds, for a frame rate that nobody asks for.
                options |= _TAKEN_AT_ITS_WORD
        asked = monotonic()
        try:
            if not live and scheme_of(address) == "file":
                address = f"file:{address}"
            self._container = av.open(
                address,
                options=options,
                timeout=access.timeout if live else None,
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if live and monotonic() - asked >= access.timeout[0]:
                # Opening cut short by the limit looks like data that make no sense.
                raise SourceError("no_frame", f"{self.name}: does not answer in time") from None
            raise _failure(self.name, error) from None
        try:
            streams = [s for s in self._container.streams.video if s.codec_context is not None]
            if not streams:
                raise SourceError("undecodable", f"{self.name}: holds no video that can be decoded")
            self._stream = streams[0]
            size = self._stream.codec_context.width * self._stream.codec_context.height
            if size > LARGEST_PIXELS:
                raise SourceError(
                    "undecodable", f"{self.name}: names a picture of {size} pixels, which is too large"
                )
            # Where the size is not yet known, the decoder refuses such a picture itself.
            self._stream.codec_context.options = {"max_pixels": str(LARGEST_PIXELS)}
            # FRAME threading holds pictures back: with keyframes only it lagged 14 s behind.
            self._stream.thread_type = "SLICE" if keyframes_only else "NONE"
            if keyframes_only:
                self._stream.codec_context.skip_frame = "NONKEY"
        except SourceError:
            self._container.close()
            raise
        self._interval = float(1 / (self._stream.average_rate or self._stream.guessed_rate or 25))
        self._slices = Slices(self._stream.codec_context.name)
        self._scaler = Scaler()
        self.broken = 0
        """Packets that could not be decoded so far."""
        self.lag = 0.0
        """Seconds that the newest picture may have lain ready, because the reader slept."""

    @property
    def start(self) -> float:
        """Media time of the beginning, seconds."""
        stream = self._stream
        if stream.start_time is None or stream.time_base is None:
            return 0.0
        return float(stream.start_time * stream.time_base)

    @property
    def duration(self) -> float:
        """Seconds, 0 where the file does not say."""
        return float((self._container.duration or 0) / av.time_base)

    def seek(self, t: float) -> None:
        """Goes to the last keyframe at or before ``t`` seconds after the beginning (recordings only)."""
        if self._stream.time_base is None:
            return
        self._container.seek(
            int((t + self.start) / self._stream.time_base), stream=self._stream, backward=True
        )

    def pictures(self) -> Iterator[Decoded]:
        """Pictures to the end. Broken packets are skipped and counted.

        Raises:
            SourceError: nothing more can be read, or nothing could ever be decoded.
        """
        for view, t, keyframe, captured in self.views():
            yield Decoded(view.bgr, t, keyframe, captured)

    def views(self) -> Iterator[tuple[View, float, bool, float | None]]:
        """As :meth:`pictures`, with the pixels made only when asked for."""
        shown = 0
        last = self.start - self._interval
        try:
            for packet in self._packets():
                try:
                    frames = packet.decode()
                except (av.error.InvalidDataError, ValueError):
                    self.broken += 1
                    continue
                for frame in frames:
                    if self._live and (frame.is_corrupt or self._slices.lost(packet)):
                        # Parts of it were lost on the way and made up by the decoder.
                        self.broken += 1
                        continue
                    shown += 1
                    t = self._time(frame)
                    last = last + self._interval if t is None else t
                    yield View(frame, self._scaler), last, bool(frame.key_frame), _captured(packet)
                    self._shown_at = self._monotonic()
        except av.error.EOFError:
            pass
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            if shown and isinstance(error, av.error.InvalidDataError):
                return
            raise _failure(self.name, error) from None
        if not shown:
            raise SourceError("undecodable", f"{self.name}: not one picture in it could be decoded")

    def close(self) -> None:
        self._container.close()

    def _packets(self) -> Iterator[av.Packet]:
        """The stream's packets; of a live one each within the limit, and a picture among them now and then."""
        packets = iter(self._container.demux(self._stream))
        self._shown_at = self._monotonic()
        nap = Nap(self._monotonic)
        while True:
            asked = self._monotonic()
            packet = next(packets, None)
            if packet is None:
                return
            if self._live:
                now = self._monotonic()
                if now - asked >= self._access.timeout[1]:
                    # FFmpeg answers the end of its patience with the packet it had half read, and would begin anew.
                    raise SourceError("no_frame", f"{self.name}: sends nothing")
                if now - self._shown_at > KEYFRAME_TIMEOUT:
                    raise SourceError("undecodable", f"{self.name}: sends no picture that stands by itself")
                pause = nap.after(packet.size, waited=now - asked) if self._naps else 0.0
                if now - asked >= AT_ONCE:
                    self.lag = 0.0
                if pause:
                    self._sleep(pause)
                    self.lag = pause
            yield packet

    def _time(self, frame: av.VideoFrame) -> float | None:
        # AVI stores no times of showing. FFmpeg guesses them, wrongly where pictures were reordered; the times of
        # decoding are right, and pictures leave the decoder in the order of showing.
        ticks = frame.dts if "avi" in self._container.format.name else frame.pts
        return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)


_TAKEN_AT_ITS_WORD = {"fpsprobesize": "0", "analyzeduration": "100000"}
_LIVE_PROTOCOLS = "rtsp,rtsps,rtp,udp,tcp,tls,crypto,http,https,httpproxy,rtmp,rtmps"


class Slices:
    """Notices keyframes of which whole slices were lost (UDP): decoders fill the hole and say nothing."""

    def __init__(self, codec: str) -> None:
        self._shift, self._mask, self._first, self._last = (
            (1, 63, 0, 31) if codec == "hevc" else (0, 31, 1, 5)
        )
        self._known = codec in ("h264", "hevc")
        self._usual = self._before = 0

    def lost(self, packet: av.Packet) -> bool:
        """True if a keyframe has fewer slices than the keyframes of this stream have had."""
        if not self._known or not packet.is_keyframe:
            return False
        return self.fewer(
            sum(
                self._first <= (part[0] >> self._shift) & self._mask <= self._last
                for part in bytes(packet).split(b"\0\0\1")[1:]
                if part
            )
        )

    def fewer(self, count: int) -> bool:
        """The same, of the number of slices of the next keyframe."""
        fewer = count < self._usual
        # Twice the same is how it is now: the camera may have been set up anew.
        if count == self._before or count > self._usual:
            self._usual = count
        self._before = count
        return fewer and count != self._usual


def _captured(packet: av.Packet) -> float | None:
    """The moment that the sender's reports give for a packet, Unix seconds by the sender's clock."""
    for data in packet.iter_sidedata():
        if data.data_type == "prft":
            # AVProducerReferenceTime begins with microseconds since 1970.
            return float(struct.unpack_from("=q", bytes(data))[0]) / 1e6
    return None


def _failure(name: str, error: BaseException) -> SourceError:
    """What an error means. It is raised ``from None``: FFmpeg's own texts hold the address with its password."""
    if isinstance(error, FileNotFoundError):
        return SourceError("unreachable", f"{name}: there is no such file or address")
    if isinstance(error, PermissionError):
        return SourceError("refused", f"{name}: may not be read")
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceError("unauthorised", f"{name}: user or password is not accepted")
    if isinstance(error, ConnectionRefusedError):
        return SourceError("refused", f"{name}: the connection is refused")
    if isinstance(error, av.error.ExitError | TimeoutError):
        return SourceError("no_frame", f"{name}: sends nothing")
    if isinstance(error, av.error.InvalidDataError | ValueError | IsADirectoryError):
        return SourceError("undecodable", f"{name}: is not a video that can be decoded")
    return SourceError("unreachable", f"{name}: {masked(str(getattr(error, 'strerror', None) or error))}")
