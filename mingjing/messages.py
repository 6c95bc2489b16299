"""``mingjing messages``: what became of messages, those that were given up, and another try once the cause is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import InputError

app = typer.Typer(
    help="短信 · What became of messages; none is ever dropped without a word.", rich_markup_mode=None
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]


@app.command("counts")
def counts_command(data: DataOption = None) -> None:
    """各状态数量 · How many are in each state; "skipped" and "dead" with their reason."""
    from alerts.outbox import counts, held
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        found, holding = counts(connection), held(connection)
    for state, count in sorted(found.items()):
        typer.echo(f"{count:>8}  {state}")
    if holding is not None:
        typer.echo(
            f"none leaves since {holding[0]:%Y-%m-%d %H:%M}Z ({holding[1]}): `mingjing messages release`",
            err=True,
        )


@app.command("hold")
def hold_command(
    data: DataOption = None,
    why: Annotated[str, typer.Option(help="原因 · why, for whoever finds them held")] = "by hand",
) -> None:
    """暂停发送 · No message leaves until `release`; findings and their messages are written as ever."""
    from alerts.outbox import hold_messages
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        hold_messages(connection, why)
    typer.echo("no message leaves until `mingjing messages release`")


@app.command("release")
def release_command(data: DataOption = None) -> None:
    """恢复发送 · Lets held messages go."""
    from alerts.outbox import release_messages
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        waiting = release_messages(connection)
    typer.echo("messages were not held" if waiting is None else f"{waiting} messages may leave")


@app.command("dead")
def dead_command(
    data: DataOption = None, limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50
) -> None:
    """未送达的短信 · Messages that were given up, newest first, with the reason."""
    from alerts.outbox import list_dead
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        rows = list_dead(connection, limit)
    for row in rows:
        typer.echo(
            f"{row['idempotency_key']}  {row['created_at']:%Y-%m-%d %H:%M}Z  {row['person']} {row['phone']}  "
            f"{row['reason']}  ×{row['attempts']}  {row['last_error'] or ''}"
        )
    typer.echo(f"{len(rows)} dead", err=True)


@app.command("list")
def list_command(
    state: Annotated[
        str, typer.Option(help="状态 · state: sent, delivered, undelivered, unknown …")
    ] = "unknown",
    data: DataOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """按状态列出 · Messages in a state, newest first: by default those of which nobody knows whether they have arrived."""
    from alerts.outbox import STATES, list_messages
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    if state not in STATES:
        raise InputError(f"no state is called '{state}'; there are {', '.join(STATES)}")
    with open_database(load_settings(data=data)) as connection:
        rows = list_messages(connection, state, limit)
    for row in rows:
        moment = row["sent_at"] or row["created_at"]
        typer.echo(
            f"{row['idempotency_key']}  {moment:%Y-%m-%d %H:%M}Z  {row['person']} {row['phone']}  "
            f"{row['channel']}  {row['state']}  {row['fate_code'] or row['reason'] or ''}".rstrip()
        )
    typer.echo(f"{len(rows)} {state}", err=True)


@app.command("retry")
def retry_command(
    keys: Annotated[list[str], typer.Argument(help="短信编号 · keys, as `dead` prints them")],
    data: DataOption = None,
) -> None:
    """重新发送 · Tries dead messages again, with the same keys, so that none arrives twice."""
    from alerts.outbox import revive
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        revived = revive(connection, keys)
    typer.echo(f"{len(revived)} messages are ready again")
    missing = sorted(set(keys) - set(revived))
    if missing:
        raise InputError(f"no dead message: {', '.join(missing)}")
