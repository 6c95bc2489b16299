"""Many real RTSP streams, cameras that go and come back, servers that are killed or stand still.

``python -m tests.drills cameras [--cameras 50 --minutes 10]``. The cameras' process runs as in production, on real time and
with the real method; what it publishes is all that is judged. Each server is one site. Everything in the picture moves and
the posts look otherwise than their empty pictures, so "absent" would be false at every moment.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.rtsp.server import RtspServer

BACK = 10.0
"""Seconds after its return within which a camera has to deliver again."""
POST = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.9], [0.2, 0.9]]
GROWTH, SLACK = 1.1, 20.0
"""Memory of the second half may exceed that of the first by this factor and so many megabytes."""


@dataclass(frozen=True)
class Plan:
    """
    Args:
        gop: pictures (of 25 a second) between two keyframes; a look for each.
        fresh, window: as in the centre file.
        singles, kills, pauses: how long one camera, a server, a standing server is away, from … to seconds.
        settle: seconds between two faults at one server.
    """

    cameras: int
    seconds: float
    servers: int = 2
    gop: int = 50
    fresh: float = 10.0
    window: float = 10.0
    singles: tuple[float, float] = (3, 60)
    kills: tuple[float, float] = (3, 45)
    pauses: tuple[float, float] = (12, 30)
    settle: float = 18.0
    order: str = ""

    @property
    def every(self) -> float:
        return self.gop / 25


SHORT = Plan(
    6,
    18,
    servers=1,
    gop=10,
    fresh=4,
    window=2,
    singles=(3, 3),
    kills=(3.5, 3.5),
    settle=3.5,
    order="single kill",
)


@dataclass
class Outage:
    """What was done, to which cameras, from when to when (Unix seconds)."""

    what: str
    server: int
    cameras: frozenset[str]
    began: float
    ended: float = math.inf


@dataclass
class CameraBalance:
    """What came of it. ``faults`` is empty if everything held."""

    plan: Plan
    outages: Sequence[Outage]
    unknown: dict[str, list[float]] = field(default_factory=dict)
    back: dict[str, list[float]] = field(default_factory=dict)
    posts_back: list[float] = field(default_factory=list)
    incidents: int = 0
    overslept: int = 0
    looks: int = 0
    memory: tuple[float, float] = (0.0, 0.0)
    cpu: float = 0.0
    faults: list[str] = field(default_factory=list)

    def check(self) -> None:
        assert not self.faults, str(self)

    def __str__(self) -> str:
        counts = {
            what: sum(each.what == what for each in self.outages) for what in ("single", "kill", "pause")
        }
        rows = [
            f"== {self.plan.cameras} cameras of {self.plan.servers} RTSP servers, {self.plan.seconds:.0f} s",
            f"provoked   {counts['single']} times some cameras gone, {counts['kill']} servers killed,"
            f" {counts['pause']} stopped (SIGSTOP)",
            *(f"unknown    {what}: {_spread(found)} (limit {self.plan.fresh:g} s)" for what, found in sorted(self.unknown.items())),
            *(f"delivers   {what}: {_spread(found)} after the return (limit {BACK:g} s)" for what, found in sorted(self.back.items())),
            f"post seen  {_spread(self.posts_back)} after the return",
            f"incidents  {self.incidents} for {counts['kill'] + counts['pause']} faults of servers;"
            f" {self.overslept} times a machine too busy to look",
            f"memory     {self.memory[0]:.0f} MB in the first half, {self.memory[1]:.0f} in the second",
            f"processor  {self.cpu * 1000 / self.plan.cameras:.1f} ms per camera-second; {self.looks} looks",
        ]  # fmt: skip
        return "\n".join(
            [*rows, *(f"FAULT      {each}" for each in self.faults), *(["passed"] if not self.faults else [])]
        )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "never"
    row = sorted(values)
    return f"{row[len(row) // 2]:.1f} s in the middle, at most {row[-1]:.1f} s ({len(row)} times)"


# -- the drill ---------------------------------------------------------------------------------------------------------


def drill(plan: Plan, seed: int = 7, say: Callable[[str], None] = lambda text: None) -> CameraBalance:
    """Runs it; takes ``plan.seconds`` and a little."""
    with tempfile.TemporaryDirectory(prefix="mj-cameras-") as name:
        folder = Path(name)
        servers = [RtspServer(folder / f"server{number}") for number in range(plan.servers)]
        try:
            return _run(plan, servers, folder, random.Random(seed), say)
        finally:
            for server in servers:
                server.kill()


def _run(
    plan: Plan, servers: list[RtspServer], folder: Path, chance: random.Random, say: Callable[[str], None]
) -> CameraBalance:
    names = [[f"C{n:03d}" for n in range(plan.cameras) if n % plan.servers == k] for k in range(plan.servers)]
    cameras = []
    for number, server in enumerate(servers):
        server.start()
        server.publish("all", gop=plan.gop, seconds=8)
        for name in names[number]:
            url = server.alias(name, "all")
            cameras.append({"id": name, "url": url, "site": f"S{number}", "every": plan.every})
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"cameras": cameras, "fresh": plan.fresh, "window": plan.window}))
    output = folder / "observations.jsonl"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.cameras", str(spec)], stdout=out, stdin=subprocess.PIPE
        )
        try:
            watch = psutil.Process(process.pid)
            _wait_present(output, plan.cameras, process)
            outages: list[Outage] = []
            end = time.time() + plan.seconds
            threads = [
                threading.Thread(
                    target=_faults,
                    args=(plan, k, server, names[k], random.Random(chance.random()), end, outages, say),
                )
                for k, server in enumerate(servers)
            ]
            began, used = time.time(), sum(watch.cpu_times()[:2])
            for thread in threads:
                thread.start()
            memory = []
            while any(thread.is_alive() for thread in threads):
                memory.append(watch.memory_info().rss / 1e6)
                time.sleep(0.5)
            _wait_over(output)
            cpu = (sum(watch.cpu_times()[:2]) - used) / (time.time() - began)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    half = len(memory) // 2
    # From the first outage on: threads and decoders are made and given back all along.
    halves = (max(memory[:half], default=0.0), sum(memory[half:]) / max(1, len(memory) - half))
    return judge(plan, outages, list(_read(output)), halves, cpu)


def _faults(
    plan: Plan,
    number: int,
    server: RtspServer,
    names: list[str],
    chance: random.Random,
    end: float,
    outages: list[Outage],
    say: Callable[[str], None],
) -> None:
    order = plan.order.split()
    turn = 0
    while True:
        what = order[turn] if order else chance.choice(("single", "single", "kill", "pause"))
        span = chance.uniform(*{"single": plan.singles, "kill": plan.kills, "pause": plan.pauses}[what])
        if (order and turn >= len(order)) or time.time() + span + plan.settle > end:
            return
        gone = chance.sample(names, chance.randint(1, max(1, len(names) // 5))) if what == "single" else names
        outage = Outage(what, number, frozenset(gone), time.time())
        say(f"{time.strftime('%X')} server {number}: {what} for {span:.0f} s ({len(gone)} cameras)")
        if what == "single":
            for name in gone:
                server.withdraw(name)
            time.sleep(span)
            outage.ended = time.time()
            for name in gone:
                server.alias(name, "all")
        elif what == "kill":
            server.kill()
            time.sleep(span)
            server.start()
            outage.ended = time.time()
        else:
            server.pause()
            time.sleep(span)
            server.resume()
            outage.ended = time.time()
        outages.append(outage)
        time.sleep(plan.settle)
        turn += 1
        if order and turn >= len(order):
            return


def _wait_present(output: Path, cameras: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.time() + seconds
    while True:
        seen = {
            row["camera"]
            for row in _read(output)
            if row["kind"] == "post.state" and row["state"] == "present"
        }
        if len(seen) == cameras:
            return
        assert process.poll() is None, "the cameras' process has ended"
        assert time.time() < until, f"only {len(seen)} of {cameras} cameras are seen"
        time.sleep(0.2)


def _wait_over(output: Path, seconds: float = BACK + 5) -> None:
    """Until all that was provoked is over as far as anybody says, or should long have been."""
    until = time.time() + seconds
    while time.time() < until:
        last = {
            (row["camera"], row["kind"]): row["state"]
            for row in _read(output)
            if row["kind"] != "post.summary"
        }
        if set(last.values()) == {"present"}:
            return
        time.sleep(0.3)


def _read(output: Path) -> Iterator[dict[str, Any]]:
    for line in output.read_bytes().splitlines():
        if line.endswith(b"}"):
            yield json.loads(line)


# -- judging -------------------------------------------------------------------------------------------------------------


def judge(
    plan: Plan,
    outages: Sequence[Outage],
    rows: Sequence[dict[str, Any]],
    memory: tuple[float, float],
    cpu: float,
) -> CameraBalance:
    """What was published against what was done.

    Args:
        rows: observations, each with the moment it was published (``told``, Unix seconds).
        memory: megabytes: most of the first half, mean of the second.
    """
    balance = CameraBalance(plan, outages, memory=memory, cpu=cpu)
    faults = balance.faults
    posts = [row for row in rows if row["kind"] == "post.state"]
    words = [row for row in rows if row["kind"] == "camera.state"]
    balance.looks = sum(row.get("looks_expected", 0) for row in rows if row["kind"] == "post.summary")
    if absent := [row for row in rows if row["state"] == "absent"]:
        faults.append(f"{len(absent)} times absent, and nobody ever was")
    for outage in outages:
        for camera in outage.cameras:
            said = [row for row in posts if row["camera"] == camera]
            lost = next(
                (r["told"] for r in said if r["state"] == "unknown" and r["told"] >= outage.began), math.inf
            )
            if lost <= outage.ended:
                balance.unknown.setdefault(outage.what, []).append(lost - outage.began)
            if min(lost, outage.ended) - outage.began > plan.fresh:
                faults.append(f"{outage.what}: {camera} not unknown within {plan.fresh:g} s")
            of_camera = [row for row in words if row["camera"] == camera and row["told"] >= outage.began]
            down = next((r["told"] for r in of_camera if r["state"] == "unknown"), math.inf)
            if down < outage.ended + BACK:
                up = next((r["told"] for r in of_camera if r["state"] == "present" and r["told"] > max(down, outage.ended)), math.inf)  # fmt: skip
                balance.back.setdefault(outage.what, []).append(up - outage.ended)
                if up - outage.ended > BACK:
                    faults.append(f"{outage.what}: {camera} back after {up - outage.ended:.1f} s")
            if lost < outage.ended + BACK:
                seen = next((r["told"] for r in said if r["state"] == "present" and r["told"] > max(lost, outage.ended)), math.inf)  # fmt: skip
                balance.posts_back.append(seen - outage.ended)
    _judge_incidents(
        balance, [row for row in rows if row["kind"] == "site.state" and row["reason"] != "restart"]
    )
    first, second = memory
    if second > GROWTH * first + SLACK:
        faults.append(f"memory grew from {first:.0f} to {second:.0f} MB")
    return balance


def _judge_incidents(balance: CameraBalance, rows: Sequence[dict[str, Any]]) -> None:
    begun = {(row["camera"], row["since"]): row for row in reversed(rows)}
    ended = {(row["camera"], row["since"]) for row in rows if row["state"] == "present"}
    # A machine that had no time for the process: true, and nobody's fault here.
    slept = {key for key, row in begun.items() if row["reason"] == "overslept"}
    balance.incidents, balance.overslept = len(begun) - len(slept), len(slept)
    for outage in balance.outages:
        last = outage.ended + balance.plan.settle
        during = [
            key
            for key, row in begun.items()
            if key[0] == f"S{outage.server}" and outage.began <= row["told"] <= last
        ]
        together = [key for key in during if key not in slept]
        wanted = 0 if outage.what == "single" else 1
        # What fails while one incident goes on is part of it.
        if len(together) != wanted and not (wanted and not together and during):
            balance.faults.append(
                f"{outage.what} of {len(outage.cameras)} cameras for {outage.ended - outage.began:.0f} s:"
                f" {len(together)} incidents, not {wanted}"
            )
    if left := begun.keys() - ended:
        balance.faults.append(f"{len(left)} incidents have no end")


# -- the cameras' process ------------------------------------------------------------------------------------------------


def watch(spec: dict[str, Any]) -> None:
    """Watches until standard input ends; prints observations as JSON lines with the moment of publishing."""
    import numpy as np

    from camera_adapters.runner import CameraRunner, cameras_of, run_cameras
    from detectors.presence.picture import Picture
    from domain.centre import Centre
    from domain.centres import Centres
    from domain.clock import Clock
    from domain.observations import Observation, observation_to_json

    cameras = [
        {**camera, "posts": [{"name": "desk", "window": camera["id"], "polygon": POST}]}
        for camera in spec["cameras"]
    ]
    presence = {"method": "correlation", "fresh": spec["fresh"], "window": spec["window"]}
    centre = Centre.model_validate({"centre": {"id": "drill"}, "presence": presence, "cameras": cameras})
    stop = threading.Event()

    def until_told() -> None:
        sys.stdin.read()
        stop.set()

    def publish(found: list[Observation]) -> None:
        told = time.time()
        for each in found:
            sys.stdout.write(json.dumps(observation_to_json(each) | {"told": told}) + "\n")
        sys.stdout.flush()

    def show_empty(runner: CameraRunner) -> None:
        # Nothing in the streams looks like it: whatever is seen is somebody.
        noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), dtype=np.uint8)
        for posting in runner.postings:
            posting.station.learn_empty(Picture(noise, 0.0), 0)

    threading.Thread(target=until_told, daemon=True).start()
    run_cameras(cameras_of(Centres.of(centre)), Clock(), publish, stop, on_start=show_empty)


if __name__ == "__main__":
    watch(json.loads(Path(sys.argv[1]).read_text()))
