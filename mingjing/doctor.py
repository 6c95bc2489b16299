"""``mingjing doctor``: what a system with these settings would run on, and what is missing, before it is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer

from domain.errors import MingjingError
from mingjing.settings import Settings, load_settings

Verdict = Literal["ok", "note", "bad"]
MARKS = {"ok": "✓", "note": "·", "bad": "✗"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: ``note`` is a thing that may be missing, ``bad`` one that stops something from working."""

    verdict: Verdict
    name: str
    text: str


def doctor_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
) -> None:
    """自检 · Checks settings, centre file, database, log, models and keys; changes nothing."""
    bad = 0
    for check in examine(load_settings(data=data)):
        typer.echo(f"{MARKS[check.verdict]} {check.name}: {check.text}")
        bad += check.verdict == "bad"
    if bad:
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Check]:
    """All checks in the order in which a system needs them; none of them raises."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Check("ok", "Python", version)
    yield _tried("数据目录 data folder", lambda: _data_folder(settings))
    yield _tried("中心文件 centre file", lambda: _centre(settings))
    yield _tried("数据库 database", lambda: _database(settings))
    yield _tried("事件日志 event log", lambda: _log(settings))
    yield _tried("识别模型 model", _model)
    yield _tried("接口密钥 API keys", lambda: _keys(settings))
    yield _tried("短信网关 gateway", lambda: _gateway(settings))


def _tried(name: str, check: Callable[[], tuple[Verdict, str]]) -> Check:
    try:
        verdict, text = check()
    except (MingjingError, OSError) as error:
        return Check("bad", name, " ".join(str(error).split()))
    return Check(verdict, name, text)


def _data_folder(settings: Settings) -> tuple[Verdict, str]:
    if not settings.data.exists():
        return "note", f"{settings.data} will be made"
    return "ok", str(settings.data)


def _centre(settings: Settings) -> tuple[Verdict, str]:
    from domain.centre_folder import load_centres

    if not settings.centre_file.exists():
        return "bad", f"{settings.centre_file} is missing (MINGJING_CENTRE)"
    centres = load_centres(settings.centre_file)
    centres.refuse_problems()
    windows, items, cameras = (
        sum(len(getattr(centre, name)) for centre in centres.values())
        for name in ("windows", "items", "cameras")
    )
    first = centres.first.centre
    name = f"{len(centres)} centres" if centres.several else first.name or first.id
    ignored = f"; ignored, no centre files: {', '.join(centres.ignored)}" if centres.ignored else ""
    return "ok", f"{name}: {windows} windows, {items} items, {cameras} cameras{ignored}"


def _database(settings: Settings) -> tuple[Verdict, str]:
    from mingjing.processes import open_database
    from store.migrate import has_timescale, load_migrations, schema_version

    if settings.embedded_database and not (settings.data / "pg").exists():
        return "note", "the embedded server has not run yet; `mingjing run database` makes it"
    with open_database(settings) as connection:
        version, newest = schema_version(connection), len(load_migrations())
        kind = "TimescaleDB" if has_timescale(connection) else "PostgreSQL"
    if version < newest:
        return "bad", f"{kind}, schema {version} of {newest}: `mingjing migrate` brings it up to date"
    return "ok", f"{kind}, schema {version}"


def _log(settings: Settings) -> tuple[Verdict, str]:
    if not settings.broker_url.startswith("local:"):
        return "ok", f"Kafka at {urlsplit(settings.broker_url).netloc.rpartition('@')[2]} (not asked)"
    from streams.local_transport import parse_address

    path = Path(parse_address(settings.broker_url).path)
    if not path.exists():
        return "note", f"{path} will be made"
    return "ok", f"{path}, {path.stat().st_size / 1e6:.1f} MB"


def _model() -> tuple[Verdict, str]:
    from mingjing.models import choose_net

    choice = choose_net("auto")
    if choice.model is None:
        return "note", choice.notice or "none installed"
    return "ok", choice.model


def _keys(settings: Settings) -> tuple[Verdict, str]:
    from streams.access import load_api_keys

    if settings.api_keys_file is None:
        return "note", "MINGJING_API_KEYS_FILE is not set: the HTTP door cannot be opened"
    return "ok", f"{len(load_api_keys(settings.api_keys_file))} systems may use the door"


def _gateway(settings: Settings) -> tuple[Verdict, str]:
    if not settings.gateway_url:
        return "note", "MINGJING_GATEWAY_URL is not set: messages are written to the sender's log"
    if settings.gateway_secret_file is None:
        return "bad", "MINGJING_GATEWAY_SECRET_FILE is not set: messages could not be signed"
    settings.gateway_secret_file.read_bytes()
    return "ok", settings.gateway_url
