"""``mingjing backup make | list | verify`` and ``mingjing restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="备份 · A copy of everything but the secrets, made while the system runs.", rich_markup_mode=None
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]


@app.command("make")
def make_command(
    to: Annotated[
        Path, typer.Argument(help="备份目录 · folder of the backups; each gets a folder of its own")
    ],
    data: DataOption = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="保留份数 · how many to keep there", show_default=False)
    ] = None,
) -> None:
    """备份 · Makes one backup, reads it back, and only then gives it its name."""
    from mingjing.backup.making import make_backup
    from mingjing.settings import load_settings

    made = make_backup(load_settings(data=data), to, keep=keep)
    typer.echo(f"{made.folder}  {made.size / 1e6:.1f} MB  {made.seconds:.1f} s")
    for old in made.pruned:
        typer.echo(f"removed {old}")
    for note in made.notes:
        typer.echo(f"· {note}", err=True)


@app.command("list")
def list_command(to: Annotated[Path, typer.Argument(help="备份目录 · folder of the backups")]) -> None:
    """备份清单 · The complete backups in a folder, oldest first."""
    from mingjing.backup.archive import list_backups, read_manifest

    for folder in list_backups(to):
        manifest = read_manifest(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        typer.echo(
            f"{folder.name}  {size / 1e6:8.1f} MB  schema {manifest.server.schema}  {manifest.program}"
        )


@app.command("verify")
def verify_command(folder: Annotated[Path, typer.Argument(help="一份备份 · one backup")]) -> None:
    """校验备份 · Reads every byte of a backup and compares it with its checksums."""
    from mingjing.backup.archive import verify

    manifest = verify(folder)
    typer.echo(
        f"{folder} is whole: made {manifest.made_at:%Y-%m-%d %H:%M:%S}Z, schema {manifest.server.schema}"
    )


def restore_command(
    source: Annotated[Path, typer.Argument(help="一份备份 · one backup (a folder that `backup make` named)")],
    data: DataOption = None,
    hold_messages: Annotated[
        bool,
        typer.Option(
            "--hold-messages",
            help="暂停短信，直到 messages release · no message leaves until `messages release`",
        ),
    ] = False,
) -> None:
    """恢复 · Puts a backup into a new data folder or an empty database; never over data."""
    from mingjing.backup.restoring import restore_backup
    from mingjing.settings import load_settings

    done = restore_backup(load_settings(data=data), source, hold_messages=hold_messages)
    typer.echo(f"restored {source} of {done.manifest.made_at:%Y-%m-%d %H:%M:%S}Z; {done.migrated}")
    for note in done.notes:
        typer.echo(f"· {note}", err=True)
