"""``mingjing shadow``: what families with ``shadow: true`` would have issued."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from domain.centre import Centre
    from domain.centres import Centres

app = typer.Typer(
    help="试运行 · What rules in shadow would have issued: report, list.", rich_markup_mode=None
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
CentreOption = Annotated[
    str | None, typer.Option("--centre", help="中心编号，缺省为全部 · id of one centre; default: all")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON 输出 · JSON lines")]


@app.command("report")
def report_command(data: DataOption = None, centre: CentreOption = None, as_json: JsonOption = False) -> None:
    """按规则和周计数 · Counts by rule and week of opening (its Monday, local): found, still open, taken back."""
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store.shadow import count_shadows

    context = Context(load_settings(data=data))
    empty = True
    with open_database(context.settings) as connection:
        for each in _chosen(context.centres, centre):
            for count in count_shadows(connection, each.centre.id, each.zone):
                row = {"centre": each.centre.id, **asdict(count), "week": count.week.isoformat()}
                line = "{centre}  {week}  {rule:<34} {severity:<7} {found:>6}  open {open}  revoked {revoked}"
                typer.echo(json.dumps(row) if as_json else line.format(**row))
                empty = False
    if empty and not as_json:
        typer.echo("试运行的规则没有发现 · Rules in shadow have found nothing")


@app.command("list")
def list_command(
    data: DataOption = None,
    centre: CentreOption = None,
    rule: Annotated[str | None, typer.Option(help="规则编号 · only this rule")] = None,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 · at most so many of a centre")] = 100,
    as_json: JsonOption = False,
) -> None:
    """逐条列出 · One by one, the newest first."""
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store.shadow import list_shadows

    context = Context(load_settings(data=data))
    with open_database(context.settings) as connection:
        for each in _chosen(context.centres, centre):
            for found in list_shadows(connection, each.centre.id, rule=rule, limit=limit):
                row = {"centre": each.centre.id, **asdict(found)}
                for name in ("opened_at", "closed_at", "due_at"):
                    moment = row[name]
                    row[name] = None if moment is None else moment.astimezone(each.zone).isoformat()
                line = "{opened_at}  {rule:<34} {severity:<7} {state:<8} {subject}"
                typer.echo(json.dumps(row, ensure_ascii=False) if as_json else line.format(**row))


def _chosen(centres: Centres, code: str | None) -> list[Centre]:
    if code is None:
        return list(centres.values())
    found = centres.get(code)
    if found is None:
        raise InputError(f"--centre: there is no centre {code} in the centre files")
    return [found]
