"""``mingjing move-log``: from one machine's local log to Kafka, with everything the worker has not stored yet.

Exit status: 0 all of it is on Kafka (or, with ``--dry-run``, could go) · 1 somebody still uses the log, or Kafka is away: start
again · 2 a setting is wrong or Kafka refuses · 3 what lies on Kafka is not what lay here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError, LogError, SettingsError

if TYPE_CHECKING:
    from streams.local_transport import EventLog
    from streams.local_transport.moved import Span
    from streams.moving import Balance
    from streams.settings import StreamSettings

NOT_WHOLE = 3


def move_log_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="本地日志文件 · the local log; default: log.db in the data folder",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="含已处理记录 · also what the worker has stored already")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="只说明 · say what would be carried; change nothing")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="撤销标记 · remove the mark, so that the local log is used again")
    ] = False,
    from_prefix: Annotated[
        str, typer.Option("--from-prefix", help="本地主题前缀 · MINGJING_TOPIC_PREFIX as it was here")
    ] = "",
) -> None:
    """迁移日志 · Carries what the local log still holds to the Kafka of MINGJING_BROKER.

    Stop the system first. Killed at any moment, it goes on when started again. The local log stays as it is, but for a mark
    by which it takes no more records.
    """
    from streams.local_transport import EventLog
    from streams.local_transport.moved import Mark, alone
    from streams.settings import load_stream_settings

    settings = load_stream_settings()
    if data is not None:
        settings = settings.model_copy(update={"data": data.expanduser().resolve()})
    path = (source or settings.data / "log.db").absolute()
    if not path.is_file():
        raise InputError(f"{path}: there is no local log (--from, --data)")
    if dry_run:
        _dry_run(settings, path, from_prefix, everything)
        return
    with alone(path):
        log = EventLog(path)
        try:
            if undo:
                Mark(log).remove()
                typer.echo(
                    f"{path} takes records again; what was carried stays on Kafka, where nothing reads it twice"
                )
                return
            _move(settings, log, from_prefix, everything)
        finally:
            log.close()


def _move(settings: StreamSettings, log: EventLog, from_prefix: str, everything: bool) -> None:
    from streams.kafka_access import kafka_servers
    from streams.local_transport.moved import Mark
    from streams.moving import Mover

    _require_kafka(settings)
    before = Mark(log).facts
    if before:
        typer.echo(f"a move to {before['target']}, begun {before['began_at']}, goes on")
    carried = [0]

    def on_chunk(count: int) -> None:
        carried[0] += count
        if carried[0] % 50_000 < count:
            typer.echo(f"  {carried[0]:,} records …", err=True)

    mover = Mover(
        log,
        kafka_servers(settings.broker_url),
        settings.kafka,
        rename=lambda topic: settings.topic_prefix + topic.removeprefix(from_prefix),
        on_chunk=on_chunk,
    )
    spans = _spans(settings, log, from_prefix, everything)
    balances = asyncio.run(mover.move(spans, settings.broker_url))
    typer.echo(f"{carried[0]:,} records carried now; read back from Kafka:")
    _print(balances)
    if not all(balance.whole for balance in balances):
        typer.echo("NOT WHOLE: the local log is untouched; start again, or look at the faults above")
        raise typer.Exit(NOT_WHOLE)
    typer.echo(f"balanced: all of it is on Kafka; {log.path} stays as it is and takes no more records")


def _dry_run(settings: StreamSettings, path: Path, from_prefix: str, everything: bool) -> None:
    from streams.kafka_access import kafka_servers
    from streams.kafka_admin import KafkaAdmin
    from streams.local_transport import EventLog
    from streams.local_transport.moved import Mark, in_use
    from streams.moving import count

    log = EventLog(path)
    try:
        facts = Mark(log).facts
        if facts:
            state = (
                f"moved on {facts['done_at']}" if "done_at" in facts else f"moving since {facts['began_at']}"
            )
            typer.echo(f"{path}: {state}, to {facts['target']}")
        spans = Mark(log).spans() if facts else _spans(settings, log, from_prefix, everything)
        balances = count(log, spans, lambda topic: settings.topic_prefix + topic.removeprefix(from_prefix))
        for balance in balances:
            typer.echo(
                f"{balance.topic} → {balance.target}: {balance.in_log:,} in the log, {balance.consumed:,} stored already,"
                f" {balance.to_carry:,} to carry"
            )
        group = from_prefix + settings.group
        if not log.committed(group) and not everything:
            typer.echo(
                f"· group '{group}' has committed nothing here (MINGJING_GROUP): all of it counts as not stored"
            )
    finally:
        log.close()
    obstacle = in_use(path)
    if obstacle:
        typer.echo(f"✗ {obstacle}")
    _require_kafka(settings)

    async def missing() -> list[str]:
        async with KafkaAdmin(kafka_servers(settings.broker_url), settings.kafka) as admin:
            names = [balance.target for balance in balances]
            return sorted(set(names) - set(await admin.topics(names)))

    lacking = asyncio.run(missing())
    for name in lacking:
        typer.echo(f"✗ Kafka has no topic '{name}': `mingjing topics create` makes it")
    if obstacle or lacking:
        raise LogError("the log cannot be moved yet; nothing was changed")
    typer.echo("nothing stands in the way; nothing was changed")


def _spans(settings: StreamSettings, log: EventLog, from_prefix: str, everything: bool) -> Sequence[Span]:
    from streams.moving import plan_spans
    from streams.topics import TOPICS

    ours = [from_prefix + topic for topic in TOPICS]
    for topic in sorted({topic for topic, _ in log.heads()} - set(ours)):
        typer.echo(f"· topic '{topic}' is none of this system's and stays (--from-prefix)")
    return plan_spans(log, from_prefix + settings.group, ours, everything=everything)


def _require_kafka(settings: StreamSettings) -> None:
    if settings.broker_url.startswith("local:"):
        raise SettingsError("MINGJING_BROKER names no Kafka: set it to where the log goes, kafka://host:9092")


def _print(balances: Sequence[Balance]) -> None:
    for balance in balances:
        twice = f", {balance.twice:,} of them twice (each counts once)" if balance.twice else ""
        typer.echo(
            f"{balance.topic} → {balance.target}: {balance.in_log:,} in the log, {balance.consumed:,} stored already,"
            f" {balance.to_carry:,} to carry, {balance.found:,} on Kafka{twice}"
        )
        for fault in balance.faults[:5]:
            typer.echo(f"  FAULT {fault}")
