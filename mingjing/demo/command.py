"""``mingjing demo``: the whole system with the demo centre, in one folder, until Ctrl-C."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dashboard.desk.accounts import Account, AccountRole, hash_password, write_account
from domain.centre import load_centre
from domain.working_time import Calendar
from mingjing.clocks import WorkdayClock, latest_working_morning
from mingjing.demo.centre import make_centre, write_centre
from mingjing.folder import FolderLock
from mingjing.ports import check_port
from mingjing.settings import Settings, load_settings
from mingjing.supervisor import Child
from mingjing.system import keep_running, say, system_children, write_secret

HOST = "127.0.0.1"
#: Real seconds between two notes of the simulated time; after a crash the demo goes on this much later.
CLOCK_NOTED_EVERY = 10.0
#: Files of the desk's sign-in beside the other secrets, and who may sign in: account, role, invented person.
DESK_ACCOUNTS, DESK_PASSWORD = "desk-accounts", "desk-password"
DESK_PEOPLE: tuple[tuple[str, AccountRole, str], ...] = (
    ("jiancha", "inspector", "j1"),
    ("lingdao", "director", "l1"),
)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user may choose. ``port`` is the wall's; the door and the phones take the next two."""

    data: Path
    speed: float = 60.0
    port: int = 8050
    cameras: tuple[str, ...] = ()
    windows: int = 12


def run_demo(options: DemoOptions) -> None:
    """Runs until Ctrl-C or SIGTERM; everything it keeps lies in ``options.data``.

    Raises:
        SettingsError: the folder is in use, a port is taken, a camera cannot be understood.
    """
    data = options.data.expanduser().resolve()
    with FolderLock(data) as lock:
        for port in range(options.port, options.port + 3):
            check_port(HOST, port, option="--port (or make demo PORT=…)")
        new = not (data / "secrets" / DESK_PASSWORD).exists()
        settings = prepare(options, data)
        notes = ClockNotes(data / "demo.json", load_centre(settings.centre_file).working_time)
        clock = notes.go_on(options.speed)
        _say_start(options, settings)
        try:
            keep_running(
                demo_children(),
                settings.model_copy(update={"clock": clock.spec}),
                _clean(os.environ),
                lock,
                housekeeping=lambda: notes.save(clock.now()),
                when_up=lambda seconds: _say_when_up(settings, seconds, new=new),
            )
        finally:
            notes.save(clock.now(), clean=True)
    say("\n已全部停止，再次运行将从此刻继续。 Stopped; the next start goes on from here.")


def demo_children() -> list[Child]:
    """The processes of the demo, in the order in which a visitor needs them."""
    names = ("worker", "wall", "rules", "cameras", "gateway", "sender", "simulator", "door")
    return system_children(names, embedded_database=True)


def prepare(options: DemoOptions, data: Path) -> Settings:
    """Makes the folder's files: centre, keys. Returns the settings of every process."""
    hidden = data / "secrets"
    hidden.mkdir(mode=0o700, parents=True, exist_ok=True)
    centre_file = data / "centre.yaml"
    write_centre(centre_file, make_centre(options.windows, options.cameras, hidden, options.speed))
    write_secret(hidden / "api-keys", f"demo:{secrets.token_urlsafe(24)}\n")
    write_secret(hidden / "gateway")
    write_desk_accounts(hidden)
    return load_settings(
        data=data,
        centre=centre_file,
        wall_host=HOST,
        wall_port=options.port,
        door_host=HOST,
        door_port=options.port + 1,
        gateway_url=f"http://{HOST}:{options.port + 2}/messages",
        gateway_query_url=f"http://{HOST}:{options.port + 2}/messages/{{key}}",
        gateway_secret_file=hidden / "gateway",
        api_keys_file=hidden / "api-keys",
        desk_accounts_file=hidden / DESK_ACCOUNTS,
        desk_trusted_header="",
        # The demo is whole in its folder, whatever the environment says of another system.
        broker="",
        database="",
        base_url="",
        ack_secret_file=hidden / "ack",
    )


def write_desk_accounts(hidden: Path) -> None:
    """Invented people who may sign in at the desk, made once, with one password that only this folder knows."""
    if (hidden / DESK_ACCOUNTS).exists():
        return
    password = hidden / DESK_PASSWORD
    write_secret(password, secrets.token_urlsafe(12))
    kept = hash_password(password.read_text("utf-8"))
    for name, role, person in DESK_PEOPLE:
        write_account(hidden / DESK_ACCOUNTS, Account(name, role, kept, person))


