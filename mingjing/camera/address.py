"""``mingjing camera address``: where a maker's camera has its pictures."""

from __future__ import annotations

from typing import Annotated

import typer

from camera_adapters.makers import MAKERS, camera_address
from domain.errors import SettingsError


def address_command(
    maker: Annotated[str, typer.Option(help=f"厂商 · {', '.join(MAKERS)}")],
    host: Annotated[str, typer.Option(help="主机[:端口] · host[:port]")],
    channel: Annotated[int, typer.Option(help="通道（录像机）· channel of a recorder")] = 1,
    sub: Annotated[bool, typer.Option("--sub", help="子码流 · the small stream")] = False,
    snapshot: Annotated[bool, typer.Option("--snapshot", help="抓图地址 · the still picture")] = False,
) -> None:
    """摄像机地址 · The address of a camera by its maker, for `url` in the centre file. The login goes into `user` and
    `password_file`, never into the address."""
    for each in MAKERS:
        if each == maker:
            typer.echo(camera_address(each, host, channel=channel, sub=sub, snapshot=snapshot))
            return
    raise SettingsError(f"--maker: '{maker}' is not known ({', '.join(MAKERS)})")
