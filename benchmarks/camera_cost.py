"""CPU per camera of the whole path, beside decoding the same pictures. ``python -m benchmarks.camera_cost``

Cameras are streams of a real RTSP server on loopback: H.264, 25 pictures a second, a keyframe every two seconds, one look
for each keyframe. The cameras' process runs as in production: network, decoding, seeing, publishing into a local log; its
own CPU seconds count, the server's do not. Beside it, in the same run and of the same clip: decoding every picture,
and decoding keyframes only and doing nothing with them, from a file (no network at all; the goal is held against this) and
off the same streams by FFmpeg alone (which costs more than the whole path: cameras' RTSP is read by our own module).

Needs the programs of ``tests/rtsp`` (GStreamer's RTSP server, ffmpeg).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2

from benchmarks.figure import Figure, write_figures

FPS, GROUP = 25, 50
SIZES = ((1920, 1080, "4M"), (640, 360, "500k"))
POSTS = {
    "A01": [[0.1, 0.3], [0.45, 0.3], [0.45, 0.95], [0.1, 0.95]],
    "A02": [[0.55, 0.3], [0.9, 0.3], [0.9, 0.95], [0.55, 0.95]],
}
#: Of a core: what one may be given, and what is to be had from it.
GOALS = {1080: 60, 360: 200}


def cpu() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# -- in a process of their own -------------------------------------------------------------------------------------------


def decode(clip: Path, keyframes_only: bool) -> float:
    """CPU milliseconds per second of the clip for decoding it and nothing else, on one thread."""
    began, seconds = cpu(), 0.0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        if keyframes_only:
            stream.codec_context.skip_frame = "NONKEY"
        for packet in container.demux(stream):
            seconds += 1 / FPS if packet.size else 0
            for _ in packet.decode():
                pass
    return 1000 * (cpu() - began) / seconds


def bare(addresses: list[str], seconds: float, decoded: bool) -> float:
    """CPU milliseconds per camera-second of nothing but taking the same streams off the network, a thread for each."""
    ready, over = threading.Barrier(len(addresses) + 1), threading.Event()

    def read(address: str) -> None:
        with av.open(address, options={"rtsp_transport": "tcp"}, timeout=5) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.skip_frame = "NONKEY"
            ready.wait()
            try:
                for packet in container.demux(stream):
                    if over.is_set():
                        break
                    if decoded:
                        packet.decode()
            except av.error.FFmpegError as error:
                # A server on a machine without time hangs up: that reader costs nothing any more.
                print(f"a stream ended: {error}", file=sys.stderr)

    threads = [threading.Thread(target=read, args=(address,)) for address in addresses]
    for thread in threads:
        thread.start()
    ready.wait()
    began = cpu()
    time.sleep(seconds)
    used = cpu() - began
    over.set()
    for thread in threads:
        thread.join()
    return 1000 * used / seconds / len(addresses)


def watch(addresses: list[str], seconds: float, method: str, data: Path) -> dict[str, Any]:
    """Runs the cameras' process here; its cost once all cameras deliver."""
    from camera_adapters.runner import CameraRunner, cameras_of, run_cameras
    from domain.centre import Centre
    from domain.centres import Centres
    from domain.clock import Clock
    from domain.observations import Observation, observation_to_json
    from mingjing.models import choose_net
    from streams.publisher import open_publisher
    from streams.topics import OBSERVATIONS, observation_key

    posts = [{"name": name, "window": name, "polygon": corners} for name, corners in POSTS.items()]
    centre = Centre.model_validate(
        {
            "centre": {"id": "bench"},
            "presence": {"method": method},
            "cameras": [
                {"id": f"C{number:03d}", "url": address, "every": GROUP / FPS, "posts": posts}
                for number, address in enumerate(addresses)
            ],
        }
    )
    stop = threading.Event()
    measured: dict[str, Any] = {}

    def measure(runner: CameraRunner) -> None:
        def show_empty(posting: Any) -> None:
            while (frame := posting.slot.take()) is None:
                stop.wait(0.1)
            for index in range(len(POSTS)):
                posting.station.learn_empty(frame.picture(0.0), index)

        def run() -> None:
            for posting in runner.postings:
                while not posting.reader.link.up and not stop.wait(0.1):
                    pass
                show_empty(posting)
            stop.wait(4 * GROUP / FPS)
            counts = [(posting.slot.received, posting.station.expected) for posting in runner.postings]
            began, moment = cpu(), time.monotonic()
            stop.wait(seconds)
            span = time.monotonic() - moment
            measured.update(
                cpu=1000 * (cpu() - began) / span / len(addresses),
                looks=sum(p.station.expected - c[1] for p, c in zip(runner.postings, counts, strict=True))
                / len(POSTS) / span / len(addresses),
                pictures=sum(p.slot.received - c[0] for p, c in zip(runner.postings, counts, strict=True))
                / span / len(addresses),
                overwritten=sum(posting.slot.overwritten for posting in runner.postings),
                memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            )  # fmt: skip
            stop.set()

        threading.Thread(target=run, daemon=True).start()

    with open_publisher(f"local://{data}/log.db") as publisher:

        def publish(found: list[Observation]) -> None:
            publisher.publish(
                OBSERVATIONS,
                [
                    (
                        observation_key(each),
                        json.dumps(observation_to_json(each), ensure_ascii=False).encode(),
                    )
                    for each in found
                ],
            )

        run_cameras(
            cameras_of(Centres.of(centre)),
            Clock(),
            publish,
            stop,
            make_net=lambda: choose_net(method).net,
            on_start=measure,
        )
    return measured


