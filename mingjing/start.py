"""``mingjing start CENTRE.yaml``: a real centre on one machine, every process supervised, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from domain.centre_folder import load_centres
from domain.errors import SettingsError
from mingjing.folder import FolderLock
from mingjing.notify import notify, still_alive
from mingjing.ports import check_port
from mingjing.settings import Settings, load_settings
from mingjing.system import keep_running, say, system_children, write_secret


def start_command(
    centre: Annotated[Path, typer.Argument(help="中心文件或其文件夹 · the centre file, or a folder of them")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False),
    ] = None,
) -> None:
    """启动本中心全套系统，直到 Ctrl-C · The whole system for a real centre, until Ctrl-C.

    Addresses, broker, database and gateway come from MINGJING_* variables; without any, everything is embedded and listens on
    the loopback, and messages are written to the log.
    """
    run_centre(load_settings(data=data, centre=centre))


def run_centre(settings: Settings) -> None:
    """Runs until Ctrl-C or SIGTERM.

    Raises:
        CentreFileError, CentreFilesError: centre files are broken; each defect is named.
        SettingsError: the folder is in use, a port is taken, the clock is not the real one.
    """
    if settings.clock != "real":
        raise SettingsError("MINGJING_CLOCK: a real centre runs on the real clock")
    centres = load_centres(settings.centre_file, kept=settings.kept_centres)
    # Whoever is at the terminal can mend them; a process that starts again by itself goes on with what was good last.
    centres.refuse_problems()
    windows = sum(len(centre.windows) for centre in centres.values())
    cameras = sum(len(centre.cameras) for centre in centres.values())
    title = f"{len(centres)} 个中心 centres" if centres.several else centres.first.centre.name
    with FolderLock(settings.data) as lock:
        check_port(settings.wall_host, settings.wall_port, option="MINGJING_WALL_PORT")
        check_port(settings.door_host, settings.door_port, option="MINGJING_DOOR_PORT")
        if settings.api_keys_file is None:
            keys = settings.data / "secrets" / "api-keys"
            write_secret(keys, f"first:{secrets.token_urlsafe(24)}\n")
            settings = settings.model_copy(update={"api_keys_file": keys})
        names = ["worker", "wall", "rules", "sender", "door"]
        if cameras:
            names.insert(3, "cameras")
        say(
            f"[bold]明镜 Mingjing[/bold] · {title} · {windows} 个窗口 windows,"
            f" {cameras} 台摄像机 cameras\n数据目录 data folder: {settings.data}"
        )
        if centres.ignored:
            say(f"已忽略 ignored (no centre files): {', '.join(centres.ignored)}")

        def when_up(seconds: float) -> None:
            say(
                f"\n  大屏 wall  [bold green]{settings.wall_url}/[/bold green]   （{seconds:.0f} 秒 s）\n"
                f"  工作台 desk  {settings.wall_url}/desk/ · {_desk(settings)}\n"
                f"  事件入口 door  http://{settings.door_host}:{settings.door_port}/events"
                f" · 密钥 keys {settings.api_keys_file}\n"
                f"  短信 messages  {settings.gateway_url or '写入日志 to the log ' + str(settings.data / 'logs/sender.log')}\n"
                "  停止 stop: Ctrl-C"
            )
            notify("READY=1", f"STATUS={settings.wall_url}")

        keep_running(
            system_children(names, embedded_database=settings.embedded_database),
            settings,
            os.environ,
            lock,
            housekeeping=still_alive,
            when_up=when_up,
        )
    say("\n已全部停止。 Stopped.")


def _desk(settings: Settings) -> str:
    if settings.desk_accounts_file is None:
        return "未开放 closed (mingjing desk account add --help)"
    return f"账号 accounts {settings.desk_accounts_file}"
