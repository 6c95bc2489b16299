"""The key pictures of a camera's RTSP stream, with as little done about all others as can be.

Of a stream of 25 pictures a second one in fifty is looked at. Here only its packets are put together; FFmpeg decodes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import av
import av.error

from camera_adapters import media
from camera_adapters.media import LARGEST_PIXELS, Access, Slices
from camera_adapters.nap import AT_ONCE, Nap
from camera_adapters.rtp import Coded, KeyPictures, later, sender_time
from camera_adapters.rtsp import RtspSession, Unspoken
from camera_adapters.source import SourceError
from camera_adapters.view import Scaler, View

PATIENCE = 10.0
"""Seconds without a first picture after which FFmpeg is asked, which knows more ways of coding one."""


class Keyframes:
    """An open stream of H.264 or H.265 over RTSP and TCP, decoded where a picture stands by itself.

    Raises:
        SourceError: it cannot be opened.
        Unspoken: it is for FFmpeg (:class:`~camera_adapters.media.Media`).
    """

    def __init__(
        self,
        address: str,
        *,
        access: Access = Access(),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._monotonic, self._sleep, self._limit = monotonic, sleep, access.timeout[1]
        self._session = RtspSession(address, timeout=access.timeout, monotonic=monotonic)
        self.name = self._session.name
        video = self._session.video
        self._rate = video.rate
        self._pictures = KeyPictures(video.codec, video.payload)
        self._slices = Slices(video.codec)
        self._scaler = Scaler()
        self._reported: tuple[float, int] | None = None
        self._first: int | None = None
        decoder = av.CodecContext.create(video.codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        self._decoder = decoder
        self._decoder.thread_type = "NONE"
        self._decoder.skip_frame = "NONKEY"
        self._decoder.options = {"max_pixels": str(LARGEST_PIXELS)}
        if video.sets:
            self._decoder.extradata = video.sets
        self.broken = 0
        """Key pictures that came in part or could not be decoded so far."""
        self.lag = 0.0
        """Seconds that the newest picture may have lain ready, because the reader slept."""

    def views(self) -> Iterator[tuple[View, float, bool, float | None]]:
        """Pictures, as :meth:`camera_adapters.media.Media.views` gives them, until the camera hangs up.

        Raises:
            SourceError: nothing comes any more, or no picture.
            Unspoken: packets come and no picture can be made of them.
        """
        shown_at, shown = self._monotonic(), False
        for coded in self._coded():
            for view, t, captured in self._decoded(coded) if coded is not None else ():
                shown = True
                yield view, t, True, captured
                shown_at = self._monotonic()
            waited = self._monotonic() - shown_at
            if not shown and waited > min(PATIENCE, media.KEYFRAME_TIMEOUT):
                raise Unspoken("no picture yet")
            if waited > media.KEYFRAME_TIMEOUT:
                raise SourceError("undecodable", f"{self.name}: sends no picture that stands by itself")
        if not shown:
            raise SourceError("no_frame", f"{self.name}: hangs up before its first picture")

    def close(self) -> None:
        self._session.close()

    def _coded(self) -> Iterator[Coded | None]:
        """Key pictures; None after each read that brought none."""
        session, pictures = self._session, self._pictures
        nap = Nap(self._monotonic, session.buffer // 4)
        heard = self._monotonic()
        while True:
            asked = self._monotonic()
            packets, got = session.receive()
            if not got:
                return
            if self._monotonic() - asked >= AT_ONCE:
                self.lag = 0.0
            for channel, packet in packets:
                if channel == session.channel:
                    heard = -1.0
                    if (coded := pictures.add(packet)) is not None:
                        yield coded
                elif channel == session.channel + 1:
                    self._reported = sender_time(packet) or self._reported
            now = self._monotonic()
            heard = now if heard < 0 else heard
            if now - heard >= self._limit:
                # It says this and that, but shows nothing.
                raise SourceError("no_frame", f"{self.name}: sends nothing")
            yield None
            if not session.full:
                self.lag = nap.after_all(got)
                if self.lag:
                    self._sleep(self.lag)

    def _decoded(self, coded: Coded) -> Iterator[tuple[View, float, float | None]]:
        fewer = self._slices.fewer(coded.slices)
        if not coded.whole or fewer:
            self.broken += 1
            return
        try:
            frames = self._decoder.decode(av.Packet(coded.data))
            if not frames:
                # With B-pictures it would be held back until the next one comes.
                frames = self._decoder.decode(None)
                self._decoder.flush_buffers()
        except (av.error.FFmpegError, ValueError, MemoryError):
            self.broken += 1
            return
        for frame in frames:
            if frame.is_corrupt:
                self.broken += 1
                continue
            self._first = coded.stamp if self._first is None else self._first
            yield (
                View(frame, self._scaler),
                later(coded.stamp, self._first) / self._rate,
                self._captured(coded),
            )

    def _captured(self, coded: Coded) -> float | None:
        if self._reported is None:
            return None
        moment, stamp = self._reported
        return moment + later(coded.stamp, stamp) / self._rate
