"""Decoding recordings and streams with PyAV; OpenCV cannot decode keyframes only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import av
import av.error
import numpy as np

from camera_adapters.addresses import masked, scheme_of
from camera_adapters.source import SourceError
from detectors.presence.picture import Image

OPEN_TIMEOUT = 5.0
READ_TIMEOUT = 5.0
LARGEST_PIXELS = 8192 * 8192
"""A header that promises more is broken, and decoding it would take the machine's memory."""

logging.getLogger("libav").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture; ``t`` in seconds of the media's own time."""

    image: Image
    t: float
    keyframe: bool


class Media:
    """An open recording or stream.

    Args:
        address: a path or an address that FFmpeg understands.
        keyframes_only: decode only pictures coded by themselves (a tenth of the work, one every second or two).
        live: a camera rather than a recording; then reading is bounded in time and over TCP.
        timeout: seconds for opening and for each read of a live one.

    Raises:
        SourceError: it cannot be opened, or shows no video.
    """

    def __init__(
        self,
        address: str,
        *,
        keyframes_only: bool,
        live: bool,
        timeout: tuple[float, float] = (OPEN_TIMEOUT, READ_TIMEOUT),
    ) -> None:
        self.name = masked(address)
        # An address of another protocol inside a playlist must not make us read or fetch anything else.
        options = {"protocol_whitelist": "file" if scheme_of(address) == "file" else _LIVE_PROTOCOLS}
        if live:
            options |= {"rtsp_transport": "tcp", "fflags": "nobuffer"}
        try:
            if not live and scheme_of(address) == "file":
                address = f"file:{address}"
            self._container = av.open(
                address,
                options=options,
                timeout=timeout if live else None,
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _failure(self.name, error) from error
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
            # FRAME threading holds pictures back: with keyframes only it lagged 14 s behind.
            self._stream.thread_type = "SLICE" if keyframes_only else "NONE"
            if keyframes_only:
                self._stream.codec_context.skip_frame = "NONKEY"
        except SourceError:
            self._container.close()
            raise
        self._interval = float(1 / (self._stream.average_rate or self._stream.guessed_rate or 25))
        self.broken = 0
        """Packets that could not be decoded so far."""

    @property
    def start(self) -> float:
        """Media time of the beginning, seconds."""
        stream = self._stream
        if stream.start_time is None or stream.time_base is None:
            return 0.0
        return float(stream.start_time * stream.time_base)

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
        shown = 0
        last = self.start - self._interval
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except (av.error.InvalidDataError, ValueError):
                    self.broken += 1
                    continue
                for frame in frames:
                    shown += 1
                    time = self._time(frame)
                    last = last + self._interval if time is None else time
                    yield Decoded(_bgr(frame), last, bool(frame.key_frame))
        except av.error.EOFError:
            pass
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            if shown and isinstance(error, av.error.InvalidDataError):
                return
            raise _failure(self.name, error) from error
        if not shown:
            raise SourceError("undecodable", f"{self.name}: not one picture in it could be decoded")

    def close(self) -> None:
        self._container.close()

    def _time(self, frame: av.VideoFrame) -> float | None:
        # AVI stores no times of showing. FFmpeg guesses them, wrongly where pictures were reordered; the times of
        # decoding are right, and pictures leave the decoder in the order of showing.
        ticks = frame.dts if "avi" in self._container.format.name else frame.pts
        return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)


_LIVE_PROTOCOLS = "rtsp,rtsps,rtp,udp,tcp,tls,crypto,http,https,httpproxy,rtmp,rtmps"


def _bgr(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)


def _failure(name: str, error: BaseException) -> SourceError:
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
