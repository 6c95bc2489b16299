"""``mingjing trace ID``: where an event, a case, a subject or a finding is: stored, judged, found, told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from store.connection import Connection
from store.tracing import Stop, findings_of, trace

#: Exit status where nothing is known of the id.
UNKNOWN = 3
WORDS = {
    "stored": "已入库 stored",
    "refused": "被拒收 refused",
    "case": "办件 case",
    "subject": "对象 subject",
    "finding": "监察发现 finding",
    "step": "变化 step",
    "message": "短信 message",
}


def trace_command(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="event_id、办件号、对象（complaint:…、person:…）或 finding_id · one of these"
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object a line")] = False,
) -> None:
    """查找 · Where an event, a case or a finding is on its way: log, store, judgement, finding, message.

    Exit status 3 where nothing is known of it.
    """
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        stops = whole_way(connection, wanted)
        waiting = _waiting(connection)
    for stop in stops:
        typer.echo(_json(stop) if as_json else _line(stop))
    if not stops:
        typer.echo(
            f"{wanted}: 未入库，也未被拒收 · neither stored nor refused; {waiting} 条在日志中待处理 records wait in the log",
            err=True,
        )
        raise typer.Exit(UNKNOWN)


def whole_way(connection: Connection, wanted: str) -> list[Stop]:
    """The places in the store, and what became of the messages; numbers of phones are masked."""
    from alerts.outbox import messages_of

    stops = trace(connection, wanted)
    told = [
        Stop("message", row.pop("sent_at") or row["created_at"], row)
        for row in messages_of(connection, findings_of(stops))
    ]
    return [*stops, *told]


def _waiting(connection: Connection) -> int:
    row = connection.execute(
        "select coalesce(sum((detail ->> 'lag')::bigint), 0) from heartbeat where role = 'worker'"
        " and real_at > clock_timestamp() - interval '1 minute'"
    ).fetchone()
    return int(row[0]) if row else 0


def _facts(stop: Stop) -> Iterator[tuple[str, Any]]:
    for name, value in stop.facts.items():
        if value not in (None, ""):
            yield name, value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _line(stop: Stop) -> str:
    moment = stop.at.isoformat(timespec="seconds") if stop.at is not None else "–" * 25
    return f"{moment}  {WORDS[stop.where]}  " + " ".join(f"{name}={value}" for name, value in _facts(stop))


def _json(stop: Stop) -> str:
    row = {"where": stop.where, "at": stop.at.isoformat() if stop.at else None, **dict(_facts(stop))}
    return json.dumps(row, ensure_ascii=False)
