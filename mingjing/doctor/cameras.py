"""Cameras: looked at often enough, and they answer. Addresses stay out of what is said."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from camera_adapters.addresses import scheme_of
from domain.centre import Camera
from mingjing.camera_peers import FRESH, ROLE, beats, overlapping
from mingjing.doctor.report import Result, fault, ok, some, warning
from mingjing.doctor.scene import Scene
from store.connection import Connection

SECONDS = 2.0
#: So many are knocked at; with more of them, evenly chosen ones.
MOST = 64
_PORTS = {
    "rtsp": 554,
    "rtsps": 322,
    "rtmp": 1935,
    "rtmps": 443,
    "http": 80,
    "https": 443,
    "onvif": 80,
    "onvifs": 443,
}


def _cameras(scene: Scene) -> list[tuple[str, Camera, float]]:
    """(name, camera, seconds after which a picture says nothing) of real cameras."""
    centres = scene.centres
    if centres is None:
        return []
    return [
        (f"{code}/{camera.id}" if centres.several else camera.id, camera, centre.presence.fresh)
        for code, centre in centres.items()
        for camera in centre.cameras
        if scheme_of(camera.url) != "sim"
    ]


def interval(scene: Scene) -> Iterator[Result]:
    """``every`` against ``presence.fresh``: a picture older than that says nothing."""
    cameras = _cameras(scene)
    blind = [
        f"{name} ({camera.every:g} s > {fresh:g} s)"
        for name, camera, fresh in cameras
        if camera.every > fresh
    ]
    rare = [
        f"{name} ({camera.every:g} s)" for name, camera, fresh in cameras if fresh / 2 < camera.every <= fresh
    ]
    if blind:
        yield fault(
            "camera.interval",
            f"观察间隔长于图像有效期，永远“未知”：{some(blind)}",
            f"looked at more rarely than a picture is good for, so always unknown: {some(blind)}",
            "cameras[].every ≤ presence.fresh / 2",
        )
    if rare:
        yield warning(
            "camera.interval",
            f"观察间隔过长，丢一帧即“未知”：{some(rare)}",
            f"one lost picture makes these unknown: {some(rare)}",
            "cameras[].every ≤ presence.fresh / 2",
        )
    if cameras and not blind and not rare:
        yield ok("camera.interval", "观察间隔合适（关键帧间隔见指标）", "looks are frequent enough")


def credentials(scene: Scene) -> Iterator[Result]:
    inside = [name for name, camera, _ in _cameras(scene) if urlsplit(camera.url).password]
    unset = [
        f"{name}: {camera.password_env}"
        for name, camera, _ in _cameras(scene)
        if camera.password_env and camera.password_env not in os.environ
    ]
    if inside:
        yield warning(
            "camera.password",
            f"中心文件内写有摄像机密码：{some(inside)}",
            f"passwords stand in the centre file: {some(inside)}",
            "cameras[].user + password_file",
        )
    if unset:
        yield warning(
            "camera.password",
            f"环境变量未设置：{some(unset)}",
            f"environment variables are not set: {some(unset)}",
            "在 cameras 进程的环境中设置 · set them for the process cameras",
        )


def answers(scene: Scene) -> Iterator[Result]:
    cameras = _cameras(scene)
    if not cameras:
        return
    step = -(-len(cameras) // MOST)
    asked = cameras[::step]
    with ThreadPoolExecutor(min(16, len(asked))) as pool:
        reasons = list(pool.map(lambda each: _trouble(each[1]), asked))
    silent = [f"{name} ({reason})" for (name, _, _), reason in zip(asked, reasons, strict=True) if reason]
    if silent:
        yield fault(
            "camera.answers",
            f"{len(silent)}/{len(asked)} 台摄像机无法连接：{some(silent)}",
            f"{len(silent)} of {len(asked)} cameras cannot be reached: {some(silent)}",
            "检查地址、网络、防火墙；mingjing watch 地址 · look at address and network; try mingjing watch",
        )
    else:
        yield ok("camera.answers", f"{len(asked)} 台摄像机可连接", f"{len(asked)} cameras can be reached")


def _trouble(camera: Camera) -> str | None:
    scheme, parts = scheme_of(camera.url), urlsplit(camera.url)
    if scheme in ("file", "v4l2"):
        path = Path(
            unquote(parts.path) if camera.url.startswith(("file:", "v4l2:")) else camera.url
        ).expanduser()
        return None if path.exists() else "no such file"
    try:
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        port = None
    if not parts.hostname or port is None:
        return "no address"
    try:
        socket.create_connection((parts.hostname, port), timeout=SECONDS).close()
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def standing(scene: Scene) -> Iterator[Result]:
    """What the cameras themselves said last: too few pictures, whole sites down, watched by two."""
    connection = scene.connection
    if connection is None or not _cameras(scene):
        return
    try:
        yield from _said(connection)
    except psycopg.errors.UndefinedTable:
        return  # not migrated yet: the check of the database says so


def _said(connection: Connection) -> Iterator[Result]:
    slow = connection.execute(
        "select camera from camera_state where state = 'present' and reason = 'too_slow' order by centre, camera"
    ).fetchall()
    if slow:
        names = some([name for (name,) in slow])
        yield fault(
            "camera.keyframes",
            f"实测画面间隔长于图像有效期，期间“未知”：{names}",
            f"pictures come more seldom than one is good for, so posts are unknown between them: {names}",
            "缩短 I 帧间隔，关闭智能编码（H.264+） · shorten the keyframe interval, switch smart coding off",
        )
    down = connection.execute(
        "select site, cardinality(cameras), watched from site_incident where ended is null order by centre, site"
    ).fetchall()
    if down:
        names = some([f"{site} ({failed}/{watched})" for site, failed, watched in down])
        yield fault(
            "camera.site",
            f"点位多台摄像机同时中断：{names}",
            f"most cameras of a site failed together: {names}",
            "检查该点位的交换机、录像机、供电 · look at its switch, recorder, power",
        )
    pairs = [f"{one} + {other}" for one, other in overlapping(beats(connection))]
    pairs += [name for name, in connection.execute(
        "select coalesce(nullif(instance, ''), '1/1') from heartbeat where role = %s and detail ? 'rivals'"
        " and real_at > now() - make_interval(secs => %s)", [ROLE, FRESH])]  # fmt: skip
    if pairs:
        yield fault(
            "camera.share",
            f"同一批摄像机由两个进程观察：{some(sorted(set(pairs)))}",
            f"two processes watch the same cameras, by their shares: {some(sorted(set(pairs)))}",
            "检查各机器的 --share · look at --share of each machine and stop one of them",
        )


CHECKS = (interval, credentials, answers, standing)