class ClockNotes:
    """Remembers how far the simulated time got, so that the next start goes on from there.

    While the demo is off no simulated time passes. After a crash the last note may be old: the demo goes on a little
    later than it can have been, so that nothing in the store lies in the future.
    """

    def __init__(self, path: Path, calendar: Calendar, *, real: Callable[[], float] = time.time) -> None:
        self._path, self._calendar, self._real = path, calendar, real
        self._speed = 1.0

    def go_on(self, speed: float) -> WorkdayClock:
        """The clock of this run."""
        start = self._last() or self._first()
        self._speed = speed
        return WorkdayClock(
            self._real,
            real_start=self._real(),
            sim_start=start.timestamp(),
            speed=speed,
            calendar=self._calendar,
        )

    def save(self, now: datetime, *, clean: bool = False) -> None:
        row = {"simulated": now.isoformat(), "speed": self._speed, "clean": clean}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(row), "utf-8")
        os.replace(fresh, self._path)

    def _first(self) -> datetime:
        today = datetime.fromtimestamp(self._real(), self._calendar.zone).date()
        return latest_working_morning(self._calendar, today)

    def _last(self) -> datetime | None:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            moment = datetime.fromisoformat(kept["simulated"])
            lost = 0.0 if kept["clean"] else CLOCK_NOTED_EVERY * float(kept["speed"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return datetime.fromtimestamp(moment.timestamp() + lost, moment.tzinfo)


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of another system; models may lie anywhere."""
    keep = ("MINGJING_MODELS", "MINGJING_MODEL", "MINGJING_LOG_LEVEL", "MINGJING_LOG_FORMAT")
    return {
        name: value for name, value in environ.items() if not name.startswith("MINGJING_") or name in keep
    }


# -- what the terminal says ------------------------------------------------------------------------------------------


def _say_start(options: DemoOptions, settings: Settings) -> None:
    say(
        f"[bold]明镜 Mingjing[/bold] · 正在启动演示中心 starting the demo centre · {options.windows} 个窗口 windows\n"
        f"数据目录 data folder: {settings.data}\n"
        "首次启动要建数据库，约需半分钟。The first start makes a database and takes about half a minute."
    )


def _say_when_up(settings: Settings, seconds: float, *, new: bool) -> None:
    address = f"http://{HOST}:{settings.wall_port}/"
    kept = settings.data / "secrets" / DESK_PASSWORD
    # Once: what is printed at every start ends up in a picture of the terminal.
    password = kept.read_text("utf-8") if new else f"见 see {kept}"
    say(
        f"\n  [bold green]{address}[/bold green]   （{seconds:.0f} 秒 s）\n"
        f"  [bold green]{address}desk/[/bold green]   监察员工作台 the inspectors' desk\n"
        f"  账号 accounts jiancha（监察员 inspector）、lingdao（中心领导 director） · 密码 password {password}\n\n"
        "  请看 What to look at（模拟时间一秒为一分钟 a real second is a minute）\n"
        "  · 大屏：每个窗口一盏灯，灯、词、形、原因、时长。 The wall: one light a window, with its reason.\n"
        "  · 上午 9:36，2号窗口人员离岗：10 分钟预警、15 分钟黄牌、30 分钟红牌，返岗即恢复。\n"
        "    At 9:36 the clerk of window 2 leaves: notice, yellow, red; then comes back.\n"
        "  · 9:55 8号窗口一件超承诺时限（黄），10:30 6号窗口一件超法定时限（红）。\n"
        "    At 9:55 and 10:30 cases pass their promised and legal limits: yellow, red.\n"
        "  · 10:12 一台摄像机故障，10:24 一台被遮挡：灰灯并说明原因，未知从不算在岗或离岗。\n"
        "    A camera fails, another is covered: grey with the reason; unknown never counts.\n"
        f"  · 发给责任人的短信 The messages on the phones: http://{HOST}:{settings.wall_port + 2}/\n\n"
        "  人员、电话、办件均为虚构。People, numbers and cases are invented.  停止 stop: Ctrl-C"
    )
