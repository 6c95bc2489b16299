"""The command, and the order of the checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from domain.errors import MingjingError
from mingjing.doctor import cameras, centre, database, gateway, log, machine, messages, pictures, secrets
from mingjing.doctor.report import STATUS, Result, fault
from mingjing.doctor.scene import Scene
from mingjing.settings import Settings, load_settings

#: In the order in which a system needs them.
CHECKS: tuple[Callable[[Scene], Iterable[Result]], ...] = (
    *machine.CHECKS,
    *centre.CHECKS,
    *database.CHECKS,
    *log.CHECKS,
    *cameras.CHECKS,
    *pictures.CHECKS,
    *secrets.CHECKS,
    *gateway.CHECKS,
    *messages.CHECKS,
)


def doctor_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object")] = False,
    faults_only: Annotated[bool, typer.Option("--quiet", help="只显示问题 · only what is wrong")] = False,
) -> None:
    """自检 · Checks what the system runs on and says the mend; changes nothing.

    Exit status: 0 all is well · 1 warnings · 2 faults.
    """
    results = []
    for result in examine(load_settings(data=data)):
        results.append(result)
        if not as_json and not (faults_only and result.verdict == "ok"):
            typer.echo(str(result))
    worst = max((STATUS[result.verdict] for result in results), default=0)
    if as_json:
        row = {"status": worst, "results": [result.to_json() for result in results]}
        typer.echo(json.dumps(row, ensure_ascii=False, indent=1))
    if worst:
        raise typer.Exit(worst)


def examine(settings: Settings, scene: Scene | None = None) -> Iterator[Result]:
    """Runs all checks; none of them raises."""
    scene = scene or Scene(settings)
    try:
        for check in CHECKS:
            yield from _tried(check, scene)
    finally:
        scene.close()


def _tried(check: Callable[[Scene], Iterable[Result]], scene: Scene) -> Iterator[Result]:
    try:
        yield from check(scene)
    except (MingjingError, OSError, psycopg.Error) as error:
        words = " ".join(str(error).split())
        yield fault(
            check.__name__, "检查未能完成", f"the check could not be done: {words}", "mingjing doctor --json"
        )
