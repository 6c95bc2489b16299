"""The machine: Python, data folder, disk, clock, ports."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from domain.errors import SettingsError
from mingjing.doctor.report import Result, fault, ok, warning
from mingjing.doctor.scene import Scene
from mingjing.health import PORT_OFFSETS, Address
from mingjing.ports import check_port

#: Below these the disk is nearly full, and full: the log refuses events before the last megabyte is gone.
LITTLE_SPACE, NO_SPACE, LITTLE_SHARE = 5_000_000_000, 500_000_000, 0.1
#: Seconds one small synced write may take (median). Every batch of events and every finding waits for one or two.
SLOW_SYNC = 0.05


def python_version(scene: Scene) -> Iterator[Result]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield ok("python", f"Python {version}", f"Python {version}")


def data_folder(scene: Scene) -> Iterator[Result]:
    folder = scene.settings.data
    if not folder.exists():
        yield ok("data.folder", f"{folder} 将在启动时建立", f"{folder} will be made")
        return
    status = folder.stat()
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fault(
            "data.folder",
            f"{folder} 不可写（属于 {_user(status.st_uid)}）",
            f"{folder} cannot be written (it belongs to {_user(status.st_uid)})",
            f"chown -R {_user(os.geteuid())} {folder}",
        )
    elif status.st_uid != os.geteuid():
        yield warning(
            "data.folder",
            f"{folder} 属于 {_user(status.st_uid)}，当前用户是 {_user(os.geteuid())}",
            f"{folder} belongs to {_user(status.st_uid)}, not to {_user(os.geteuid())} who runs this",
            f"以该用户运行 · run as it: sudo -u {_user(status.st_uid)} mingjing …",
        )
    else:
        yield ok("data.folder", str(folder), str(folder))


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def disk_space(scene: Scene) -> Iterator[Result]:
    usage = shutil.disk_usage(_existing(scene.settings.data))
    free, share = usage.free / 1e9, usage.free / usage.total
    zh, en = f"剩余 {free:.1f} GB（{share:.0%}）", f"{free:.1f} GB free ({share:.0%})"
    mend = "清理或扩容；MINGJING_KEEP_OBSERVATIONS 缩短保留期 · make room, or keep raw rows for fewer days"
    if usage.free < NO_SPACE:
        yield fault("disk.space", f"磁盘已满：{zh}", f"the disk is full: {en}", mend)
    elif usage.free < LITTLE_SPACE or share < LITTLE_SHARE:
        yield warning("disk.space", f"磁盘将满：{zh}", f"the disk is nearly full: {en}", mend)
    else:
        yield ok("disk.space", zh, en)


def disk_speed(scene: Scene, *, monotonic: Callable[[], float] = time.monotonic) -> Iterator[Result]:
    """Times a few small synced writes in the data folder; leaves nothing behind."""
    folder = _existing(scene.settings.data)
    if not os.access(folder, os.W_OK):
        return
    spans = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(9):
            begun = monotonic()
            file.write(b"\0" * 8192)
            file.flush()
            os.fsync(file.fileno())
            spans.append(monotonic() - begun)
    span = statistics.median(spans) * 1000
    zh, en = f"同步写入 {span:.1f} 毫秒", f"a synced write takes {span:.1f} ms"
    if span > SLOW_SYNC * 1000:
        mend = "将 MINGJING_DATA 放到本地 SSD · put MINGJING_DATA on a local SSD, not on a network drive"
        yield warning("disk.speed", f"磁盘太慢：{zh}", f"the disk is slow: {en}", mend)
    else:
        yield ok("disk.speed", zh, en)


def clock(scene: Scene) -> Iterator[Result]:
    state = scene.synchronised()
    if state is None:
        yield ok("clock.ntp", "系统未提供同步状态", "the system does not say whether its clock is kept right")
    elif state:
        yield ok("clock.ntp", "时钟已同步", "the clock is synchronised")
    else:
        yield warning(
            "clock.ntp",
            "本机时钟未同步，时限按本机时间计算",
            "nothing keeps the clock right, and deadlines are counted by it",
            "timedatectl set-ntp true（容器请在宿主机执行 · for a container: on its host）",
        )


def ports(scene: Scene) -> Iterator[Result]:
    """Ports of the wall, the door and the metrics: free, or ours already."""
    settings = scene.settings
    wanted = {
        "wall": (settings.wall_host, settings.wall_port, "MINGJING_WALL_PORT"),
        "door": (settings.door_host, settings.door_port, "MINGJING_DOOR_PORT"),
    }
    if settings.metrics_address:
        given = Address.parse(settings.metrics_address)
        for name in ("worker", "rules") if given.base else ():
            wanted[f"metrics ({name})"] = (
                given.host, given.port + PORT_OFFSETS[name], "MINGJING_METRICS_ADDRESS",
            )  # fmt: skip
    for name, (host, port, option) in wanted.items():
        check = "port." + name.split(" ")[0]
        try:
            check_port(host, port, option=option)
        except SettingsError as error:
            if process := _ours(host, port):
                yield ok(
                    check, f"{host}:{port} 由 mingjing {process} 使用", f"{host}:{port} is our {process}"
                )
            else:
                yield warning(check, f"端口 {port} 已被占用", str(error), f"{option}=…")
        else:
            yield ok(check, f"{host}:{port} 可用", f"{host}:{port} is free")


def _ours(host: str, port: int) -> str | None:
    """Name of the process of ours that answers there."""
    place = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not listened on
    address = f"http://{place}:{port}/livez"
    with (
        contextlib.suppress(OSError, ValueError, AttributeError),
        urllib.request.urlopen(address, timeout=2) as answer,
    ):
        return str(json.loads(answer.read(10_000)).get("process") or "") or None
    return None


CHECKS = (python_version, data_folder, disk_space, disk_speed, clock, ports)
