"""``mingjing alerts channels``: which there are, how they do, and switching one off or on again."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from store import Connection

app = typer.Typer(
    help="通道 · Channels and how they do; on, off.", rich_markup_mode=None, invoke_without_command=True
)
DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
NameArgument = Annotated[str, typer.Argument(help="通道 · name of the channel")]
ByOption = Annotated[
    str | None,
    typer.Option("--by", help="经手人，缺省为登录用户 · who; default: the login name", show_default=False),
]


@app.callback()
def list_channels(context: typer.Context, data: DataOption = None) -> None:
    """列出通道 · Every channel: on or off, and what became of its messages of the last 24 hours."""
    if context.invoked_subcommand is not None:
        return
    from alerts.channel_state import list_off
    from mingjing.channels import address_kinds
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    settings = load_settings(data=data)
    kinds = address_kinds(settings)
    with open_database(settings) as connection:
        off = {each.channel: each for each in list_off(connection)}
        counts = day_counts(connection)
    for name in dict.fromkeys([*kinds, *off, *counts]):
        states = "  ".join(f"{state} {n}" for state, n in sorted(counts.get(name, {}).items()))
        typer.echo(
            f"{name}  {'停用 off' if name in off else '启用 on'}  {kinds.get(name, '?')}  {states}".rstrip()
        )
        if name in off:
            each = off[name]
            said = f"    {each.since:%Y-%m-%d %H:%M}Z 起 since: {each.reason} {each.error}".rstrip()
            typer.echo(f"{said}; {each.waiting} 条等待 wait")


@app.command("off")
def off_command(
    name: NameArgument,
    why: Annotated[str, typer.Option("--why", help="原因 · why")],
    by: ByOption = None,
    data: DataOption = None,
) -> None:
    """停用 · No message leaves by it; what has another channel goes on by that."""
    from alerts.channel_state import switch_off
    from mingjing.channels import address_kinds
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    context = Context(load_settings(data=data))
    kinds = address_kinds(context.settings)
    if name not in kinds:
        raise InputError(f"there is no channel '{name}'; there are {', '.join(kinds)}")
    if not why.strip():
        raise InputError("--why: a reason, for whoever finds it off")
    with open_database(context.settings) as connection:
        done = switch_off(
            connection, name, reason=why.strip(), by=by or getpass.getuser(), at=context.clock.now()
        )
    typer.echo(f"{name}: 已停用 off" if done else f"{name}: 早已停用 was off already")


@app.command("on")
def on_command(name: NameArgument, by: ByOption = None, data: DataOption = None) -> None:
    """启用 · What waited for it is tried at once."""
    from alerts.channel_state import switch_on
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    context = Context(load_settings(data=data))
    with open_database(context.settings) as connection:
        waiting = switch_on(connection, name, by=by or getpass.getuser(), at=context.clock.now())
    typer.echo(
        f"{name}: 未停用 was not off" if waiting is None else f"{name}: 已启用 on; {waiting} 条待发 waited"
    )


def day_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Channel → state → messages whose life moved in the last 24 real hours."""
    rows = connection.execute(
        "select channel, state, count(*) from outbox where channel <> 'none' and state not in ('skipped', 'gathered')"
        " and (handed_at > now() - interval '24 hours' or state in ('ready', 'leased', 'held')"
        " or (state = 'dead' and next_try_at > now() - interval '24 hours')) group by 1, 2"
    )
    found: dict[str, dict[str, int]] = {}
    for channel, state, number in rows:
        found.setdefault(channel, {})[state] = number
    return found


__all__ = ["app", "day_counts"]