TASKS: dict[str, Callable[..., Any]] = {
    "decode": lambda clip, keyframes_only: decode(Path(clip), keyframes_only),
    "bare": bare,
    "watch": lambda addresses, seconds, method, data: watch(addresses, seconds, method, Path(data)),
}


def apart(task: str, **arguments: Any) -> Any:
    """A task in a fresh process, so that nothing else is on its account."""
    command = [sys.executable, "-m", "benchmarks.camera_cost", "--task", json.dumps([task, arguments])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# -- the whole -----------------------------------------------------------------------------------------------------------


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--cameras", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--method", action="append", choices=("correlation", "detector"))
    arguments.add_argument("--height", type=int, action="append", choices=sorted(GOALS))
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--task", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.task:
        cv2.setNumThreads(1)
        task, given = json.loads(options.task)
        print(json.dumps(TASKS[task](**given)))
        return
    figures: list[Figure] = []
    for width, height, bitrate in SIZES:
        if not options.height or height in options.height:
            methods = options.method or ["correlation", *(["detector"] if _detector() else [])]
            figures += measure((width, height), bitrate, options.cameras, options.seconds, methods)
    write_figures(options.json, figures)


def _detector() -> bool:
    from mingjing.models import choose_net

    return choose_net("auto").net is not None


def measure(
    size: tuple[int, int], bitrate: str, cameras: int, seconds: float, methods: list[str]
) -> list[Figure]:
    from tests.rtsp.clips import clip
    from tests.rtsp.server import RtspServer

    made = clip(size=size, fps=FPS, gop=GROUP, seconds=20, bitrate=bitrate)
    figures = []
    shown: dict[str, Any] = {"size": f"{size[0]}x{size[1]}", "bitrate": bitrate}
    with RtspServer() as server:
        first = server.publish("0", size=size, fps=FPS, gop=GROUP, seconds=20, bitrate=bitrate)
        addresses = [first, *(server.alias(str(number), "0") for number in range(1, cameras))]
        full = apart("decode", clip=str(made), keyframes_only=False)
        keys = apart("decode", clip=str(made), keyframes_only=True)
        network = apart("bare", addresses=addresses, seconds=seconds, decoded=False)
        streams = apart("bare", addresses=addresses, seconds=seconds, decoded=True)
        unit, alone = "CPU ms per camera-second", "keyframes decoded from a file"
        figures += [
            Figure("every picture decoded from a file", full, unit, parameters=shown),
            Figure(alone, keys, unit, "every picture decoded", keys / full, parameters=shown),
            Figure(
                "taken off the network by FFmpeg, nothing else",
                network,
                unit,
                alone,
                network / keys,
                parameters=shown,
            ),
            Figure(
                "taken off the network by FFmpeg, keyframes decoded",
                streams,
                unit,
                alone,
                streams / keys,
                parameters=shown,
            ),
        ]
        for method in methods:
            with tempfile.TemporaryDirectory() as data:
                found = apart("watch", addresses=addresses, seconds=seconds, method=method, data=data)
            cost = found["cpu"]
            about = shown | {"method": method, "cameras": cameras, "looks per second": round(found["looks"], 3),
                             "pictures per second": round(found["pictures"], 3), "MB": round(found["memory"])}  # fmt: skip
            goals = method == "correlation"
            # The ratios are meant of large pictures: of small ones the network alone is more than their decoding.
            large = goals and size[1] == 1080
            figures += [
                Figure("whole path", cost, unit, alone, cost / keys, "<= 1.5" if large else None, parameters=about),
                Figure("whole path", cost, unit, "keyframes decoded off the network by FFmpeg", cost / streams, parameters=about),
                Figure("whole path", cost, unit, "every picture decoded", cost / full, "<= 0.15" if large else None, parameters=about),
                Figure("cameras per core", 1000 / cost, "cameras", goal=f">= {GOALS[size[1]]}" if goals else None, parameters=about),
            ]  # fmt: skip
    return figures


if __name__ == "__main__":
    main()
