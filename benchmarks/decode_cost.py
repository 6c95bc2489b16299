"""CPU per camera: decoding keyframes only against decoding everything. ``python -m benchmarks.decode_cost``

The clip is made in the run (moving noise over a drawn counter, H.264, 25 pictures a second, a keyframe every 50), so the
figures stand for nobody's camera; the ratio is the point.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import cv2

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
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width, height, bitrate in ((1920, 1080, 4_000_000), (704, 576, 512_000), (640, 360, 400_000)):
            clip = Path(folder) / f"{height}.mp4"
            make_clip(clip, width, height, options.seconds, bitrate)
            keys, key_count = cost(lambda clip=clip: with_media(clip, True), options.seconds)
            full, full_count = cost(lambda clip=clip: with_media(clip, False), options.seconds)
            opencv, _ = cost(lambda clip=clip: with_opencv(clip), options.seconds)
            rows.append(
                {
                    "size": f"{width}x{height}",
                    "keyframes_ms": round(keys, 2),
                    "all_ms": round(full, 2),
                    "opencv_all_ms": round(opencv, 2),
                    "pictures": [key_count, full_count],
                    "ratio": round(full / keys, 1),
                    "cameras_per_core": int(1000 / keys),
                }
            )
    print("CPU milliseconds per second of stream (H.264, 25/s, keyframe every 50; pictures as BGR)")
    print("| size | keyframes only | everything | OpenCV, everything | ratio | cameras a core, keyframes |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            "| {size} | {keyframes_ms} | {all_ms} | {opencv_all_ms} | {ratio} | {cameras_per_core} |".format(
                **row
            )
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
