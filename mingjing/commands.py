"""Commands that run the system. The work is done elsewhere; here are options and words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import SettingsError

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]


def version() -> None:
    """版本 · Print the version."""
    from importlib.metadata import version as installed

    typer.echo(f"mingjing {installed('mingjing')}")


def run(
    name: Annotated[
        str, typer.Argument(help="database, worker, cameras, rules, sender, wall, door, gateway, simulator")
    ],
    data: DataOption = None,
    share: Annotated[
        str | None,
        typer.Option(
            help="摄像机分给几台机器中的哪一台，如 2/4 · which of several machines' cameras, e.g. 2/4",
            show_default=False,
        ),
    ] = None,
) -> None:
    """运行一个进程 · Run one process of the system until SIGTERM."""
    from domain.shares import WHOLE, Share
    from mingjing.processes import run_process
    from mingjing.settings import load_settings

    run_process(name, load_settings(data=data), share=Share.parse(share) if share else WHOLE)


def migrate(
    data: DataOption = None,
    wait: Annotated[
        float, typer.Option(min=0, help="等待数据库的秒数 · seconds to wait for the database")
    ] = 0.0,
) -> None:
    """建立或升级数据库结构 · Bring the database schema up to date."""
    from mingjing.processes import migrate_database
    from mingjing.settings import load_settings

    typer.echo(migrate_database(load_settings(data=data), wait=wait))


def demo(
    data: Annotated[Path, typer.Option(help="数据目录 · folder for everything the demo keeps")] = Path(
        "demo-data"
    ),
    speed: Annotated[
        float, typer.Option(min=1, max=120, help="模拟时间倍速 · simulated seconds per real second")
    ] = 60.0,
    port: Annotated[
        int,
        typer.Option(min=1, max=65533, help="大屏端口，另用其后两个 · port of the wall, and the next two"),
    ] = 8050,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="A03=rtsp://… 或文件，替换模拟摄像机 · a real source in place of a simulated camera"
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, max=60, help="窗口数 · number of windows")] = 12,
) -> None:
    """演示中心：全套系统，直到 Ctrl-C · The whole system with a demo centre, until Ctrl-C."""
    from mingjing.demo.command import DemoOptions, run_demo

    run_demo(DemoOptions(data=data, speed=speed, port=port, cameras=tuple(camera or ()), windows=windows))


def send(
    file: Annotated[
        Path,
        typer.Argument(help="事件文件，- 为标准输入 · events, one JSON object a line; - is standard input"),
    ],
    data: DataOption = None,
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", help="被拒行输出 · rejected lines with line number and reason"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="另一台机器的入口地址 · the door of another machine, http://host:port"),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="该入口的密钥文件 · file with the API key for --to")
    ] = None,
) -> None:
    """发送事件文件 · Put a file of events into the running system, or through the door of another machine."""
    from mingjing.sending import SOMETHING_REJECTED, send_file, send_to_door
    from mingjing.settings import load_settings

    if (to is None) != (key_file is None):
        raise SettingsError("--to and --key-file go together: a door asks who is there")
    if to is not None and key_file is not None:
        sent = send_to_door(file, to, key_file, rejected=rejected)
    else:
        sent = send_file(file, load_settings(data=data), rejected=rejected)
    typer.echo(f"{sent.accepted} events in the log, {sent.rejected} lines rejected")
    if sent.rejected:
        raise typer.Exit(SOMETHING_REJECTED)
