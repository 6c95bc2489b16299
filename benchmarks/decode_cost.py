"""CPU per camera: decoding keyframes only against decoding everything. ``python -m benchmarks.decode_cost``

The clip is made in the run (moving noise over a drawn counter, H.264, 25 pictures a second, a keyframe every 50), so the
figures stand for nobody's camera; the ratio is the point.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import cv2

from benchmarks.figure import Figure, write_figures
from camera_adapters.counter_scene import CounterScene, Moment
from camera_adapters.media import Media

FPS, GROUP = 25, 50


def make_clip(path: Path, width: int, height: int, seconds: int, bitrate: int) -> None:
    scene = CounterScene(["A01", "A02"], seed=1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"g": str(GROUP), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bitrate
        for i in range(seconds * FPS):
            picture = cv2.resize(
                scene.render(i / FPS * 3, Moment((True, i % 200 < 100), (1, 1))), (width, height)
            )
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def with_media(path: Path, keyframes_only: bool) -> int:
    with closing(Media(str(path), keyframes_only=keyframes_only, live=False)) as media:
        return sum(1 for _ in media.pictures())


def with_opencv(path: Path) -> int:
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


def cost(work: Callable[[], int], seconds: int) -> tuple[float, int]:
    """CPU milliseconds per second of stream, and the pictures seen."""
    began = time.process_time()
    count = work()
    return 1000 * (time.process_time() - began) / seconds, count


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for width, height, bitrate in ((1920, 1080, 4_000_000), (704, 576, 512_000), (640, 360, 400_000)):
            clip = Path(folder) / f"{height}.mp4"
            make_clip(clip, width, height, options.seconds, bitrate)
            full, pictures = cost(lambda clip=clip: with_media(clip, False), options.seconds)
            keys, looks = cost(lambda clip=clip: with_media(clip, True), options.seconds)
            opencv, _ = cost(lambda clip=clip: with_opencv(clip), options.seconds)
            size = f"{width}x{height}"
            for name, value, count in (
                ("keyframes only", keys, looks),
                ("everything", full, pictures),
                ("OpenCV, everything", opencv, pictures),
            ):
                ratio = None if name == "everything" else value / full
                beside = None if ratio is None else "everything"
                figures.append(
                    Figure(
                        name,
                        value,
                        "CPU ms per second of stream",
                        beside,
                        ratio,
                        parameters={"size": size, "pictures": count},
                    )
                )
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
