"""`mingjing import FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mingjing.importing import FORMATS, import_log
from mingjing.importing.log_map import load_map
from mingjing.importing.writer import write_lines, write_yaml

SOMETHING_REJECTED = 3


def import_command(
    file: Annotated[Path, typer.Argument(help="日志文件（可为 .gz）· the log, plain or gzip")],
    out: Annotated[Path, typer.Option("--out", help="事件输出 · events, one JSON object a line")],
    centre: Annotated[
        Path, typer.Option("--centre", help="中心文件输出 · the centre file that goes with them")
    ],
    format: Annotated[str, typer.Option("--format", help=" | ".join(FORMATS))],
    map: Annotated[
        Path | None, typer.Option("--map", help="列映射 YAML · which columns mean what (docs/importing.md)")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="被拒行输出 · rejected rows with line and reason")
    ] = None,
) -> None:
    """导入事件日志 · Turn an event log (permits, XES, CSV) into events and a centre file."""
    values = load_map(map) if map is not None else None
    imported = import_log(file, format, values, map_name=str(map) if map is not None else "the map")
    write_yaml(centre, imported.centre)
    count = write_lines(out, imported.events)
    if rejected is not None:
        write_lines(rejected, (row.to_json() for row in imported.rejected))
    cases = len({event["case"] for event in imported.events})
    typer.echo(
        f"{count} events of {cases} cases, {len(imported.centre['windows'])} windows; "
        f"{imported.skipped} rows passed over, {len(imported.rejected)} rejected"
    )
    if imported.rejected:
        first = imported.rejected[0]
        where = f"{file}:{first.line}" + (f": {first.field}" if first.field else "")
        more = "" if rejected is not None else "; --rejected FILE keeps them all"
        typer.echo(f"first rejected: {where}: {first.reason}{more}", err=True)
        raise typer.Exit(SOMETHING_REJECTED)
